"""What is odd about refreshes is told; and a project may have its sessions suspended or ended for it."""

from __future__ import annotations

import pytest
from test_http_refresh import DAY, GRACE, claims_of, rows
from test_http_refresh_by_others import lend, revoke
from test_http_standard import introspect

from engines import EVERY_ENGINE
from guestpass.core.revocation import status_list
from guestpass.errors import ValidationFailed

ENGINES = EVERY_ENGINE

HOME = {"peer": "203.0.113.7", "headers": {"user-agent": "Firefox"}}
ELSEWHERE = {"peer": "198.51.100.9", "headers": {"user-agent": "curl"}}


async def anomalies(host, **query):
    return (await host.get("/v1/auth/anomalies", query=query)).json["data"]


async def suspicious(world, user="ada", **fields):
    """A session whose last refresh was odd."""
    ada = await world.login(user, **fields)
    await ada.refresh(**HOME)
    await ada.refresh(**ELSEWHERE)
    return ada


async def status_in_list(world, token):
    entry = claims_of(token)["status"]["status_list"]
    world.clock.advance(seconds=1)
    text = (await world.http.get(entry["uri"].removeprefix(world.service.base_url))).body.decode()
    return status_list.get(status_list.decompress(claims_of(text)["status_list"]["lst"]), entry["idx"])


class TestWhatIsOdd:
    async def test_is_told_with_its_evidence(self, world):
        ada = await suspicious(world)
        (found,) = await anomalies(world.host)
        assert (found["kind"], found["sessionId"], found["externalUserId"]) == ("origin", ada.id, "ada")
        assert (found["outcome"], found["at"]) == ("recorded", "2030-01-01T00:00:00.000Z")
        assert found["evidence"]["network"] == "198.51.100.0/24"
        assert found["evidence"]["networkBefore"] == "203.0.113.0/24"
        assert await ada.lives()

    async def test_reuse_is_among_it_and_always_ends_the_session(self, world):
        ada = await world.login("ada")
        thief = ada.copy()
        await ada.refresh()
        await ada.refresh()
        await thief.try_refresh(**ELSEWHERE)
        (found,) = await anomalies(world.host)
        assert (found["kind"], found["outcome"]) == ("reuse", "revoked")
        assert found["evidence"]["generation"] == 1
        assert found["evidence"]["network"] == "198.51.100.0/24"

    async def test_more_than_ten_in_a_minute_and_the_first_after_three_days(self, world):
        ada = await world.login("ada")
        for _ in range(12):
            await ada.refresh()
        world.clock.advance(seconds=3 * DAY)
        await ada.refresh()
        assert [found["kind"] for found in await anomalies(world.host)] == ["pause", "rate"]

    async def test_stands_in_pages_and_is_purged_in_time(self, world):
        for number in range(5):
            await suspicious(world, f"user {number}")
        page = (await world.host.get("/v1/auth/anomalies", query={"limit": 3})).json
        rest = (await world.host.get("/v1/auth/anomalies", query={"limit": 3, "cursor": page["nextCursor"]})).json
        assert (len(page["data"]), len(rest["data"]), rest["nextCursor"]) == (3, 2, None)
        assert await anomalies(world.neighbour) == []
        world.clock.advance(seconds=366 * DAY)
        await world.service.anomalies.purge()
        assert await anomalies(world.host) == []

    async def test_is_in_the_audit_log(self, world):
        await suspicious(world)
        told = [row for row in await rows(world, "audit_events") if "session.anomaly" in row]
        assert len(told) == 1

    async def test_forgets_where_a_customer_came_from_when_he_is_erased(self, world):
        ada = await suspicious(world)
        await suspicious(world, "bob")
        customer = world.service.derivation.customer_id(world.host.issuer.number, "ada")
        await world.service.audit.erasing.erase(world.host.issuer.number, customer, by="command line")
        shown = {found["sessionId"]: found for found in await anomalies(world.host)}
        assert shown[ada.id]["evidence"] == {}
        assert sum(found["evidence"] != {} for found in shown.values()) == 1


class TestAProjectThatEndsThem:
    async def test_gives_no_token_for_an_odd_refresh(self, world):
        await world.set(on_suspicion="revoke")
        ada = await world.login("ada")
        await ada.refresh(**HOME)
        assert (await ada.try_refresh(**ELSEWHERE)).code == "REFRESH_TOKEN_REVOKED"
        assert (await ada.try_refresh(**HOME)).code == "REFRESH_TOKEN_REVOKED"
        assert (await world.host.session(ada))["revokedBy"] == "suspicion"
        (found,) = await anomalies(world.host)
        assert found["outcome"] == "revoked"


class TestASuspendedSession:
    @pytest.fixture
    async def ada(self, world):
        await world.set(on_suspicion="suspend", suspended_operations="list read")
        return await suspicious(world, allowedOperations=["read", "write"])

    async def test_is_shown_as_such(self, world, ada):
        assert (await world.host.session(ada))["status"] == "suspended"
        assert [shown["id"] for shown in await world.host.sessions(status="suspended")] == [ada.id]
        assert (await anomalies(world.host))[0]["outcome"] == "suspended"

    async def test_goes_on_with_what_its_project_names_and_nothing_else(self, world, ada):
        read = await world.host.verify(ada.token, operation="read")
        write = await world.host.verify(ada.token, operation="write")
        assert (read["valid"], write["valid"], write["code"]) == (True, False, "SESSION_SUSPENDED")
        allowed = await world.http.get("/v1/forward-auth/test/default/read", bearer=ada.token)
        refused = await world.http.get("/v1/forward-auth/test/default/write", bearer=ada.token)
        assert (allowed.status, allowed.header("x-guestpass-operations")) == (200, "read")
        assert (refused.status, refused.code) == (401, "SESSION_SUSPENDED")

    async def test_is_active_with_a_scope_that_is_cut(self, world, ada):
        shown = await introspect(world, ada.token)
        assert (shown["active"], shown["scope"]) == (True, "read")
        await world.set(suspended_operations="")
        shown = await introspect(world, ada.token)
        assert (shown["active"], shown["scope"]) == (True, ""), "whoever asks learns that it is suspended, not revoked"
        assert (await world.http.get("/v1/session", bearer=ada.token)).code == "SESSION_SUSPENDED"

    async def test_still_refreshes_suspended(self, world, ada):
        await ada.refresh(**ELSEWHERE)
        assert (await introspect(world, ada.token))["scope"] == "read"

    async def test_is_told_to_a_backend_that_asks_by_its_id(self, world, ada):
        """Its host decides what a page of such a session gets; see session_routes."""
        reply = await lend(world.host, ada.id)
        assert (reply.status, reply.json["suspended"]) == (200, True)
        assert (await introspect(world, reply.json["accessToken"]))["scope"] == "read"
        assert "suspended" not in (await lend(world.host, (await world.login("ben")).id)).json

    async def test_is_seen_by_verifiers_that_check_alone(self, world, ada):
        assert await status_in_list(world, ada.token) == status_list.SUSPENDED
        found = (await world.http.get("/test/.well-known/oauth-authorization-server")).json
        assert found["suspendedOperations"] == ["list", "read"]
        await ada.logout()
        assert await status_in_list(world, ada.token) == status_list.INVALID

    async def test_ends_when_its_customer_logs_in_again(self, world, ada):
        bob = await suspicious(world, "bob")
        again = await world.login("ada")
        assert await again.lives()
        assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
        assert (await world.host.session(ada))["revokedBy"] == "login"
        assert await status_in_list(world, ada.token) == status_list.INVALID
        assert (await world.host.session(bob))["status"] == "suspended", "another customer's is none of it"

    async def test_is_not_ended_by_a_fixed_session(self, world, ada):
        await world.mint("ada")
        assert (await world.host.session(ada))["status"] == "suspended"

    @pytest.mark.parametrize("how", ["logout", "own session", "oauth"])
    async def test_can_be_left(self, world, ada, how):
        await world.set(suspended_operations="")
        if how == "logout":
            await world.http.post("/v1/auth/logout", bearer=ada.token)
        elif how == "own session":
            await world.http.delete("/v1/session", bearer=ada.token)
        else:
            await revoke(world, token=ada.token)
        assert (await world.host.session(ada))["status"] == "revoked"

    async def test_is_told_in_the_audit_log_once(self, world, ada):
        await ada.refresh(**HOME)
        told = [row for row in await rows(world, "audit_events") if "session.suspended" in row]
        assert len(told) == 1

    async def test_that_is_reused_ends(self, world, ada):
        old = ada.copy()
        await ada.refresh(**ELSEWHERE)
        world.clock.advance(seconds=GRACE)
        assert (await old.try_refresh()).code == "REFRESH_TOKEN_REUSED"
        assert (await world.host.session(ada))["status"] == "revoked"


@pytest.mark.parametrize(
    "settings",
    [
        {"on_suspicion": "ignore"}, {"suspended_operations": "*"}, {"suspended_operations": "Read"}, {"refresh_grace": 601},
        {"access_expires_in": 3601}, {"refresh_expires_in": 30 * DAY + 1}, {"refresh_idle_in": 59},
    ],
    ids=str,
)  # fmt: skip
async def test_a_setting_out_of_its_bounds_is_refused(world, settings):
    with pytest.raises(ValidationFailed):
        await world.set(**settings)
