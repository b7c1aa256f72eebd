"""``/v1/auth``: a renewable session's tokens over its life: who may refresh, who gets the same again, who is signed out."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from engines import EVERY_ENGINE
from guestpass.core.jose import base64url

ENGINES = EVERY_ENGINE

GRACE = 30
DAY = 86_400
PAIR = {
    "sessionId", "accessToken", "accessTokenExpiresAt", "accessTokenExpiresIn", "refreshToken", "refreshTokenExpiresAt",
}  # fmt: skip


def claims_of(token):
    return json.loads(base64url.decode(token.split(".")[1]))


def header_of(token):
    return json.loads(base64url.decode(token.split(".")[0]))


async def rows(world, table):
    async def read(tx):
        return await tx.fetch(f"SELECT * FROM {table}")

    return await world.store.at_once(read)


class TestALogin:
    async def test_answers_a_pair_of_tokens(self, world):
        ada = await world.login("ada", allowedOperations=["read"], externalOrganizationId="acme")
        assert ada.answer.keys() == PAIR
        assert ada.refresh_token.startswith("gp_refresh_test_" + ada.id.removeprefix("sess_"))
        assert ada.answer["accessTokenExpiresIn"] == 900
        assert ada.answer["accessTokenExpiresAt"] == "2030-01-01T00:15:00Z"
        assert ada.answer["refreshTokenExpiresAt"] == "2030-01-08T00:00:00Z"
        claims = claims_of(ada.token)
        assert header_of(ada.token)["typ"] == "at+jwt"
        assert (claims["sid"], claims["sub"], claims["scope"]) == (ada.id, "ada", "read")
        assert claims["jti"] != claims["sid"]
        assert (await ada.who_am_i())["id"] == ada.id

    async def test_is_seen_among_the_sessions(self, world):
        ada = await world.login("ada", metadata={"plan": "gold"})
        await world.mint("ada")
        renewable, fixed = sorted(await world.host.sessions(), key=lambda shown: not shown["renewable"])
        assert (renewable["id"], renewable["renewable"], fixed["renewable"]) == (ada.id, True, False)
        assert (renewable["lastRefreshedAt"], renewable["expiresAt"]) == (None, "2030-01-08T00:00:00Z")
        assert (renewable["status"], renewable["metadata"]) == ("active", {"plan": "gold"})

    async def test_takes_no_field_that_only_a_fixed_session_has(self, world):
        for field in ("expiresIn", "format", "maxUses"):
            with world.refused("VALIDATION_ERROR"):
                await world.login("ada", **{field: 60})

    async def test_of_a_blocked_customer_is_refused(self, world):
        await world.host.revoke_user("ada", block=True)
        with world.refused("CUSTOMER_BLOCKED"):
            await world.login("ada")

    async def test_needs_a_key_that_can_mint(self, world):
        reader = await world.key(can=["read"])
        with world.refused("FORBIDDEN"):
            await reader.login("ada")

    async def test_sent_again_with_its_key_is_answered_with_the_same_refresh_token(self, world):
        how = {"headers": {"idempotency-key": "login-1"}}
        first = await world.host.post("/v1/auth/login", {"externalUserId": "ada"}, **how)
        again = await world.host.post("/v1/auth/login", {"externalUserId": "ada"}, **how)
        assert again.header("idempotency-replayed") == "true"
        assert again.json["refreshToken"] == first.json["refreshToken"]
        assert (again.status, again.json["sessionId"]) == (201, first.json["sessionId"])
        await world.http.post("/v1/auth/refresh", {"refreshToken": first.json["refreshToken"]})
        refreshed = await world.host.post("/v1/auth/login", {"externalUserId": "ada"}, **how)
        assert refreshed.code == "CONFLICT"


class TestARefresh:
    async def test_gives_a_new_pair(self, world):
        ada = await world.login("ada")
        before = ada.copy()
        world.clock.advance(seconds=600)
        await ada.refresh()
        assert ada.answer.keys() == PAIR
        assert ada.refresh_token != before.refresh_token
        assert claims_of(ada.token)["jti"] != claims_of(before.token)["jti"]
        assert claims_of(ada.token)["status"] == claims_of(before.token)["status"], "one place in the status lists"
        assert ada.answer["refreshTokenExpiresAt"] == "2030-01-08T00:10:00Z"
        assert (await world.host.session(ada))["lastRefreshedAt"] == "2030-01-01T00:10:00.000Z"
        assert await ada.lives()
        assert await before.lives(), "its life is its own"

    async def test_works_for_as_long_as_there_is_one_within_the_idle_time(self, world):
        ada = await world.login("ada")
        for _ in range(4):
            world.clock.advance(seconds=7 * DAY - 1)
            await ada.refresh()
        world.clock.advance(seconds=7 * DAY)
        assert (await ada.try_refresh()).code == "REFRESH_TOKEN_EXPIRED"

    async def test_ends_when_the_session_does_in_all(self, world):
        ada = await world.login("ada")
        for _ in range(29):
            world.clock.advance(seconds=DAY)
            await ada.refresh()
        world.clock.advance(seconds=DAY - 300)
        await ada.refresh()
        assert ada.answer["refreshTokenExpiresAt"] == "2030-01-31T00:00:00Z"
        assert ada.answer["accessTokenExpiresIn"] == 300, "no access token outlives its session"
        world.clock.advance(seconds=300)
        assert (await ada.try_refresh()).code == "REFRESH_TOKEN_EXPIRED"
        assert not await ada.lives()

    async def test_leaves_one_row_however_often(self, world):
        ada = await world.login("ada")
        for _ in range(30):
            world.clock.advance(seconds=20)
            await ada.refresh()
            await world.service.renewing.erase_salts()
        assert len(await rows(world, "renewals")) == 1
        assert len(await rows(world, "refresh_salts")) <= 3
        (row,) = await rows(world, "renewals")
        assert len(row[-1]) < 300

    async def test_may_do_no_more_than_the_key_may_today(self, world):
        key = await world.key(ceiling="read write")
        ada = await key.login("ada")
        await world.host.post(f"/v1/api-keys/{key.id}", {"operations": ["read", "delete"]})
        await ada.refresh()
        assert claims_of(ada.token)["scope"] == "read"
        passed = await world.http.get("/v1/forward-auth/test/default/-", bearer=ada.token)
        assert passed.header("x-guestpass-operations") == "read", (
            "what the token may, not what the session was opened with"
        )

    async def test_goes_on_when_its_key_was_revoked_and_its_sessions_kept(self, world):
        key = await world.key()
        kept, ended = await key.login("ada"), await (other := await world.key()).login("ada")
        await world.revoke_key(key, keep_sessions=True)
        await world.revoke_key(other)
        await kept.refresh()
        assert (await ended.try_refresh()).code == "REFRESH_TOKEN_REVOKED"

    async def test_of_a_blocked_customer_is_refused(self, world):
        ada = await world.login("ada")
        await world.host.revoke_user("ada", block=True)
        assert ((await ada.try_refresh()).status, (await ada.try_refresh()).code) == (403, "CUSTOMER_BLOCKED")

    @pytest.mark.parametrize("by", ["id", "user", "all", "key"])
    async def test_after_any_revoke_is_refused(self, world, by):
        ada = await world.login("ada")
        what = {"id": {"id": ada.id}, "user": {"externalUserId": "ada"}, "all": {"all": True}, "key": {"apiKeyId": world.host.id}}  # fmt: skip
        assert (await world.host.revoke(**what[by]))["revoked"] == 1
        assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
        assert not await ada.lives()

    async def test_beside_a_revoke_never_undoes_it(self, world):
        """Whichever comes first: afterwards neither token is good."""
        for _ in range(10):
            ada = await world.login("ada")
            await asyncio.gather(ada.try_refresh(), world.host.revoke(externalUserId="ada"), ada.try_refresh())
            assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
            assert not await ada.lives()

    async def test_of_one_device_is_no_theft_of_another(self, world):
        phone, laptop = await world.login("ada"), await world.login("ada")
        for device in (phone, laptop, phone, laptop):
            world.clock.advance(seconds=60)
            await device.refresh()
        assert await phone.lives()
        assert await laptop.lives()


class TestTheSameTokenAgain:
    async def test_gets_the_same_successor_within_the_grace(self, world):
        ada = await world.login("ada")
        lost = await ada.try_refresh()
        world.clock.advance(seconds=GRACE, milliseconds=-1)
        again = await ada.try_refresh()
        assert again.json["refreshToken"] == lost.json["refreshToken"]
        assert again.json["refreshTokenExpiresAt"] == lost.json["refreshTokenExpiresAt"], "unchanged ends"
        assert claims_of(again.json["accessToken"])["jti"] != claims_of(lost.json["accessToken"])["jti"]
        await ada.refresh()
        await ada.refresh()
        assert await ada.lives()

    async def test_many_times_at_once_has_one_successor(self, world):
        ada = await world.login("ada")
        replies = await asyncio.gather(*(ada.try_refresh() for _ in range(60)))
        assert {reply.status for reply in replies} == {200}
        assert len({reply.json["refreshToken"] for reply in replies}) == 1
        (row,) = await rows(world, "renewals")
        assert row[2] == 2, "rotated once"

    async def test_later_is_reuse_and_ends_the_session(self, world):
        """Signs out thief and owner alike (RFC 9700 section 4.14.2)."""
        owner = await world.login("ada")
        thief = owner.copy()
        await owner.refresh()
        world.clock.advance(seconds=GRACE)
        with world.refused("REFRESH_TOKEN_REUSED"):
            await thief.refresh()
        with world.refused("REFRESH_TOKEN_REVOKED"):
            await owner.refresh()
        assert not await owner.lives()
        shown = await world.host.session(owner)
        assert (shown["status"], shown["revokedBy"]) == ("revoked", "refresh token reuse")

    async def test_once_its_successor_was_used_is_reuse_at_once(self, world):
        owner = await world.login("ada")
        thief = owner.copy()
        await owner.refresh()
        await owner.refresh()
        with world.refused("REFRESH_TOKEN_REUSED"):
            await thief.refresh()

    async def test_is_reuse_where_the_project_wants_no_grace(self, world):
        await world.set(refresh_grace=0)
        owner = await world.login("ada")
        thief = owner.copy()
        await owner.refresh()
        assert await rows(world, "refresh_salts") == [], "what is never derived again needs no salt kept"
        with world.refused("REFRESH_TOKEN_REUSED"):
            await thief.refresh()

    async def test_is_answered_at_another_server(self, world):
        ada = await world.login("ada")
        other = await world.beside()
        first = await ada.try_refresh()
        again = await other.http.post("/v1/auth/refresh", {"refreshToken": ada.refresh_token})
        assert again.json["refreshToken"] == first.json["refreshToken"]

    async def test_is_told_in_the_audit_log_when_it_is_reuse(self, world):
        owner = await world.login("ada")
        thief = owner.copy()
        await owner.refresh()
        world.clock.advance(seconds=GRACE)
        await thief.try_refresh()
        events = [row for row in await rows(world, "audit_events") if "session.reuse_detected" in row]
        assert len(events) == 1
        assert owner.refresh_token not in str(events)


class TestTheSalts:
    async def test_are_erased_with_the_grace(self, world):
        """From then on nothing derives a later token from an earlier one."""
        ada = await world.login("ada")
        await ada.refresh()
        assert len(await rows(world, "refresh_salts")) == 1
        world.clock.advance(seconds=GRACE + 10)
        await world.service.renewing.erase_salts()
        assert await rows(world, "refresh_salts") == []
        await ada.refresh()

    async def test_are_kept_while_a_grace_needs_them(self, world):
        ada = await world.login("ada")
        first = await ada.try_refresh()
        world.clock.advance(seconds=GRACE - 1)
        await world.service.renewing.erase_salts()
        assert (await ada.try_refresh()).json["refreshToken"] == first.json["refreshToken"]

    async def test_are_shared_by_the_refreshes_of_a_moment(self, world):
        logins = [await world.login(f"user {number}") for number in range(20)]
        await asyncio.gather(*(each.try_refresh() for each in logins))
        assert len(await rows(world, "refresh_salts")) == 1


class TestAForgedToken:
    async def test_changes_nothing_and_asks_the_store_nothing(self, world):
        ada = await world.login("ada")
        before = await rows(world, "renewals")
        text = ada.refresh_token
        forged = [
            *(text[:place] + ("b" if text[place] == "a" else "a") + text[place + 1 :] for place in range(16, len(text))),
            text[:-1], text + "a", text.upper(), text.replace("_test_", "_live_"), "", "gp_refresh_test_", "a" * 5000, "é" * 117,
        ]  # fmt: skip
        for each in forged:
            with world.store.watched() as look_ups:
                reply = await world.http.post("/v1/auth/refresh", {"refreshToken": each})
            assert (reply.status, reply.code) == (401, "REFRESH_TOKEN_INVALID")
            assert look_ups == []
            logout = await world.http.post("/v1/auth/logout", {"refreshToken": each, "everywhere": True})
            assert logout.code in ("REFRESH_TOKEN_INVALID", "RATE_LIMITED")
        assert await rows(world, "renewals") == before
        await ada.refresh()

    async def test_is_not_told_apart_by_a_token_of_another_kind(self, world):
        ada, fixed = await world.login("ada"), await world.mint("ada")
        for token in (ada.token, fixed.token, world.host.secret):
            reply = await world.http.post("/v1/auth/refresh", {"refreshToken": token})
            assert reply.code == "REFRESH_TOKEN_INVALID"
            assert token.encode() not in reply.body

    async def test_that_the_store_does_not_know_yet_ends_nothing(self, world):
        """A restored backup: what was given out after it is not known, and nobody stole it."""
        ada = await world.login("ada")
        early = ada.copy()

        async def put_back(tx):
            for row in kept:
                await tx.execute("DELETE FROM renewals")
                await tx.insert("renewals", ("issuer", "id", "generation", "token_hash", "rotated_at_ms", "salt", "idle_ends_at", "recent"), [row])  # fmt: skip

        kept = await rows(world, "renewals")
        await ada.refresh()
        await ada.refresh()
        await world.store.at_once(put_back)
        for _ in range(2):
            assert (await ada.try_refresh()).code == "REFRESH_TOKEN_INVALID"
            assert (await world.http.post("/v1/auth/logout", {"refreshToken": ada.refresh_token})).code == "REFRESH_TOKEN_INVALID"  # fmt: skip
        assert (await world.host.session(ada))["status"] == "active"
        await early.refresh()


class TestALogout:
    async def test_ends_the_session_of_a_refresh_token(self, world):
        ada, other = await world.login("ada"), await world.login("ada")
        assert await ada.logout() == 1
        assert await ada.logout() == 0
        assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
        assert not await ada.lives()
        assert await other.lives()
        assert (await world.host.session(ada))["revokedBy"] == "session"

    async def test_ends_its_own_session_with_an_old_refresh_token(self, world):
        ada, other = await world.login("ada"), await world.login("ada")
        old = ada.copy()
        await ada.refresh()
        await ada.refresh()
        world.clock.advance(seconds=DAY)
        assert await old.logout() == 1
        assert not await ada.lives()
        await other.refresh()

    @pytest.mark.parametrize("seconds", [0, 900, DAY])
    async def test_ends_its_own_session_with_an_access_token_expired_or_not(self, world, seconds):
        ada, other = await world.login("ada"), await world.login("ada")
        world.clock.advance(seconds=seconds)
        reply = await world.http.post("/v1/auth/logout", bearer=ada.token)
        assert reply.json == {"tokensRevoked": 1}
        assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
        await other.refresh()

    async def test_everywhere_ends_fixed_sessions_too(self, world):
        ada, other, fixed, bob = (
            await world.login("ada"), await world.login("ada"), await world.mint("ada"), await world.login("bob"),
        )  # fmt: skip
        assert await ada.logout(everywhere=True) == 3
        assert not await fixed.lives()
        assert (await other.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
        assert await bob.lives()
        again = await world.login("ada")
        reply = await world.http.post("/v1/auth/logout", {"everywhere": True}, bearer=again.token)
        assert reply.json == {"tokensRevoked": 1}

    async def test_everywhere_takes_the_token_of_the_grace(self, world):
        ada, other = await world.login("ada"), await world.login("ada")
        await ada.try_refresh()
        assert await ada.logout(everywhere=True) == 2
        assert not await other.lives()

    async def test_everywhere_takes_no_old_one(self, world):
        ada, other = await world.login("ada"), await world.login("ada")
        old = ada.copy()
        await ada.refresh()
        world.clock.advance(seconds=GRACE)
        with world.refused("REFRESH_TOKEN_REUSED"):
            await old.logout(everywhere=True)
        assert not await ada.lives(), "an old one ends its own session"
        assert await other.lives()

    async def test_everywhere_takes_no_expired_access_token_and_none_of_an_ended_session(self, world):
        ada, other = await world.login("ada"), await world.login("ada")
        reply = await world.http.post("/v1/auth/logout", bearer=ada.token)
        assert reply.status == 200
        ended = await world.http.post("/v1/auth/logout", {"everywhere": True}, bearer=ada.token)
        assert ended.code == "TOKEN_REVOKED"
        world.clock.advance(seconds=900)
        expired = await world.http.post("/v1/auth/logout", {"everywhere": True}, bearer=other.token)
        assert expired.code == "TOKEN_EXPIRED"
        await other.refresh()

    async def test_everywhere_with_an_api_key_names_the_user(self, world):
        ada, fixed, bob = await world.login("ada"), await world.mint("ada"), await world.login("bob")
        for body in ({"everywhere": True}, {"externalUserId": "ada"}, {}):
            assert (await world.host.post("/v1/auth/logout", body)).code == "VALIDATION_ERROR"
        reply = await world.host.post("/v1/auth/logout", {"everywhere": True, "externalUserId": "ada"})
        assert reply.json == {"tokensRevoked": 2}
        assert [await one.lives() for one in (ada, fixed, bob)] == [False, False, True]
        minting = await world.key(can=["mint"])
        assert (await minting.post("/v1/auth/logout", {"everywhere": True, "externalUserId": "bob"})).code == "FORBIDDEN"  # fmt: skip

    async def test_takes_no_token_of_another_kind(self, world):
        fixed = await world.mint("ada")
        assert (await world.http.post("/v1/auth/logout", bearer=fixed.token)).code == "TOKEN_TYPE_MISMATCH"
        assert await fixed.lives()
        assert (await world.http.post("/v1/auth/logout")).code == "TOKEN_MISSING"
        ada = await world.login("ada")
        assert (await world.http.post("/v1/auth/logout", bearer=ada.refresh_token)).status == 401

    async def test_takes_one_credential(self, world):
        ada = await world.login("ada")
        both = {"refreshToken": ada.refresh_token}
        for path in ("/v1/auth/logout", "/v1/auth/refresh"):
            assert (await world.host.post(path, both)).code == "UNAUTHORIZED"
        named = await world.http.post("/v1/auth/logout", {**both, "everywhere": True, "externalUserId": "bob"})
        assert named.code == "UNAUTHORIZED"
        assert await ada.lives()

    async def test_and_refresh_may_be_called_by_pages(self, world):
        ada = await world.login("ada")
        for path in ("/v1/auth/refresh", "/v1/auth/logout"):
            preflight = await world.http.request("OPTIONS", path, headers={"access-control-request-method": "POST"})
            assert preflight.status == 204
            reply = await world.http.post(path, {"refreshToken": ada.refresh_token})
            assert reply.header("access-control-allow-origin") == "*"
            assert reply.header("cache-control") == "no-store"
        assert (await world.http.request("OPTIONS", "/v1/auth/login")).status == 405


class TestWhatElseKnowsRenewableSessions:
    async def test_every_verifier_of_ours_takes_access_tokens(self, world):
        ada = await world.login("ada", allowedOperations=["read"])
        assert (await world.host.verify(ada.token, operation="read"))["valid"] is True
        form = f"token={ada.token}".encode()
        how = {"body": form, "headers": {"content-type": "application/x-www-form-urlencoded"}}
        shown = (await world.host.post("/oauth/introspect", **how)).json
        assert (shown["active"], shown["sid"], shown["scope"]) == (True, ada.id, "read")
        assert (await world.http.get("/v1/forward-auth/test/default/read", bearer=ada.token)).status == 200
        assert (await world.http.delete("/v1/session", bearer=ada.token)).status == 200
        assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"

    async def test_nobody_takes_a_refresh_token_for_an_access_token(self, world):
        ada = await world.login("ada")
        assert (await world.http.get("/v1/session", bearer=ada.refresh_token)).code == "TOKEN_TYPE_MISMATCH"
        assert (await world.host.verify(ada.refresh_token))["code"] == "TOKEN_TYPE_MISMATCH"

    async def test_a_session_that_nobody_refreshed_is_expired(self, world):
        ada = await world.login("ada")
        world.clock.advance(seconds=7 * DAY)
        assert (await world.host.session(ada))["status"] == "expired"
        assert (await world.host.verify(ada.id))["code"] == "TOKEN_EXPIRED"
        assert await world.host.sessions(status="active") == []
        assert (await world.host.revoke(externalUserId="ada"))["revoked"] == 0

    async def test_a_cut_counts_sessions_that_are_weeks_old(self, world):
        ada = await world.login("ada")
        for _ in range(5):
            world.clock.advance(seconds=5 * DAY)
            await ada.refresh()
        assert (await world.host.revoke(externalUserId="ada"))["revoked"] == 1

    async def test_purging_leaves_those_that_live_and_takes_those_that_ended(self, world):
        ada, bob = await world.login("ada"), await world.login("bob")
        retention = 30 * DAY + DAY
        for _ in range(4):
            world.clock.advance(seconds=6 * DAY)
            await ada.refresh()
        await world.service.jobs.purge()
        assert len(await rows(world, "renewals")) == 2
        assert (await world.host.session(bob))["status"] == "expired"
        world.clock.advance(seconds=30 * DAY + retention)
        while await world.service.audit.sealing.seal():
            pass
        await world.service.jobs.purge()
        assert await rows(world, "renewals") == []
        assert await rows(world, "sessions") == []

    async def test_a_users_cut_of_old_sessions_reaches_verifiers_that_check_alone(self, world):
        """Sessions of weeks ago have tokens of now: what covers them is told of until these have ended."""
        ada = await world.login("ada")
        for _ in range(4):
            world.clock.advance(seconds=5 * DAY)
            await ada.refresh()
        cutting = {"externalUserId": "ada", "issuedBefore": "2030-01-02T00:00:00Z"}
        await world.host.revoke(**cutting)
        await world.service.jobs.feed()

        async def published(tx):
            return await tx.fetch("SELECT kind FROM published_cuts")

        assert len(await world.store.at_once(published)) == 1
        world.clock.advance(seconds=61)
        await world.service.jobs.feed()
        claims = claims_of(ada.token)
        uri = claims["status"]["status_list"]["uri"].removeprefix(world.service.base_url)
        listed = await world.http.get(uri)
        assert listed.status == 200, "its list is kept as long as the session may live"
        assert len(await rows(world, "status_entries")) == 1

    async def test_one_refresh_writes_one_row(self, world):
        """Ten refreshes, one commit each, and the counts are those of the statements."""
        ada = await world.login("ada")
        counted = Counter()
        for _ in range(3):
            before = {table: await rows(world, table) for table in ("sessions", "renewals", "refresh_salts", "audit_events")}  # fmt: skip
            await ada.refresh()
            for table, was in before.items():
                counted[table] += len(set(map(repr, await rows(world, table))) - set(map(repr, was)))
        assert counted == {"sessions": 0, "renewals": 3, "refresh_salts": 1, "audit_events": 0}
