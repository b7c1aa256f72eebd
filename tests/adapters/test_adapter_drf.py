"""What is REST framework's own: authentication and permission classes beside others, and its test client."""

import pytest
from adapter_django import serving_wsgi
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from guestpass.django import SessionAuth
from guestpass.drf import GuestpassAuthentication, Session, SessionUser, require


@pytest.fixture
def authentication(issuer):
    class Authentication(GuestpassAuthentication):
        auth = SessionAuth(issuer.verifier())

    return Authentication


class OfTheConsole(BaseAuthentication):
    """Another way in, as by a cookie."""

    def authenticate(self, request):
        return (SessionUser("admin"), None) if "HTTP_X_ADMIN" in request.META else None


class IsAdmin(BasePermission):
    def has_permission(self, request, _):
        return str(request.user) == "admin"


@pytest.fixture
def serve(authentication):
    """Serve one view at /invoices."""

    def serve(*permissions, others=(), **attributes):
        class Invoices(APIView):
            authentication_classes = (authentication, *others)
            permission_classes = permissions

            def get(self, request):
                return Response({"user": str(request.user), "session": request.auth and request.auth.id})

        for name, value in attributes.items():
            setattr(Invoices, name, value)
        return serving_wsgi({"invoices": Invoices.as_view()})

    return serve


def test_a_good_token_makes_user_and_session(serve, issuer):
    token = issuer.mint("user_42")
    reply = serve(require("read_invoices")).get("/invoices", token)
    assert reply.json == {"user": "user_42", "session": issuer.session_id(token)}


def test_a_token_that_is_sent_and_bad_is_refused_also_where_none_is_needed(serve):
    """As REST framework's own classes do it; of two readings of "attach" the one that fails closed."""
    api = serve()
    assert api.get("/invoices").status == 200
    refused = api.get("/invoices", "nonsense")
    assert (refused.status, refused.code) == (401, "TOKEN_MALFORMED")


def test_the_permission_that_comes_with_rest_framework_works(serve, issuer):
    """It asks for no operation; and who sends nothing is answered in the framework's own shape."""
    api = serve(IsAuthenticated)
    assert api.get("/invoices", issuer.mint(operations=[])).status == 200
    missing = api.get("/invoices")
    assert (missing.status, missing.header("www-authenticate")) == (401, "Bearer")
    assert api.get("/invoices", issuer.mint()[:-4] + "AAAA").code == "TOKEN_SIGNATURE_INVALID"


def test_who_came_in_another_way_is_let_in_by_what_knows_him(serve, issuer):
    api = serve(require("read_invoices") | IsAdmin, others=(OfTheConsole,))
    assert api.get("/invoices", headers=[("x-admin", "1")]).status == 200
    assert api.get("/invoices", issuer.mint()).status == 200
    assert api.get("/invoices", issuer.mint(operations=[])).code == "OPERATION_NOT_ALLOWED"
    assert api.get("/invoices").code == "TOKEN_MISSING"
    by_token_alone = serve(require("read_invoices"), others=(OfTheConsole,))
    assert by_token_alone.get("/invoices", headers=[("x-admin", "1")]).status == 403


def test_another_scheme_is_left_to_another_class(serve):
    api = serve(IsAdmin, others=(OfTheConsole,))
    headers = [("authorization", "Token abc"), ("x-admin", "1")]
    assert api.get("/invoices", headers=headers).json["user"] == "admin"


def test_both_of_two_operations_may_be_required(serve, issuer):
    api = serve(require("read_invoices") & require("pay_invoices"))
    assert api.get("/invoices", issuer.mint(operations=["read_invoices"])).status == 403
    assert api.get("/invoices", issuer.mint(operations=["read_invoices", "pay_invoices"])).status == 200


def test_a_user_is_throttled_by_his_own_id(serve, issuer):
    class Twice(UserRateThrottle):
        rate = "2/day"

    api = serve(require(), throttle_classes=(Twice,))
    assert [api.get("/invoices", issuer.mint("ada")).status for _ in range(3)] == [200, 200, 429]
    assert api.get("/invoices", issuer.mint("bea")).status == 200


def test_a_view_without_the_authentication_class_says_what_is_missing(issuer):
    class Invoices(APIView):
        authentication_classes = (OfTheConsole,)
        permission_classes = (require("read_invoices"),)

    request = APIRequestFactory().get("/invoices", headers={"authorization": f"Bearer {issuer.mint()}"})
    with pytest.raises(ImproperlyConfigured, match="GuestpassAuthentication"):
        Invoices.as_view()(request)


def test_the_test_client_of_rest_framework_may_bring_a_session(issuer):
    """``force_authenticate(user, token=session)``: no token, no verifier."""

    class Invoices(APIView):
        permission_classes = (require("read_invoices"),)

        def get(self, request):
            return Response(request.auth.user_id)

    session = issuer.verifier().verify(issuer.mint("ada", operations=["read_invoices"]))
    assert isinstance(session, Session)
    request = APIRequestFactory().get("/invoices")
    force_authenticate(request, SessionUser("ada"), session)
    assert Invoices.as_view()(request).data == "ada"


def test_a_permission_whose_call_was_forgotten_lets_nobody_in(serve, issuer):
    api = serve(require)
    assert [api.get("/invoices", token).status for token in (None, issuer.mint())] == [500, 500]
