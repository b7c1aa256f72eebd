"""What holds for every request: methods, addresses, request ids, credentials in URLs, and one shape of error."""

from __future__ import annotations

import re

import pytest

from guestpass.errors import ERRORS
from guestpass.server.http.decode import FORM_TYPE
from guestpass.server.http.routes import ANY_METHOD

ALLOW = {
    "/v1/session-tokens": "POST",
    "/sessions": "POST",
    "/v1/session-tokens/sess_1": "DELETE",
    "/v1/sessions": "GET, HEAD",
    "/v1/sessions/sess_1": "GET, HEAD",
    "/v1/sessions/revoke": "POST",
    "/v1/tokens/verify": "POST",
    "/v1/session": "DELETE, GET, HEAD, OPTIONS",
    "/v1/customers/cust_1/block": "POST",
    "/v1/users/revoke": "POST",
    "/test/.well-known/jwks.json": "GET, HEAD, OPTIONS",
    "/.well-known/oauth-authorization-server/test": "GET, HEAD, OPTIONS",
    "/healthz": "GET, HEAD",
    "/openapi.json": "GET, HEAD",
}


@pytest.mark.parametrize(("path", "allow"), ALLOW.items(), ids=list(ALLOW))
async def test_another_method_is_answered_with_those_that_work(shared_world, path, allow):
    """RFC 9110 section 15.5.6; a method is spelled exactly."""
    for method in ({"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "get"} - set(allow.split(", "))) or {"PUT"}:
        reply = await shared_world.http.request(method, path, bearer=shared_world.host.secret)
        assert (reply.status, reply.code) == (405, "METHOD_NOT_ALLOWED")
        assert reply.header("allow") == allow
        assert all(name in reply.json["message"] for name in allow.replace(", OPTIONS", "").split(", "))


LOST = ["/", "/v1", "/v1/", "/v1/sessions/", "/v1/sessions/a/b", "/V1/sessions", "/v1//sessions", "/v2/sessions", "/sessions/", "/.env", "//", "/%2e%2e", "/v1/session-tokens/", "/favicon.ico", "/v1/sessions\x00"]  # fmt: skip


@pytest.mark.parametrize("path", LOST)
async def test_an_address_that_is_none_says_where_they_are_listed(shared_world, path):
    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        reply = await shared_world.http.request(method, path)
        assert (reply.status, reply.code) == (404, "NOT_FOUND")
        assert "/docs" in reply.json["message"]


async def test_a_head_is_answered_as_its_get_would_be(world):
    ada = await world.mint("ada")
    for path, secret in (("/v1/sessions", world.host.secret), ("/v1/session", ada.token), ("/openapi.json", None)):
        head, get = [await world.http.request(method, path, bearer=secret) for method in ("HEAD", "GET")]
        assert head.status == get.status == 200
        assert head.header("content-type") == get.header("content-type")


async def test_neither_get_nor_head_makes_or_ends_a_session(world):
    """On every route of the table, with a key and with a token."""
    ada = await world.mint("ada")
    customer = (await world.host.session(ada))["customerId"]
    for path in {route.path for route in world.app.routes.routes}:
        for method in ("GET", "HEAD"):
            at = path.replace("/customers/{id}", f"/customers/{customer}").replace("{id}", ada.id)
            for secret in (world.host.secret, ada.token):
                await world.http.request(method, at, json={"externalUserId": "ada", "all": True}, bearer=secret)
    assert [session["id"] for session in await world.host.sessions()] == [ada.id]
    assert await ada.lives()


async def test_without_a_request_id_one_is_made(world):
    ids = {(await world.http.get("/healthz")).header("x-request-id") for _ in range(10)}
    assert len(ids) == 10
    assert all(re.fullmatch("req_[0-9a-z]{26}", each) for each in ids)


@pytest.mark.parametrize("sent", ["a", "f" * 128, "4bf92f35-77b3", "trace:1.2_3", "req_01q3dcbd00fkhb236cvbnzk61r"])
async def test_a_well_formed_request_id_is_kept(shared_world, sent):
    reply = await shared_world.http.get("/v1/sessions", headers={"x-request-id": sent})
    assert reply.header("x-request-id") == reply.json["requestId"] == sent


@pytest.mark.parametrize(
    "sent",
    ["", " ", "a b", "f" * 129, "a\r\nset-cookie: a=b", "a\nb", "é", "<script>", "sk_test_" + "a" * 49, "gp_session_test_" + "a" * 75, "gp_refresh_live_" + "a" * 75, "eyJhbGciOiJFUzI1NiJ9.eyJ9.aaaa"],
)  # fmt: skip
async def test_any_other_request_id_is_replaced(shared_world, sent):
    """Above all one that would write a second log line, or that is a credential."""
    reply = await shared_world.http.get("/v1/sessions", headers={"x-request-id": sent})
    assert reply.header("x-request-id").startswith("req_")
    assert not sent.strip() or sent not in str(reply.headers) + reply.body.decode()


LEAKS = {
    "an API key": lambda w, _: w.host.secret,
    "a session token": lambda _, ada: ada.token,
    "a bare JWT": lambda _, ada: ada.token.removeprefix("gp_session_test_"),
    "a percent-encoded key": lambda w, _: w.host.secret.replace("_", "%5F"),
    "a refresh token": lambda *_: "gp_refresh_test_" + "a" * 80,
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
async def test_a_credential_in_a_url_is_refused_and_not_repeated(world, leak):
    """Whatever the parameter is called, with good credentials beside it or none; on browser routes too."""
    ada = await world.mint("ada")
    secret = leak(world, ada)
    for path in ("/v1/sessions", "/v1/session", "/healthz"):
        for query in (f"token={secret}", f"{secret}=1", f"externalUserId={secret}"):
            for bearer in (world.host.secret, ada.token, None):
                reply = await world.http.get(path, query=query, bearer=bearer)
                assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
                assert "revoke it" in reply.json["message"]
                assert secret not in reply.body.decode()
    assert secret not in str(world.log_lines)


async def test_a_credential_in_a_path_is_not_repeated(world):
    ada = await world.mint("ada")
    for secret in (world.host.secret, ada.token):
        for path in (f"/v1/sessions/{secret}", f"/{secret}", f"/v1/customers/{secret}/block"):
            reply = await world.host.get(path)
            assert reply.status in (404, 405)
            assert secret not in reply.body.decode()
        assert secret not in str(world.log_lines)


async def test_every_code_has_its_anchor_on_the_page_of_errors(world):
    """Where ``docUrl`` points, something is said."""
    page = (await world.http.get("/docs/errors")).body.decode()
    for code, kind in ERRORS.items():
        assert page.count(f"id='{code}'") == 1
        assert kind.meaning.split(";")[0].split("'")[0] in page


@pytest.mark.parametrize("path", ["/docs", "/docs/errors"])
async def test_the_pages_for_people_run_no_script(world, path):
    reply = await world.http.get(path)
    assert reply.status == 200
    assert reply.header("content-type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.header("content-security-policy")
    assert b"<script" not in reply.body


async def test_health_and_readiness(world):
    assert (await world.http.get("/healthz")).json == {"status": "ok"}
    assert (await world.http.get("/readyz")).json["status"] == "ready"
    with world.store.away():
        assert (await world.http.get("/healthz")).status == 200
        assert (await world.http.get("/readyz")).code == "UNAVAILABLE"


async def test_readiness_names_the_migration_that_is_missing(world):
    await world.store.at_once(lambda tx: tx.execute("UPDATE alembic_version SET version_num = '0000'"))
    reply = await world.http.get("/readyz")
    assert reply.code == "UNAVAILABLE"
    assert "0000" in reply.json["message"]


async def test_a_store_that_is_away_is_503_on_every_route_that_needs_it(world):
    """Never a 401 or 404: who asks again later gets the right answer."""
    ada, grace = await world.mint("ada"), await world.login("grace")
    await world.http.get("/openapi.json")
    world.clock.advance(seconds=2)
    refresh = {"refreshToken": grace.refresh_token}
    bodies = {
        "/v1/auth/refresh": refresh,
        "/v1/auth/logout": refresh,
        "/v1/session-tokens": {"externalUserId": "ada"},
        "/v1/sessions/revoke": {"all": True},
        "/v1/tokens/verify": {"token": ada.token},
        "/v1/users/revoke": {"externalUserId": "ada"},
    }
    forms = {"/oauth/token": f"grant_type=refresh_token&refresh_token={grace.refresh_token}"}
    with world.store.away():
        for route in world.app.routes.routes:
            if route.caller == "anyone":
                continue
            secret = world.host.secret if route.caller == "api_key" else ada.token
            path = route.path.format(id=ada.id, environment="test", project="default", operation="-")
            method = "GET" if route.method == ANY_METHOD else route.method
            if route.form is not None:
                form, headers = forms.get(path, f"token={ada.token}").encode(), [("content-type", FORM_TYPE)]
                reply = await world.http.request(method, path, body=form, bearer=world.host.secret, headers=headers)
            else:
                reply = await world.http.request(method, path, json=bodies.get(path), bearer=secret)
            assert reply.code == "UNAVAILABLE", route.path
    assert await ada.lives()


async def test_a_fault_of_ours_tells_its_request_id_and_nothing_else(world):
    """No type, no trace, no SQL; the log has it under the same id."""

    async def broken(_):
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    route = world.app.routes.of_path("/healthz")["GET"]
    world.app.routes.of_path("/healthz")["GET"] = type(route)(
        **{name: getattr(route, name) for name in route.__slots__} | {"handler": broken}
    )
    reply = await world.http.get("/healthz")
    assert (reply.status, reply.code) == (500, "INTERNAL_ERROR")
    assert b"SELECT" not in reply.body
    assert b"RuntimeError" not in reply.body
    [line] = [line for line in world.log_lines if line.get("code") == "INTERNAL_ERROR"]
    assert line["request_id"] == reply.json["requestId"]
    assert "SELECT secret" in line["internal"]


async def test_one_line_is_logged_for_a_refusal_and_it_names_the_route_not_what_was_sent(world):
    await world.host.get("/v1/sessions/..%2f..%0d%0aforged", headers={"x-request-id": "mine"})
    assert world.log_lines == [
        {
            "event": "refused",
            "log_level": "info",
            "code": "NOT_FOUND",
            "status": 404,
            "method": "GET",
            "path": "/v1/sessions/{id}",
            "api_key_id": world.host.id,
            "request_id": "mine",
        }
    ]


async def test_a_websocket_is_closed(world):
    sent = []

    async def send(message):
        sent.append(message)

    await world.app({"type": "websocket"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
