"""Django has one set of settings in a process, so all tests share these."""

import django
from django.conf import settings


def configure():
    """Make the settings; called before anything that reads them is imported."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="of tests",
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["rest_framework"],
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        REST_FRAMEWORK={
            "UNAUTHENTICATED_USER": None,
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
        ROOT_URLCONF="none",
        USE_TZ=True,
    )
    django.setup()
