"""Whoever touches what was sealed is found out, and the batch is named; who forgets a person is not."""

from __future__ import annotations

import json
from functools import partial

import pytest

from engines import EVERY_ENGINE
from guestpass.core import ids
from guestpass.core.audit import proof
from guestpass.errors import Conflict, NotFound
from guestpass.server.audit import checking
from guestpass.server.audit.batches import Part
from guestpass.server.audit.service import WINDOW_MS
from guestpass.server.sessions import sql as sessions
from guestpass.server.sessions.model import SessionRow

ENGINES = EVERY_ENGINE


@pytest.fixture
async def log(world):
    """Three batches: mints and acts, mints, acts; the last two edges are past them all."""
    world.ada = await world.mint("ada", externalOrganizationId="acme", metadata={"ip": "192.0.2.1"})
    world.bob = await world.mint("bob")
    await world.host.end(world.bob)
    await world.service.audit.sealing.seal()
    world.clock.advance(seconds=60)
    world.cy = await world.mint("cy")
    world.di = await world.live.mint("di")
    await world.service.audit.sealing.seal()
    world.clock.advance(seconds=60)
    await world.host.end(world.cy)
    await world.service.audit.sealing.seal()
    world.clock.advance(milliseconds=WINDOW_MS + 60_000)
    await world.mint("eve")
    await world.service.audit.sealing.seal()
    return world


async def verify(world):
    return await world.service.audit.checking.verify()


async def execute(world, sql, *parameters):
    assert await world.store.at_once(lambda tx: tx.execute(sql, parameters))


async def the_part(world, batch, *, of_events):
    async def read(tx):
        rows = await tx.fetch("SELECT * FROM audit_leaves WHERE batch = ? ORDER BY first_leaf", (batch,))
        return next(part for part in (Part(*row) for row in rows) if (part.source == 0) == of_events)

    return await world.store.read(read)


async def event_in(world, batch):
    return (await the_part(world, batch, of_events=True)).ids[:16]


async def test_what_nobody_touched_is_whole(log):
    checked = await verify(log)
    assert (checked.first, checked.last, checked.faults, checked.erased, checked.purged) == (1, 4, [], [], 0)
    assert checked.leaves == sum([batch["leaves"] for batch in await log_batches(log)])


async def log_batches(world):
    rows = await world.store.read(lambda tx: tx.fetch("SELECT number, leaves, head FROM audit_batches ORDER BY number"))
    return [{"number": number, "leaves": leaves, "head": head} for number, leaves, head in rows]


COLUMNS = {
    "api_key_id": bytes(16), "customer_id": bytes(16), "external_user_id": "mallory", "external_organization_id": "evil",
    "scope": "everything", "issued_at": 1, "not_before": 1, "expires_at": 1, "max_uses": 9, "format": "opaque",
}  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_session_that_was_changed_is_named_with_its_batch(log, column):
    found = ids.decode("sess", log.cy.id)
    await execute(log, f"UPDATE sessions SET {column} = ? WHERE id = ?", COLUMNS[column], found)
    assert (await verify(log)).faults == [(2, log.cy.id, checking.CHANGED)]
    with pytest.raises(Conflict):
        await log.service.audit.proving.prove(log.cy.id)


EVENT_COLUMNS = {
    "issuer": 3, "action": "customer.unblocked", "actor": "key_of_another", "request_id": "r", "targets": '["x"]',
    "detail": '{"scope":"all"}', "commitments": "{}", "personal": '{"externalUserId":["00","mallory"]}',
}  # fmt: skip


@pytest.mark.parametrize("column", EVENT_COLUMNS)
async def test_an_event_that_was_changed_is_named_with_its_batch(log, column):
    found = await event_in(log, 3)
    await execute(log, f"UPDATE audit_events SET {column} = ? WHERE id = ?", EVENT_COLUMNS[column], found)
    assert (await verify(log)).faults == [(3, ids.encode("evt", found), checking.CHANGED)]


async def test_what_was_deleted_is_named(log):
    event = await event_in(log, 3)
    await execute(log, "DELETE FROM audit_events WHERE id = ?", event)
    await execute(log, "DELETE FROM sessions WHERE id = ?", ids.decode("sess", log.di.id))
    assert sorted((await verify(log)).faults) == [
        (2, log.di.id, checking.DELETED),
        (3, ids.encode("evt", event), checking.DELETED),
    ]


async def test_what_was_added_afterwards_is_named_with_the_batch_it_would_stand_in(log):
    found = ids.decode("sess", log.cy.id)
    forged = ids.time_ordered(ids.unix_ms_of(found), bytes(10))
    forged_event = ids.time_ordered(ids.unix_ms_of(await event_in(log, 3)), bytes(10))

    async def act(tx):
        row = SessionRow(*await tx.fetch_one(f"SELECT {sessions.COLUMNS} FROM sessions WHERE id = ?", (found,)))
        await sessions.add(tx, [row._replace(id=forged)])
        columns = "issuer, action, actor, request_id, targets, detail, commitments, personal"
        return await tx.execute(
            f"INSERT INTO audit_events (id, {columns}) SELECT ?, {columns} FROM audit_events WHERE id = ?",
            (forged_event, await_event),
        )

    await_event = await event_in(log, 3)
    await log.store.at_once(act)
    assert sorted((await verify(log)).faults) == [
        (2, ids.encode("sess", forged), checking.ADDED),
        (3, ids.encode("evt", forged_event), checking.ADDED),
    ]


async def test_two_events_that_changed_places_are_named(log):
    """Each says what the other said."""
    one, other = sorted([await event_in(log, 1), await event_in(log, 3)])
    for a, b in ((one, bytes(16)), (other, one), (bytes(16), other)):
        await execute(log, "UPDATE audit_events SET id = ? WHERE id = ?", b, a)
    assert {(fault.batch, fault.what) for fault in (await verify(log)).faults} == {
        (1, checking.CHANGED),
        (3, checking.CHANGED),
    }


async def test_leaves_that_changed_places_in_their_batch_are_named(log):
    part = await the_part(log, 1, of_events=True)
    turned = b"".join(part.ids[start : start + 16] for start in range(len(part.ids) - 16, -1, -16))
    hashes = b"".join(part.hashes[start : start + 32] for start in range(len(part.hashes) - 32, -1, -32))
    await execute(
        log, "UPDATE audit_leaves SET ids = ?, hashes = ? WHERE first_leaf = ?", turned, hashes, part.first_leaf
    )
    assert (1, None, checking.NOT_ITS_LEAVES) in (await verify(log)).faults


async def test_a_leaf_that_was_made_to_fit_does_not_fit_its_head(log):
    """The row and its hash were changed alike; the head was signed, and cannot be."""
    part = await the_part(log, 2, of_events=False)
    await execute(log, "UPDATE audit_leaves SET hashes = ? WHERE first_leaf = ?", bytes(32), part.first_leaf)
    faults = (await verify(log)).faults
    assert (2, None, checking.NOT_ITS_LEAVES) in faults


async def test_a_head_that_was_taken_out_or_put_elsewhere_is_named(log):
    heads = {batch["number"]: batch["head"] for batch in await log_batches(log)}
    await execute(log, "UPDATE audit_batches SET head = ? WHERE number = 3", heads[2])
    faults = (await verify(log)).faults
    assert {fault.batch for fault in faults if fault.id is None} == {3, 4}
    await execute(log, "UPDATE audit_batches SET head = ? WHERE number = 3", heads[3])
    await execute(log, "DELETE FROM audit_batches WHERE number = 2")
    assert (2, None, checking.MISSING) in (await verify(log)).faults


async def test_a_key_that_is_not_the_one_that_signed_is_of_no_use(log):
    await execute(log, "UPDATE audit_keys SET kid = 'another'")
    assert {fault[1:] for fault in (await verify(log)).faults} == {(None, checking.NOT_KEPT)}


async def erase(world, user):
    key = world.service.derivation.customer_id(world.host.issuer.number, user)
    return await world.service.audit.erasing.erase(world.host.issuer.number, key, by="command line")


async def test_a_person_who_is_forgotten_stands_nowhere_and_the_chain_is_whole(log):
    """The event of his revoke and his session's row say nothing of him any more; verify says which leaves these are."""
    unsealed = await log.mint("bob", externalOrganizationId="acme")
    erased = await erase(log, "bob")
    assert erased.sessions == 2
    assert erased.events >= 1
    await log.service.audit.sealing.seal()
    checked = await verify(log)
    assert checked.faults == []
    assert log.bob.id in checked.erased
    assert len(checked.erased) == 1 + erased.events
    shown = await log.host.session(log.bob)
    assert (shown["externalUserId"], shown["metadata"]) == ("", None)
    assert (await log.host.session(unsealed))["status"] == "revoked"
    rows = await log.store.read(everything)
    assert "bob" not in rows
    assert "ada" in rows
    last = (await log.host.get("/v1/audit-events", query={"action": "customer.erased"})).json["data"][0]
    assert last["targets"] == [shown["customerId"]]


async def test_from_where_he_refreshed_is_forgotten_too(log):
    ada = await log.login("ada")
    await ada.refresh(peer="203.0.113.7", headers={"user-agent": "Firefox"})
    await ada.refresh(peer="198.51.100.9", headers={"user-agent": "curl"})
    await log.service.audit.sealing.seal()
    assert "198.51.100.0/24" in await log.store.read(everything)
    await erase(log, "ada")
    (found,) = (await log.host.get("/v1/auth/anomalies")).json["data"]
    assert (found["kind"], found["externalUserId"], found["evidence"]) == ("origin", "", {})
    assert "198.51.100.0/24" not in await log.store.read(everything)
    assert await log.store.read(lambda tx: tx.fetch("SELECT 1 FROM renewals WHERE length(recent) > 0")) == []
    assert (await ada.try_refresh()).code == "REFRESH_TOKEN_REVOKED"
    await log.service.audit.sealing.seal()
    assert (await verify(log)).faults == []


async def everything(tx):
    """All that the tables of people say, as text."""
    tables = (
        "sessions", "session_metadata", "customers", "audit_events", "audit_targets", "audit_erased", "anomalies",
    )  # fmt: skip
    return "".join([repr(await tx.fetch(f"SELECT * FROM {table}")) for table in tables])


async def test_he_can_be_forgotten_again_and_come_again(log):
    await erase(log, "ada")
    assert await erase(log, "ada") == (0, 0)
    again = await log.mint("ada")
    await log.service.audit.sealing.seal()
    assert (await log.host.session(again))["externalUserId"] == "ada"
    assert (await verify(log)).faults == []


async def test_nobody_is_forgotten_who_was_never_there(log):
    with pytest.raises(NotFound):
        await erase(log, "never seen")


async def test_an_erased_row_that_says_something_again_is_named(log):
    await erase(log, "ada")
    await execute(log, "UPDATE sessions SET external_user_id = 'mallory' WHERE id = ?", ids.decode("sess", log.ada.id))
    assert (await verify(log)).faults == [(1, log.ada.id, checking.CHANGED)]


async def test_a_sealer_that_read_him_before_he_was_forgotten_reads_again(log):
    """What it would have sealed is not what is there."""
    dora = await log.mint("dora")
    sealing = log.service.audit.sealing
    look = await log.store.read(partial(sealing._look, numbers=[log.host.issuer.number]))
    assert look.size >= 1
    await erase(log, "dora")
    with pytest.raises(NotFound):
        await log.service.audit.proving.prove(dora.id)
    await sealing.seal()
    assert (await verify(log)).faults == []


async def test_a_proof_is_checked_with_nothing_but_itself(log):
    for proven_id in (log.ada.id, log.di.id, ids.encode("evt", await event_in(log, 3))):
        shown = proof.verify(await log.service.audit.proving.prove(proven_id))
        assert shown.event["id"] == proven_id
        assert shown.personal == {}
        assert shown.head.issuer == log.live.issuer.url
    named = proof.verify(await log.service.audit.proving.prove(log.ada.id, personal=True))
    assert named.personal == {"externalUserId": "ada", "externalOrganizationId": "acme"}
    assert named.event["operations"] == "*"
    revoked = proof.verify(
        await log.service.audit.proving.prove(ids.encode("evt", await event_in(log, 3)), personal=True)
    )
    assert revoked.personal["externalUserId"] == "cy"


async def test_a_proof_of_one_who_was_forgotten_shows_him_not(log):
    before = await log.service.audit.proving.prove(log.ada.id, personal=True)
    await erase(log, "ada")
    shown = proof.verify(await log.service.audit.proving.prove(log.ada.id, personal=True))
    assert (shown.event["id"], shown.personal) == (log.ada.id, {})
    assert shown.event == proof.verify(before).event, "what is sealed stays"


@pytest.mark.parametrize("what", ["evt_01q3dcbd00fkhb236cvbnzk61r", "sess_01q3dcbd00fkhb236cvbnzk61r", "nothing", ""])
async def test_what_is_not_in_the_log_is_not_proven(log, what):
    with pytest.raises(NotFound):
        await log.service.audit.proving.prove(what)


async def test_the_log_is_kept_so_long_and_verifies_from_its_oldest_head(log):
    log.clock.advance(seconds=91 * 86_400)
    await log.mint("fay")
    await log.service.audit.sealing.seal()
    await log.service.jobs.purge()
    checked = await verify(log)
    assert (checked.first, checked.last, checked.faults) == (5, 5, [])
    rows = await log.store.read(lambda tx: tx.fetch("SELECT detail FROM audit_events"))
    assert len(rows) == 0
    assert await log.store.read(lambda tx: tx.fetch("SELECT 1 FROM audit_targets")) == []


async def test_sessions_that_are_gone_by_age_leave_their_hashes(log):
    log.clock.advance(seconds=40 * 86_400)
    await log.host.end(await log.mint("fay"))
    await log.service.audit.sealing.seal()
    await log.service.jobs.purge()
    checked = await verify(log)
    assert (checked.first, checked.faults, checked.purged) == (1, [], 5)
    with pytest.raises(NotFound, match="gone by age"):
        await log.service.audit.proving.prove(log.ada.id)


async def test_events_are_listed_to_those_they_are_of(log):
    everything = (await log.host.get("/v1/audit-events", query={"limit": "100"})).json
    assert everything["nextCursor"] is None
    assert [event["at"] for event in everything["data"]] == sorted((e["at"] for e in everything["data"]), reverse=True)
    ended = (await log.host.get("/v1/audit-events", query={"target": log.cy.id})).json["data"]
    assert [(event["action"], event["actor"]) for event in ended] == [("session.revoked", log.host.id)]
    assert ended[0]["personal"] == {"externalUserId": "cy", "network": "203.0.113.0/24"}
    assert ended[0] in everything["data"]
    some = (await log.host.get("/v1/audit-events", query={"action": "session.revoked", "limit": "1"})).json
    assert some["data"] == ended
    rest = (
        await log.host.get("/v1/audit-events", query={"action": "session.revoked", "cursor": some["nextCursor"]})
    ).json
    assert [event["targets"][0] for event in rest["data"]] == [log.bob.id]
    for stranger in (log.neighbour, log.live):
        assert (await stranger.get("/v1/audit-events", query={"target": log.cy.id})).json["data"] == []
        shown = (await stranger.get("/v1/audit-events", query={"limit": "100"})).json["data"]
        assert not {event["id"] for event in shown} & {event["id"] for event in everything["data"]}


@pytest.mark.parametrize(
    ("query", "field"),
    [({"action": "session.created"}, "action"), ({"action": ""}, "action"), ({"target": "x" * 257}, "target")],
    ids=str,
)
async def test_a_filter_that_cannot_be_meant_is_refused_by_its_name(log, query, field):
    reply = await log.host.get("/v1/audit-events", query=query)
    assert (reply.status, reply.json["details"][0]["path"]) == (400, field)


async def test_reading_the_log_needs_read(world):
    less = await world.key(can=["mint", "revoke", "manage", "verify"])
    assert (await less.get("/v1/audit-events")).code == "FORBIDDEN"


async def test_a_proof_is_one_json_object_on_a_line(log):
    assert json.loads(await log.service.audit.proving.prove(log.ada.id)).keys() == {
        "leaf", "index", "path", "head", "key", "personal"
    }  # fmt: skip
