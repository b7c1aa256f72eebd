"""``GET`` and ``DELETE /v1/session``: what a browser asks with its token, from any origin, without cookies."""

from __future__ import annotations

from base64 import b64encode

import pytest
from test_http_sessions import SESSION_FIELDS

from guestpass.core.tokens.kinds import ENVIRONMENTS

EXPOSED = "Guestpass-Retry, Retry-After, WWW-Authenticate, X-Request-Id"


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_a_browser_learns_who_it_is_and_not_the_hosts_notes(world, form):
    ada = await world.mint("ada", format=form, metadata={"ip": "192.0.2.1"})
    reply = await world.http.get("/v1/session", bearer=ada.token)
    assert reply.json.keys() == SESSION_FIELDS - {"metadata"}
    assert (reply.json["id"], reply.json["externalUserId"], reply.json["status"]) == (ada.id, "ada", "active")
    assert b"192.0.2.1" not in reply.body
    assert reply.header("cache-control") == "no-store"


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_a_browser_ends_its_own_session_and_no_other(world, form):
    ada, phone = await world.mint("ada", format=form), await world.mint("ada", format=form)
    world.clock.advance(milliseconds=40)
    assert await ada.end() == {"id": ada.id, "revokedAt": "2030-01-01T00:00:00.040Z"}
    with world.refused("TOKEN_REVOKED") as refusal:
        await ada.end()
    assert refusal[0].header("guestpass-retry") is None
    assert await phone.lives()
    assert (await world.host.session(ada))["revokedBy"] == "session"


async def test_each_environments_and_projects_token_is_known_here(world):
    """One address for all: the token says whose it is, and only its own keys prove it."""
    for host in (world.host, world.live, world.neighbour):
        grace = await host.mint("grace")
        shown = await grace.who_am_i()
        assert (shown["id"], shown["environment"]) == (grace.id, host.issuer.environment)
        await grace.end()
        with world.refused("NOT_FOUND"):
            await (world.neighbour if host is world.host else world.host).session(grace)


REFUSED = {
    "no token": ([], "TOKEN_MISSING", "Bearer"),
    "an empty token": ([("authorization", "Bearer ")], "TOKEN_MISSING", "Bearer"),
    "a bare scheme": ([("authorization", "Bearer")], "TOKEN_MISSING", "Bearer"),
    "another scheme": ([("authorization", "Token abc")], "TOKEN_MALFORMED", None),
    "a Basic credential": ([("authorization", "Basic YWRhOmFkYQ==")], "TOKEN_MALFORMED", None),
    "two headers": ([("authorization", "Bearer a"), ("authorization", "Bearer b")], "TOKEN_MALFORMED", None),
    "no shape at all": ([("authorization", "Bearer hello")], "TOKEN_MALFORMED", None),
    "three empty parts": ([("authorization", "Bearer ..")], "TOKEN_MALFORMED", None),
    "bytes beyond ASCII": ([("authorization", b"Bearer \xff\xfe")], "TOKEN_MALFORMED", None),
    "an API key": ([("authorization", "Bearer sk_test_" + "a" * 49)], "TOKEN_MALFORMED", None),
    "too long": ([("authorization", "Bearer " + "e" * 4000)], "TOKEN_MALFORMED", None),
}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(("headers", "code", "challenge"), REFUSED.values(), ids=REFUSED)
async def test_refused_with_a_challenge(world, method, headers, code, challenge):
    """RFC 6750 section 3.1: ``invalid_token`` only to one who sent a token."""
    reply = await world.http.request(method, "/v1/session", headers=headers)
    assert (reply.status, reply.code) == (401, code)
    expected = challenge or f'Bearer error="invalid_token", error_description="{code}"'
    assert reply.header("www-authenticate") == expected


async def test_pages_of_every_origin_may_read_the_answer_and_its_headers(world):
    ada = await world.mint("ada")
    for reply in (
        await world.http.get("/v1/session", bearer=ada.token, headers={"origin": "https://shop.example"}),
        await world.http.get("/v1/session"),
        await world.http.get("/v1/session", query="unknown=1"),
        await world.http.delete("/v1/session", bearer=ada.token),
    ):
        assert reply.header("access-control-allow-origin") == "*"
        assert reply.header("access-control-expose-headers") == EXPOSED
        assert reply.header("access-control-allow-credentials") is None
        assert reply.header("set-cookie") is None


async def test_a_page_reads_also_that_the_store_is_away(world):
    ada = await world.mint("ada")
    with world.store.away():
        reply = await world.http.get("/v1/session", bearer=ada.token)
    assert (reply.code, reply.header("access-control-allow-origin")) == ("UNAVAILABLE", "*")


async def test_the_preflight_names_what_a_page_may_send(world):
    reply = await world.http.request(
        "OPTIONS",
        "/v1/session",
        headers={"origin": "https://shop.example", "access-control-request-method": "DELETE"},
    )
    assert (reply.status, reply.body) == (204, b"")
    assert reply.header("access-control-allow-origin") == "*"
    assert reply.header("access-control-allow-methods") == "GET, POST, DELETE"
    assert reply.header("access-control-allow-headers") == "Authorization, Content-Type, X-Request-Id"
    assert reply.header("access-control-expose-headers") == EXPOSED
    assert reply.header("access-control-allow-credentials") is None


@pytest.mark.parametrize("path", ["/v1/session", "/test/.well-known/jwks.json"])
async def test_an_answer_to_an_api_key_is_never_readable_by_a_page(world, path):
    """A secret key in a browser is a leak; a page must not be able to work with it, in whatever form it is shown."""
    secret = world.host.secret
    for name, value in (
        ("authorization", f"Bearer {secret}"),
        ("authorization", "Basic " + b64encode(f"{secret}:".encode()).decode()),
        ("authorization", "basic " + b64encode(f"{world.host.id}:{secret}".encode()).decode()),
        ("x-api-key", world.host.id),
    ):
        reply = await world.http.get(path, headers=[(name, value)])
        assert reply.header("access-control-allow-origin") is None, name
        assert secret.encode() not in reply.body


async def test_a_backends_routes_are_for_no_page(world):
    """Neither a preflight nor an answer lets another origin in."""
    for method, path in (("POST", "/v1/session-tokens"), ("GET", "/v1/sessions"), ("POST", "/v1/tokens/verify")):
        preflight = await world.http.request("OPTIONS", path, headers={"access-control-request-method": method})
        assert preflight.status == 405
        assert "backends" in preflight.json["message"]
        reply = await world.http.request(
            method, path, bearer=world.host.secret, headers={"origin": "https://a.example"}
        )
        for answer in (preflight, reply):
            assert not [name for name, _ in answer.headers if name.startswith("access-control")]


RETRY = {"TOKEN_EXPIRED": "token", "TOKEN_REVOKED": None, "TOKEN_MALFORMED": None, "TOKEN_MISSING": None}


async def test_guestpass_retry_says_when_fetching_anew_helps(world):
    expired, revoked = await world.mint("ada", expiresIn=60), await world.mint("ada")
    await world.host.end(revoked)
    world.clock.advance(seconds=60)
    replies = [await world.http.get("/v1/session", bearer=token) for token in (expired.token, revoked.token, "x", "")]
    assert {reply.code: reply.header("guestpass-retry") for reply in replies} == RETRY


async def test_an_unknown_key_of_our_own_issuer_asks_for_a_new_token(world):
    """After the theft of a signing key: the browser's old token is worthless, a new one is not."""
    ada = await world.mint("ada")
    await world.store.at_once(lambda tx: tx.execute("DELETE FROM signing_keys"))
    world.service.keyring._held.clear()
    for environment in ENVIRONMENTS:
        await world.service.keyring.make_missing(await world.service.issuers.at(environment))
    world.service.verifying._desks.clear()
    world.service.verifying._issuer_of_header.clear()
    reply = await world.http.get("/v1/session", bearer=ada.token)
    assert (reply.code, reply.header("guestpass-retry")) == ("TOKEN_KEY_UNKNOWN", "token")
