"""An API in Django, half of it in REST framework, that shows a user his own invoices, and lets him pay them.

    pip install guestpass django djangorestframework
    GUESTPASS_ISSUER=http://127.0.0.1:8787/test python invoices_django.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8001/invoices

A project has its settings in a file of their own; here all stands in one.
"""

import os
import secrets

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    GUESTPASS={"issuer": os.environ["GUESTPASS_ISSUER"]},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["guestpass.drf.GuestpassAuthentication"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.http import Http404, HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from guestpass.django import auth  # noqa: E402
from guestpass.drf import require  # noqa: E402

INVOICES = {"user_42": {7: {"number": 7, "amount": "129.00", "paid": False}}}


class Invoices(APIView):
    """In REST framework: ``request.auth`` is the session."""

    permission_classes = (require("read_invoices"),)

    def get(self, request: Request) -> Response:
        return Response(list(INVOICES.get(request.auth.user_id, {}).values()))


@auth.require("pay_invoices")
def pay(request: HttpRequest, number: int) -> JsonResponse:
    """In Django alone."""
    invoice = INVOICES.get(auth.session(request).user_id, {}).get(number)
    if invoice is None or request.method != "POST":
        raise Http404
    invoice["paid"] = True
    return JsonResponse(invoice)


def hello(request: HttpRequest) -> JsonResponse:
    session = auth.optional(request)
    return JsonResponse({"hello": session.user_id if session else "stranger"})


urlpatterns = [
    path("invoices", Invoices.as_view()),
    path("invoices/<int:number>/pay", pay),
    path("hello", hello),
]

if __name__ == "__main__":
    call_command("runserver", f"127.0.0.1:{os.environ.get('PORT', '8001')}", use_reloader=False)
