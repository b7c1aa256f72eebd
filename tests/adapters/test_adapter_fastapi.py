"""What is FastAPI's own: dependencies, its shape of errors, OpenAPI."""

from typing import Annotated

import pytest
from adapter_calls import AsgiCaller
from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from starlette.middleware.cors import CORSMiddleware

from guestpass.fastapi import Refused, Session, SessionAuth


@pytest.fixture
def auth(issuer):
    return SessionAuth(issuer.verifier())


@pytest.fixture
def app(auth):
    app = FastAPI()

    @app.get("/invoices")
    def invoices(session: Annotated[Session, Depends(auth.require("read_invoices"))]) -> dict[str, str]:
        return {"user": session.user_id}

    return app


def test_without_install_the_body_stands_where_fastapi_puts_it(app):
    """All else is the same, so that a browser finds what it needs."""
    reply = AsgiCaller(app).get("/invoices")
    assert (reply.status, reply.header("www-authenticate")) == (401, "Bearer")
    assert reply.json["detail"].keys() == {"code", "message", "requestId"}


def test_an_application_may_answer_in_its_own_shape(app):
    @app.exception_handler(Refused)
    async def answer(_, refused):
        from fastapi.responses import JSONResponse  # noqa: PLC0415

        body = {"error": refused.detail["code"]}
        return JSONResponse(body, refused.status_code, headers=refused.headers)

    reply = AsgiCaller(app).get("/invoices")
    assert (reply.json, reply.header("www-authenticate")) == ({"error": "TOKEN_MISSING"}, "Bearer")


def test_a_router_is_protected_whole(auth, issuer):
    app, router = FastAPI(), APIRouter(dependencies=[Depends(auth.require("read_invoices"))])

    @router.get("/invoices")
    async def invoices() -> str:
        return "all of them"

    auth.install(app)
    app.include_router(router)
    api = AsgiCaller(app)
    assert (api.get("/invoices").status, api.get("/invoices", issuer.mint()).status) == (401, 200)


def test_a_dependency_whose_call_was_forgotten_lets_nobody_in(auth, issuer):
    """``Depends(auth.require)``: FastAPI would fill the arguments from the query, and take what comes for a yes."""
    app = FastAPI()
    auth.install(app)

    @app.get("/invoices", dependencies=[Depends(auth.require)])
    async def invoices() -> str:
        return "all of them"

    for token in (None, issuer.mint()):
        for query in ("", "operation=read_invoices", "max_age_seconds=1"):
            with pytest.raises(TypeError, match="operation"):
                AsgiCaller(app).get("/invoices", token, query=query)


def test_openapi_says_which_routes_want_a_token(app):
    @app.get("/health")
    async def health() -> None: ...

    described = TestClient(app).get("/openapi.json").json()
    assert described["paths"]["/invoices"]["get"]["security"] == [{"Guestpass": []}]
    assert "security" not in described["paths"]["/health"]["get"]
    assert described["components"]["securitySchemes"]["Guestpass"] == {
        "type": "http", "scheme": "bearer", "bearerFormat": "Guestpass session token",
    }  # fmt: skip


def test_a_page_of_another_origin_reads_why_it_was_refused(app, auth):
    """Also where the application's own list of exposed headers is empty, as it is by default."""
    auth.install(app)
    app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"], allow_headers=["authorization"])
    reply = AsgiCaller(app).get("/invoices", headers=[("origin", "https://shop.example")])
    assert reply.header("access-control-allow-origin") == "https://shop.example"
    assert "Guestpass-Retry" in reply.header("access-control-expose-headers")


def test_tests_of_an_application_may_replace_the_verifier(app, auth, service):
    """With one of an issuer in memory; see ``guestpass.testing``."""
    other = service.issuer("live")
    auth.verifier = other.verifier()
    assert AsgiCaller(app).get("/invoices", other.mint()).status == 200
