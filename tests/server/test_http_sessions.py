"""``/v1/sessions`` and ``DELETE /v1/session-tokens``: what a host sees of its sessions, and how it ends one."""

from __future__ import annotations

import pytest

from engines import EVERY_ENGINE
from guestpass.core import times

ENGINES = EVERY_ENGINE

SESSION_FIELDS = {
    "id", "environment", "status", "renewable", "format", "customerId", "externalUserId", "externalOrganizationId",
    "allowedOperations", "metadata", "apiKeyId", "issuedAt", "notBefore", "expiresAt", "lastRefreshedAt", "revokedAt",
    "revokedBy",
}  # fmt: skip
UNKNOWN_SESSION = "sess_01q3dcbd00fkhb236cvbnzk61r"


async def test_a_session_has_these_fields_and_no_others(world):
    ada = await world.mint("ada", externalOrganizationId="acme", allowedOperations=["read"], metadata={"seat": 4})
    shown = await world.host.session(ada)
    assert shown == {
        "id": ada.id,
        "environment": "test",
        "status": "active",
        "renewable": False,
        "format": "jwt",
        "customerId": shown["customerId"],
        "externalUserId": "ada",
        "externalOrganizationId": "acme",
        "allowedOperations": ["read"],
        "metadata": {"seat": 4},
        "apiKeyId": world.host.id,
        "issuedAt": "2030-01-01T00:00:00Z",
        "notBefore": None,
        "expiresAt": "2030-01-01T01:00:00Z",
        "lastRefreshedAt": None,
        "revokedAt": None,
        "revokedBy": None,
    }
    assert shown.keys() == SESSION_FIELDS
    assert shown["customerId"].startswith("cust_")
    assert await world.host.sessions() == [shown]


async def test_a_session_of_few_words_shows_null_for_the_rest(world):
    shown = await world.host.session(await world.mint("ada"))
    assert shown.keys() == SESSION_FIELDS
    assert {shown[name] for name in ("externalOrganizationId", "metadata", "notBefore", "revokedAt")} == {None}


async def test_one_customer_keeps_one_id(world):
    first, second = await world.mint("ada"), await world.mint("ada", format="opaque")
    other = await world.mint("bob")
    ids = [(await world.host.session(session))["customerId"] for session in (first, second, other)]
    assert ids[0] == ids[1] != ids[2]


async def status_of(world, session):
    shown = await world.host.session(session)
    assert [shown["status"]] == [
        listed["status"] for listed in await world.host.sessions() if listed["id"] == session.id
    ]
    return shown["status"]


async def test_status_is_revoked_before_expired_before_scheduled(world):
    start = times.of_seconds(int(world.clock()) + 30)
    revoked_early, ada = await world.mint("ada", notBefore=start), await world.mint("ada", notBefore=start)
    await world.host.end(revoked_early)
    assert await status_of(world, revoked_early) == "revoked"
    assert await status_of(world, ada) == "scheduled"
    world.clock.advance(seconds=29)
    assert await status_of(world, ada) == "scheduled"
    world.clock.advance(seconds=1)
    assert await status_of(world, ada) == "active"
    world.clock.advance(seconds=3569)
    assert await status_of(world, ada) == "active"
    world.clock.advance(seconds=1)
    assert await status_of(world, ada) == "expired"
    assert await status_of(world, revoked_early) == "revoked"
    await world.host.end(ada)
    assert await status_of(world, ada) == "revoked"


async def test_the_list_is_newest_first_and_filters_by_exactly_what_is_asked(world):
    one = await world.mint("ada", externalOrganizationId="acme")
    world.clock.advance(milliseconds=1)
    two = await world.mint("ada", externalOrganizationId="zeta", expiresIn=60)
    world.clock.advance(milliseconds=1)
    three = await world.mint("bob", externalOrganizationId="acme")
    await world.host.end(one)
    world.clock.advance(seconds=60)

    async def listed(**query):
        return [session["id"] for session in await world.host.sessions(**query)]

    assert await listed() == [three.id, two.id, one.id]
    assert await listed(externalUserId="ada") == [two.id, one.id]
    assert await listed(externalOrganizationId="acme") == [three.id, one.id]
    assert await listed(externalUserId="ada", externalOrganizationId="acme") == [one.id]
    assert await listed(externalUserId="bob", externalOrganizationId="zeta") == []
    assert await listed(status="revoked") == [one.id]
    assert await listed(status="expired") == [two.id]
    assert await listed(status="active") == [three.id]
    assert await listed(status="scheduled") == await listed(status="suspended") == []
    assert await listed(status="active", externalUserId="bob") == [three.id]
    assert await listed(externalUserId="never seen") == []


LOOK_ALIKES = ["7", "7.0", "007", "7 7", "k", "K", "\u212a", "e\u0301", "\u00e9", "\uff17", "%37", "7%2e0"]


async def test_ids_that_look_alike_are_different(world):
    """No number, no case folding, no normalisation: exactly the text that was sent."""
    for user in LOOK_ALIKES:
        await world.mint(user)
    for user in LOOK_ALIKES:
        assert [session["externalUserId"] for session in await world.host.sessions(externalUserId=user)] == [user]


async def test_a_list_reads_to_its_end_page_by_page(world):
    """Each session once, also where many share a millisecond."""
    minted = []
    for _ in range(45):
        minted.append((await world.mint("ada")).id)
        world.clock.advance(milliseconds=len(minted) % 3)
    first = (await world.host.get("/v1/sessions")).json
    assert len(first["data"]) == 20, "the default page"
    assert first.keys() == {"data", "nextCursor"}
    for limit in (1, 7, 44, 45, 100):
        read = [session["id"] for session in await world.host.sessions(limit=limit)]
        assert sorted(read) == sorted(minted)
        assert read == sorted(read, reverse=True)


async def test_a_page_that_is_just_full_is_the_last(world):
    for _ in range(3):
        await world.mint("ada")
    assert (await world.host.get("/v1/sessions", query="limit=3")).json["nextCursor"] is None


async def test_what_is_minted_while_paging_neither_repeats_nor_hides_anything(world):
    old = [(await world.mint("ada")).id for _ in range(4)]
    page = (await world.host.get("/v1/sessions", query="limit=2")).json
    world.clock.advance(milliseconds=1)
    await world.mint("ada")
    rest = (await world.host.get("/v1/sessions", query={"cursor": page["nextCursor"]})).json
    assert sorted(session["id"] for session in page["data"] + rest["data"]) == sorted(old)


async def test_paging_stays_right_when_the_index_has_taken_the_sessions_over(world):
    """4 096 sessions become a run of the index; a list reads runs and tail as one."""
    for user in ["ada"] * 5 + ["bob"] * 5:
        await world.mint(user)
    await world.fill(await world.mint("filler"), 4096)
    world.clock.advance(seconds=10)
    await world.mint("ada")
    await world.service.jobs.feed()
    runs = await world.store.at_once(lambda tx: tx.fetch_one("SELECT count(*) FROM session_runs"))
    assert runs == (1,)
    assert len(await world.host.sessions(externalUserId="ada", limit=2)) == 6
    assert len(await world.host.sessions(externalUserId="bob", limit=2)) == 5


BAD_QUERIES = {
    "no session fits on a page of 0": ("limit=0", "limit"),
    "101 are too many": ("limit=101", "limit"),
    "a negative limit": ("limit=-1", "limit"),
    "a limit with a sign": ("limit=%2B5", "limit"),
    "a limit with a fraction": ("limit=5.0", "limit"),
    "a limit in other digits": ("limit=%D9%A5", "limit"),
    "a superscript limit": ("limit=%C2%B2", "limit"),
    "an empty limit": ("limit=", "limit"),
    "a limit behind many zeros": ("limit=00100000", "limit"),
    "a limit of a thousand digits": ("limit=" + "9" * 1000, "limit"),
    "a limit twice": ("limit=5&limit=5", "limit"),
    "a status that is not": ("status=dead", "status"),
    "an empty status": ("status=", "status"),
    "a cursor that is not ours": ("cursor=abc", "cursor"),
    "a session's id as cursor": (f"cursor={UNKNOWN_SESSION}", "cursor"),
    "an empty user": ("externalUserId=", "externalUserId"),
    "a user with a line break": ("externalUserId=a%0Ab", "externalUserId"),
    "a user that is too long": ("externalUserId=" + "a" * 256, "externalUserId"),
    "an empty organization": ("externalOrganizationId=", "externalOrganizationId"),
    "an unknown parameter": ("colour=blue", "colour"),
    "a parameter of another spelling": ("external_user_id=ada", "external_user_id"),
}


@pytest.mark.parametrize(("query", "path"), BAD_QUERIES.values(), ids=BAD_QUERIES)
async def test_a_query_that_cannot_be_read_is_refused_by_name(world, query, path):
    reply = await world.host.get("/v1/sessions", query=query)
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR"), reply.body
    assert [detail["path"] for detail in reply.json["details"]] == [path]


@pytest.mark.parametrize("query", ["limit", "%ff=1", "externalUserId=%ff", "externalUserId=%ED%A0%80", "a=1&" * 17])
async def test_a_query_string_that_is_not_one_is_refused(world, query):
    assert (await world.host.get("/v1/sessions", query=query)).code == "VALIDATION_ERROR"


async def test_a_user_id_in_a_query_may_be_percent_encoded_or_plain_utf_8(world):
    """curl sends what was typed; it must not find another user, or none."""
    zoe = await world.mint("zoë")
    for query in ("externalUserId=zo%C3%AB", "externalUserId=zoë"):
        reply = await world.host.get("/v1/sessions", query=query)
        assert [session["id"] for session in reply.json["data"]] == [zoe.id]


async def test_the_largest_page_is_a_hundred(world):
    assert (await world.host.get("/v1/sessions", query="limit=100")).status == 200


async def test_ending_a_session_again_answers_the_same(world):
    ada = await world.mint("ada")
    world.clock.advance(milliseconds=250)
    first = await world.host.delete(f"/v1/session-tokens/{ada.id}")
    world.clock.advance(seconds=5)
    again = await (await world.key()).delete(f"/v1/session-tokens/{ada.id}")
    assert first.status == again.status == 200
    assert first.json == again.json == {"id": ada.id, "revokedAt": "2030-01-01T00:00:00.250Z"}
    with world.refused("TOKEN_REVOKED"):
        await ada.who_am_i()
    shown = await world.host.session(ada)
    assert (shown["revokedAt"], shown["revokedBy"]) == ("2030-01-01T00:00:00.250Z", world.host.id)


async def test_a_session_that_expired_can_still_be_ended(world):
    ada = await world.mint("ada", expiresIn=60)
    world.clock.advance(seconds=61)
    assert (await world.host.end(ada))["id"] == ada.id


async def test_ending_one_session_leaves_the_users_others_alone(world):
    laptop, phone = await world.mint("ada"), await world.mint("ada")
    await world.host.end(laptop)
    assert not await laptop.lives()
    assert await phone.lives()


NOT_OURS = {
    "unknown": UNKNOWN_SESSION,
    "of another word": "key_01q3dcbd00fkhb236cvbnzk61r",
    "in capitals": UNKNOWN_SESSION.upper(),
    "too short": "sess_1",
    "not an id at all": "../../etc/passwd",
    "a thousand characters": "s" * 1000,
    "a quote": "sess_' OR 1=1 --",
    "a NUL": "sess_\x00",
}


@pytest.mark.parametrize("session_id", NOT_OURS.values(), ids=NOT_OURS)
async def test_an_id_that_is_not_there_is_not_found(world, session_id):
    known_to_nobody = await world.host.get(f"/v1/sessions/{UNKNOWN_SESSION}")
    for reply in (
        await world.host.get(f"/v1/sessions/{session_id}"),
        await world.host.delete(f"/v1/session-tokens/{session_id}"),
    ):
        assert (reply.status, reply.code) == (404, "NOT_FOUND")
        if "/" not in session_id:
            assert reply.json["message"] == known_to_nobody.json["message"]
