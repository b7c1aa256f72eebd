"""What is Litestar's own: guards of every layer, its shape of errors."""

import litestar
import pytest
from adapter_calls import AsgiCaller
from litestar.config.cors import CORSConfig

from guestpass.litestar import SessionAuth


@pytest.fixture
def auth(issuer):
    return SessionAuth(issuer.verifier())


def serve(auth, handler, **options):
    return AsgiCaller(litestar.Litestar([handler], logging_config=None, **options))


def test_a_controller_is_protected_whole(auth, issuer):
    class Invoices(litestar.Controller):
        path = "/invoices"
        guards = (auth.require("read_invoices"),)

        @litestar.get()
        async def all(self, request: litestar.Request) -> str:
            return request.auth.user_id

        @litestar.get("/first")
        async def one(self) -> int:
            return 7

    api = serve(auth, Invoices, on_app_init=[auth.on_app_init])
    assert (api.get("/invoices").code, api.get("/invoices", issuer.mint("ada")).body) == ("TOKEN_MISSING", b"ada")
    assert (api.get("/invoices/first").status, api.get("/invoices/first", issuer.mint()).json) == (401, 7)


def test_without_on_app_init_the_body_stands_where_litestar_puts_it(auth):
    @litestar.get("/invoices", guards=[auth.require()])
    async def invoices() -> str:
        return "all of them"

    reply = serve(auth, invoices).get("/invoices")
    assert (reply.status, reply.header("www-authenticate")) == (401, "Bearer")
    assert reply.json["extra"].keys() == {"code", "message", "requestId"}


def test_a_page_of_another_origin_reads_why_it_was_refused(auth):
    @litestar.get("/invoices", guards=[auth.require()])
    async def invoices() -> str:
        return "all of them"

    cors = CORSConfig(allow_origins=["https://shop.example"])
    api = serve(auth, invoices, on_app_init=[auth.on_app_init], cors_config=cors)
    reply = api.get("/invoices", headers=[("origin", "https://shop.example")])
    assert reply.header("access-control-allow-origin") == "https://shop.example"
    assert "Guestpass-Retry" in reply.header("access-control-expose-headers")


def test_a_guard_whose_call_was_forgotten_lets_nobody_in(auth, issuer):
    @litestar.get("/invoices", guards=[auth.require])
    async def invoices() -> str:
        return "all of them"

    api = serve(auth, invoices, on_app_init=[auth.on_app_init])
    assert [api.get("/invoices", token).status for token in (None, issuer.mint())] == [500, 500]
