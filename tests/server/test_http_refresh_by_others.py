"""Refreshes that are not a browser's: a host's backend by the session's id, and a stock OAuth client by its standard."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from test_http_refresh import DAY, GRACE, PAIR, claims_of, rows
from test_http_standard import FORM, basic

from engines import EVERY_ENGINE
from world import World

ENGINES = EVERY_ENGINE


async def lend(host, session_id):
    return await host.post("/v1/auth/refresh", {"sessionId": session_id})


async def grant(world, *, headers=(), **fields):
    body = urlencode({"grant_type": "refresh_token", **fields}).encode()
    return await world.http.post("/oauth/token", body=body, headers=[*headers, ("content-type", FORM)])


async def revoke(world, *, headers=(), **fields):
    body = urlencode(fields).encode()
    return await world.http.post("/oauth/revoke", body=body, headers=[*headers, ("content-type", FORM)])


class TestABackendThatKnowsTheSession:
    async def test_gets_an_access_token_and_moves_nothing(self, world):
        """Server rendering never rotates."""
        ada = await world.login("ada")
        world.clock.advance(seconds=DAY)
        before = await rows(world, "renewals")
        reply = await lend(world.host, ada.id)
        assert reply.status == 200
        assert reply.json.keys() == PAIR - {"refreshToken", "refreshTokenExpiresAt"}
        assert (await world.http.get("/v1/session", bearer=reply.json["accessToken"])).json["id"] == ada.id
        assert await rows(world, "renewals") == before
        assert reply.header("access-control-allow-origin") is None

    async def test_grants_no_more_than_both_keys_may(self, world):
        opener, asker = await world.key(ceiling="read write"), await world.key(ceiling="write delete")
        ada = await opener.login("ada")
        assert claims_of((await lend(asker, ada.id)).json["accessToken"])["scope"] == "write"
        nothing_in_common = await world.key(ceiling="delete")
        assert (await lend(nothing_in_common, ada.id)).code == "FORBIDDEN"

    async def test_learns_that_the_session_is_over(self, world):
        ended, idle, blocked = await world.login("ada"), await world.login("ida"), await world.login("eve")
        await ended.logout()
        await world.host.revoke_user("eve", block=True)
        assert (await lend(world.host, ended.id)).code == "REFRESH_TOKEN_REVOKED"
        assert (await lend(world.host, blocked.id)).code == "CUSTOMER_BLOCKED"
        world.clock.advance(seconds=6 * DAY)
        assert (await lend(world.host, idle.id)).status == 200
        world.clock.advance(seconds=DAY)
        assert (await lend(world.host, idle.id)).code == "REFRESH_TOKEN_EXPIRED", "it does not keep a session alive"

    async def test_finds_no_session_that_is_fixed_or_another_projects(self, world):
        ada, fixed, his = await world.login("ada"), await world.mint("ada"), await world.neighbour.login("ada")
        for session_id in (fixed.id, his.id, ada.id[:-1], "sess_", "x"):
            assert (await lend(world.host, session_id)).code == "NOT_FOUND"

    async def test_needs_a_key_that_can_mint(self, world):
        ada = await world.login("ada")
        assert (await lend(await world.key(can=["read", "revoke"]), ada.id)).code == "FORBIDDEN"
        assert (await world.http.post("/v1/auth/refresh", {"sessionId": ada.id})).code == "UNAUTHORIZED"
        assert (await world.http.post("/v1/auth/refresh", {"sessionId": ada.id}, bearer=ada.token)).status == 401
        for body in ({}, {"refreshToken": ada.refresh_token, "sessionId": ada.id}):
            assert (await world.host.post("/v1/auth/refresh", body)).status in (400, 401)
        assert (await world.http.post("/v1/auth/refresh", {})).code == "VALIDATION_ERROR"


async def test_what_a_backend_is_given_counts_as_a_mint_of_its_key_and_a_browsers_refresh_does_not():
    async with World.opened(mints_per_minute=3) as world:
        ada = await world.login("ada")
        assert [(await lend(world.host, ada.id)).status for _ in range(3)] == [200, 200, 429]
        await ada.refresh()
        assert (await world.host.post("/v1/auth/logout", {"everywhere": True, "externalUserId": "ada"})).status == 200


class TestAnOAuthClient:
    async def test_refreshes_with_the_token_alone(self, world):
        """RFC 6749 section 5.1."""
        ada = await world.login("ada", allowedOperations=["read", "write"])
        reply = await grant(world, refresh_token=ada.refresh_token)
        assert reply.status == 200
        assert (reply.json["token_type"], reply.json["expires_in"], reply.json["scope"]) == (
            "Bearer",
            900,
            "read write",
        )
        assert (reply.header("cache-control"), reply.header("pragma")) == ("no-store", "no-cache")
        assert (await world.http.get("/v1/session", bearer=reply.json["access_token"])).status == 200
        again = await grant(world, refresh_token=ada.refresh_token)
        assert again.json["refresh_token"] == reply.json["refresh_token"], "as at every door"

    async def test_may_ask_for_less(self, world):
        ada = await world.login("ada", allowedOperations=["read", "write"])
        reply = await grant(world, refresh_token=ada.refresh_token, scope="write delete")
        assert reply.json["scope"] == claims_of(reply.json["access_token"])["scope"] == "write"

    @pytest.mark.parametrize("form", ["basic", "in the form"])
    async def test_may_say_who_it_is_and_must_be_right(self, world, form):
        ada = await world.login("ada")

        def how(host, secret):
            if form == "basic":
                return {"headers": [basic(host.id, secret)]}
            return {"client_id": host.id, "client_secret": secret}

        for host, secret in ((world.host, world.live.secret), (world.neighbour, world.neighbour.secret), (world.live, world.live.secret)):  # fmt: skip
            reply = await grant(world, refresh_token=ada.refresh_token, **how(host, secret))
            assert (reply.status, reply.json["error"]) == (401, "invalid_client")
        reply = await grant(world, refresh_token=ada.refresh_token, **how(world.host, world.host.secret))
        assert reply.status == 200

    async def test_is_refused_in_the_words_of_its_standard(self, world):
        """RFC 6749 section 5.2."""
        ada, old = await world.login("ada"), None
        old = ada.copy()
        await ada.refresh()
        world.clock.advance(seconds=GRACE)
        refused = {
            "unsupported_grant_type": {"grant_type": "password", "refresh_token": ada.refresh_token},
            "invalid_request": {"refresh_token": ""},
            "invalid_grant": {"refresh_token": old.refresh_token},
        }
        for error, fields in refused.items():
            reply = await grant(world, **fields)
            assert (reply.status, reply.json["error"]) == (400, error)
            assert reply.json["error_description"]
        assert reply.code == "REFRESH_TOKEN_REUSED"
        for token in (ada.refresh_token, "x", ada.token):
            reply = await grant(world, refresh_token=token)
            assert (reply.status, reply.json["error"]) == (400, "invalid_grant")
        bob = await world.login("bob")
        await world.host.revoke_user("bob", block=True)
        reply = await grant(world, refresh_token=bob.refresh_token)
        assert (reply.code, reply.json["error"]) == ("CUSTOMER_BLOCKED", "invalid_grant")

    async def test_revokes_a_refresh_token_and_an_access_token(self, world):
        """RFC 7009 section 2.1: with either, the session ends, and so does the other."""
        for kind in ("refresh_token", "token"):
            ada = await world.login("ada")
            reply = await revoke(world, token=getattr(ada, kind), token_type_hint="access_token")
            assert (reply.status, reply.json) == (200, {})
            assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
            assert not await ada.lives()
            assert (await revoke(world, token=getattr(ada, kind))).status == 200, "again"

    async def test_revokes_nothing_of_another_project(self, world):
        ada = await world.login("ada")
        for token in (ada.refresh_token, ada.token):
            reply = await revoke(world, token=token, headers=[basic(world.neighbour.id, world.neighbour.secret)])
            assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
        cannot = await world.key(can=["mint"])
        assert (await revoke(world, token=ada.refresh_token, headers=[basic(cannot.id, cannot.secret)])).status == 403
        assert await ada.lives()
        assert (await revoke(world, token=ada.refresh_token + "x")).status == 200
        assert await ada.lives()

    async def test_finds_the_address_in_discovery(self, world):
        found = (await world.http.get("/test/.well-known/oauth-authorization-server")).json
        assert found["grant_types_supported"] == ["refresh_token"]
        assert found["token_endpoint"] == f"{world.service.base_url}/oauth/token"
        assert "none" in found["token_endpoint_auth_methods_supported"]
