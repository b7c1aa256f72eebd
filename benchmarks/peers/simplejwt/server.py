"""Django with simplejwt on PostgreSQL, as its documentation sets it up: refresh tokens are kept, so that one can be revoked.

``POST /token {"user": …}`` answers a pair for a user who was signed in elsewhere: the same as a mint of ours, without a
password to check. The user's row and the token's row are committed before the answer. ``POST /token/refresh {"refresh": …}`` is
simplejwt's own view, with rotation and the blacklist.
"""

import json
import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    SECRET_KEY=os.environ["PEER_SECRET"],
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PEER_HOST"],
            "PORT": os.environ["PEER_PORT"],
            "USER": "postgres",
            "PASSWORD": os.environ["PEER_PASSWORD"],
            "NAME": os.environ["PEER_DATABASE"],
            "CONN_MAX_AGE": None,
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
)
django.setup()

from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenRefreshView


@csrf_exempt
def token(request):
    user, _ = User.objects.get_or_create(username=json.loads(request.body)["user"])
    refresh = RefreshToken.for_user(user)
    return JsonResponse({"refresh": str(refresh), "access": str(refresh.access_token)})


def health(_):
    return JsonResponse({"status": "ok"})


urlpatterns = [path("token", token), path("token/refresh", TokenRefreshView.as_view()), path("healthz", health)]
application = get_wsgi_application()

if __name__ == "__main__":
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
