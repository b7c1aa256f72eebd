"""A shop in Django that keeps its customers' sessions in a cookie of its own; it asks nobody for a password.

    pip install guestpass django
    GUESTPASS_SECRET_KEY=sk_test_… python shop_django.py
    curl -c jar -b jar -X POST http://127.0.0.1:8001/sign-in/user_42
    curl -c jar -b jar http://127.0.0.1:8001/api/session

A project has its settings in a file of their own; here all stands in one.
"""

import os
import secrets

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from django.views.decorators.http import require_POST  # noqa: E402

from guestpass import Guestpass  # noqa: E402
from guestpass.django import session_routes  # noqa: E402

gp = Guestpass(timeout_seconds=3, max_retries=1)  # a page waits for the answer


def get_user(request: HttpRequest) -> str | None:
    return request.session.get("user")


@csrf_exempt  # so that curl can call it; yours has a form with a token
@require_POST
def sign_in(request: HttpRequest, user: str) -> JsonResponse:
    request.session["user"] = user
    return JsonResponse({"signedIn": user})


@csrf_exempt
@require_POST
def sign_out(request: HttpRequest) -> JsonResponse:
    """The page calls ``POST /api/session/end`` first: it has the CSRF token."""
    request.session.flush()
    return JsonResponse({})


urlpatterns = [
    path("api/", include(session_routes(gp, get_user))),
    path("sign-in/<str:user>", sign_in),
    path("sign-out", sign_out),
]

if __name__ == "__main__":
    call_command("runserver", f"127.0.0.1:{os.environ.get('PORT', '8001')}", use_reloader=False)
