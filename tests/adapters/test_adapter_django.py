"""What is Django's own: settings, class-based and async views, CSRF."""

import pytest
from adapter_django import serving_asgi, serving_wsgi
from django.http import HttpResponse
from django.test import override_settings
from django.utils.decorators import method_decorator
from django.views import View

import guestpass.django
from guestpass.django import SessionAuth


@pytest.fixture
def auth(issuer):
    return SessionAuth(issuer.verifier())


def test_the_settings_name_the_issuer_when_the_first_request_comes():
    """Modules are imported before settings are there."""
    auth = SessionAuth()
    with override_settings(GUESTPASS={"issuer": "https://guestpass.example.com/live", "mode": "offline"}):
        assert repr(auth.verifier) == "Verifier('https://guestpass.example.com/live', mode='offline')"
        assert auth.verifier is auth.verifier
    assert isinstance(guestpass.django.auth, SessionAuth)


def test_a_class_based_view_is_protected_whole(auth, issuer):
    @method_decorator(auth.require("read_invoices"), name="dispatch")
    class Invoices(View):
        def get(self, request):
            return HttpResponse(auth.session(request).user_id)

        def post(self, _):
            return HttpResponse("paid")

    api = serving_wsgi({"invoices": Invoices.as_view()})
    assert (api.get("/invoices").code, api.get("/invoices", issuer.mint("ada")).body) == ("TOKEN_MISSING", b"ada")
    assert (api.post("/invoices").status, api.post("/invoices", issuer.mint()).body) == (401, b"paid")


def test_an_async_handler_of_a_class_based_view_is_protected(auth, issuer):
    class Invoices(View):
        @method_decorator(auth.require("read_invoices"))
        async def get(self, request):
            return HttpResponse(auth.session(request).user_id)

    api = serving_asgi({"invoices": Invoices.as_view()})
    assert (api.get("/invoices").code, api.get("/invoices", issuer.mint("ada")).body) == ("TOKEN_MISSING", b"ada")


def test_no_form_of_another_site_can_send_the_header_so_none_is_checked_for_one(auth, issuer):
    """Without ``require`` Django refuses a POST that shows no CSRF token; with it, a POST that shows no session token."""

    def pay(_):
        return HttpResponse("paid")

    api = serving_wsgi({"open": pay, "pay": auth.require("pay_invoices")(pay)})
    assert api.post("/open").status == 403
    assert api.post("/pay").code == "TOKEN_MISSING"
    assert api.post("/pay", issuer.mint()).body == b"paid"


def test_arguments_of_the_address_reach_the_view(auth, issuer):
    @auth.require()
    def invoice(_, number):
        return HttpResponse(str(number))

    api = serving_wsgi({"invoices/<int:number>": invoice})
    assert api.get("/invoices/7", issuer.mint()).body == b"7"
