"""Who may call: every spelling of an API key, every wrong one with a sentence, and ``can`` on every route."""

from __future__ import annotations

from base64 import b64encode

import pytest

from guestpass.core.callers import api_key
from guestpass.core.callers.api_key import ALL_CAN


def basic(text):
    return "Basic " + b64encode(text.encode()).decode()


SPELLINGS = {
    "Bearer": lambda host: f"Bearer {host.secret}",
    "bearer in lower case": lambda host: f"bearer {host.secret}",
    "Bearer with two spaces": lambda host: f"Bearer  {host.secret}",
    "Basic with id and secret": lambda host: basic(f"{host.id}:{host.secret}"),
    "Basic as Stripe's users write it": lambda host: basic(f"{host.secret}:"),
    "basic in capitals": lambda host: basic(f"{host.secret}:").replace("Basic", "BASIC"),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
async def test_a_key_is_known_in_each_spelling(world, spell):
    reply = await world.http.get("/v1/sessions", headers=[("authorization", spell(world.host))])
    assert reply.status == 200, reply.body


WRONG = {
    "no key": (lambda _: [], "No API key was sent"),
    "a key with a wrong character": (lambda h: [h.secret[:20] + "!" + h.secret[21:]], "mistyped"),
    "two characters exchanged": (lambda h: [h.secret[:8] + h.secret[9] + h.secret[8] + h.secret[10:]], "mistyped"),
    "a key that was cut": (lambda h: [h.secret[:-1]], "cut or mistyped"),
    "a key with something behind": (lambda h: [h.secret + "a"], "mistyped"),
    "a key in capitals": (lambda h: [h.secret.upper()], "begins with sk_test_"),
    "a key of another environment's prefix": (lambda h: [h.secret.replace("test", "live")], "mistyped"),
    "a key of another server": (lambda _: [api_key.make("test", b"\x07" * 32)], "unknown here, has ended, or was revoked"),
    "a key id alone": (lambda h: [h.id], "begins with sk_test_"),
    "the empty key": (lambda _: [""], "begins with sk_test_"),
    "a client key": (lambda _: ["ck_test_abc"], "public client key"),
    "a word": (lambda _: ["hello"], "begins with sk_test_"),
    "bytes beyond ASCII": (lambda _: [b"Bearer \xff\xfe"], "begins with sk_test_"),
    "Basic with another key's id": (lambda h: [basic(f"key_01q3dcbd00fkhb236cvbnzk61r:{h.secret}")], "do not belong together"),
    "Basic with no id": (lambda h: [basic(f":{h.secret}")], "do not belong together"),
    "Basic without a colon": (lambda h: [basic(h.secret)], "colon"),
    "Basic that is not base64": (lambda _: ["Basic sk_test_abc"], "base64"),
    "Basic of bytes": (lambda _: ["Basic //79"], "base64 of ASCII"),
    "an empty Basic": (lambda _: ["Basic "], "colon"),
    "another scheme": (lambda h: ["Digest " + h.secret], "Authorization: Bearer sk_"),
    "no scheme": (lambda h: ["" + h.secret + ","], "Authorization: Bearer sk_"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "words"), WRONG.values(), ids=WRONG)
async def test_a_wrong_key_is_refused_with_a_sentence_that_helps(world, make, words):
    """And with a challenge that names no token, for none was sent."""
    headers = []
    for value in make(world.host):
        whole = isinstance(value, bytes) or " " in value or value.endswith(",")
        headers.append(("authorization", value if whole else f"Bearer {value}"))
    reply = await world.http.post("/v1/session-tokens", {"externalUserId": "ada"}, headers=headers)
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert words in reply.json["message"]
    assert reply.header("www-authenticate") == "Bearer"
    assert world.host.secret.encode() not in reply.body


async def test_a_mistyped_key_costs_no_look_up(world):
    """The checksum catches it; a guesser learns nothing from the time the store takes."""
    with world.store.watched() as look_ups:
        await world.http.get("/v1/sessions", bearer=world.host.secret[:-1] + "!")
    assert look_ups == []


async def test_a_session_token_is_no_api_key(world):
    for form in ("jwt", "opaque"):
        ada = await world.mint("ada", format=form)
        for token in (ada.token, ada.token.removeprefix("gp_session_test_")):
            reply = await world.http.get("/v1/sessions", bearer=token)
            assert reply.code == "UNAUTHORIZED"
            if form == "jwt" or token == ada.token:
                assert "session token" in reply.json["message"]


async def test_an_api_key_is_no_session_token(world):
    reply = await world.http.get("/v1/session", bearer=world.host.secret)
    assert reply.code == "TOKEN_MALFORMED"
    assert "must never leave your backend" in reply.json["message"]


async def test_unknown_and_revoked_look_alike(world):
    """Who holds an old secret learns nothing from it."""
    host = await world.key()
    assert (await host.get("/v1/sessions")).status == 200
    await world.revoke_key(host)
    replies = [await world.http.get("/v1/sessions", bearer=key) for key in (host.secret, api_key.make("test", b"\x07" * 32))]  # fmt: skip
    assert [reply.code for reply in replies] == ["UNAUTHORIZED"] * 2
    assert replies[0].json["message"] == replies[1].json["message"]


TWO = {
    "two of the same": lambda host: [("authorization", f"Bearer {host.secret}")] * 2,
    "Bearer and Basic": lambda host: [("authorization", f"Bearer {host.secret}"), ("authorization", basic(f"{host.secret}:"))],
    "a good one and nonsense": lambda host: [("authorization", f"Bearer {host.secret}"), ("authorization", "x")],
    "a key and a signature": lambda host: [("authorization", f"Bearer {host.secret}"), ("x-api-signature", "0" * 64)],
    "a key and a key id": lambda host: [("x-api-key", host.id), ("authorization", f"Bearer {host.secret}")],
}  # fmt: skip


@pytest.mark.parametrize("headers", TWO.values(), ids=TWO)
async def test_more_than_one_credential_is_refused_whatever_they_are(world, headers):
    reply = await world.http.get("/v1/sessions", headers=headers(world.host))
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")


async def test_the_key_comes_before_the_body(world):
    """Who may not call learns nothing of what the body should have been."""
    reply = await world.http.post("/v1/session-tokens", {"nonsense": 1})
    assert reply.code == "UNAUTHORIZED"


def sample(path):
    word = {"customers": "cust", "api-keys": "key", "webhook-endpoints": "we"}.get(
        path.split("/")[2] if path.count("/") > 1 else "", "sess"
    )
    return path.replace("{id}", f"{word}_01q3dcbd00fkhb236cvbnzk61r")


NEEDS = {
    ("POST", "/v1/session-tokens"): "mint",
    ("POST", "/sessions"): "mint",
    ("DELETE", "/v1/session-tokens/{id}"): "revoke",
    ("GET", "/v1/sessions"): "read",
    ("GET", "/v1/sessions/{id}"): "read",
    ("POST", "/v1/sessions/revoke"): "revoke",
    ("POST", "/v1/tokens/verify"): "verify",
    ("POST", "/v1/customers/{id}/block"): "manage",
    ("POST", "/v1/customers/{id}/unblock"): "manage",
    ("POST", "/v1/users/revoke"): "revoke",
    ("GET", "/v1/api-keys"): "manage",
    ("POST", "/v1/api-keys"): "manage",
    ("GET", "/v1/api-keys/{id}"): "manage",
    ("POST", "/v1/api-keys/{id}"): "manage",
    ("POST", "/v1/api-keys/{id}/rotate"): "manage",
    ("POST", "/v1/api-keys/{id}/revoke"): "manage",
    ("POST", "/v1/auth/login"): "mint",
    ("GET", "/v1/auth/anomalies"): "read",
    ("GET", "/v1/audit-events"): "read",
    ("GET", "/v1/webhook-endpoints"): "read",
    ("POST", "/v1/webhook-endpoints"): "manage",
    ("GET", "/v1/webhook-endpoints/{id}"): "read",
    ("POST", "/v1/webhook-endpoints/{id}"): "manage",
    ("DELETE", "/v1/webhook-endpoints/{id}"): "manage",
    ("POST", "/v1/webhook-endpoints/{id}/rotate"): "manage",
    ("GET", "/v1/webhook-endpoints/{id}/deliveries"): "read",
    ("POST", "/v1/webhook-endpoints/{id}/resend"): "manage",
}
BODIES = {
    "/v1/session-tokens": {"externalUserId": "ada"},
    "/sessions": {"user": {"id": "ada"}},
    "/v1/sessions/revoke": {"externalUserId": "ada"},
    "/v1/tokens/verify": {"token": "x"},
    "/v1/users/revoke": {"externalUserId": "ada"},
    "/v1/api-keys": {"name": "backend"},
    "/v1/api-keys/{id}": {"name": "renamed"},
    "/v1/auth/login": {"externalUserId": "ada"},
    "/v1/webhook-endpoints": {"url": "https://hooks.example.com/guestpass"},
    "/v1/webhook-endpoints/{id}": {"enabled": True},
    "/v1/webhook-endpoints/{id}/resend": {"eventId": "evt_01q3dcbd00fkhb236cvbnzk61r"},
}


async def test_the_table_below_names_every_route_of_an_api_key(world):
    served = {(route.method, route.path) for route in world.app.routes.routes if route.caller == "api_key"}
    assert served == set(NEEDS)


@pytest.mark.parametrize(("route", "can"), NEEDS.items(), ids=[" ".join(route) for route in NEEDS])
async def test_a_key_may_do_what_it_was_made_for_and_nothing_else(shared_world, route, can):
    """Each route with only what it needs, then with all but that, then with nothing."""
    world, (method, path) = shared_world, route
    without = await world.key(can=[each for each in ALL_CAN if each != can])
    for host, may in ((await world.key(can=[can]), True), (without, False), (await world.key(can=[]), False)):
        reply = await world.http.request(
            method, sample(path), json=None if method == "GET" else BODIES.get(path), bearer=host.secret
        )
        assert (reply.status == 403) is not may, (path, reply.body)
        if not may:
            assert reply.code == "FORBIDDEN"
            assert f'lacks "{can}"' in reply.json["message"]
            shown = "nothing" if host is not without else ", ".join(sorted(set(ALL_CAN) - {can}))
            assert shown in reply.json["message"], "what the key can do, it says"


async def test_blocking_in_the_stolen_laptop_call_needs_manage(world):
    revoker, manager = await world.key(can=["revoke"]), await world.key(can=["manage"])
    with world.refused("FORBIDDEN"):
        await revoker.revoke_user("ada", block=True)
    assert (await world.mint("ada")).id, "nothing was blocked"
    with world.refused("FORBIDDEN"):
        await manager.revoke_user("ada")
    assert (await manager.revoke_user("ada", block=True))["blocked"] is True


async def test_a_forbidden_mint_creates_nothing(world):
    host = await world.key(can=["read"])
    with world.refused("FORBIDDEN"):
        await host.mint("ada")
    assert await host.sessions() == []
