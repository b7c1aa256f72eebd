"""What the audit log is told: each act once, in the act's own transaction; what is refused or changes nothing, never."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from engines import EVERY_ENGINE
from guestpass.core import ids
from guestpass.core.audit.commitments import commitment
from guestpass.errors import GuestpassError
from guestpass.server.audit import service as audit
from guestpass.server.audit.model import EventRow
from guestpass.server.audit.service import AuditEvent
from guestpass.server.storage.store import Rider

ENGINES = EVERY_ENGINE


class Told(NamedTuple):
    action: str
    actor: str
    targets: list[str]
    detail: dict
    personal: dict


async def rows(world):
    sql = f"SELECT {', '.join(EventRow._fields)} FROM audit_events ORDER BY id"
    return [EventRow(*row) for row in await world.store.read(lambda tx: tx.fetch(sql))]


async def told(world, act):
    """Do something; return what the log was told of it, in order of action."""
    before = {row.id for row in await rows(world)}
    result = act()
    if hasattr(result, "__await__"):
        await result
    new = [row for row in await rows(world) if row.id not in before]
    return sorted(
        Told(
            row.action,
            row.actor,
            json.loads(row.targets),
            json.loads(row.detail),
            {name: value for name, (_, value) in json.loads(row.personal).items()},
        )
        for row in new
    )


async def customer_of(world, session):
    return (await world.host.session(session))["customerId"]


async def test_a_revoke_names_the_session_its_customer_and_who_did_it(world):
    ada = await world.mint("ada", externalOrganizationId="acme")
    (event,) = await told(world, lambda: world.host.end(ada))
    assert event.action == "session.revoked"
    assert event.actor == world.host.id
    assert event.targets == [ada.id, await customer_of(world, ada)]
    assert event.detail == {"scope": "session", "reissue": False}
    assert event.personal.items() >= {"externalUserId": "ada", "externalOrganizationId": "acme"}.items()


async def test_a_session_that_ends_itself_is_its_own_actor(world):
    ada = await world.mint("ada")
    (event,) = await told(world, ada.end)
    assert (event.action, event.actor, event.targets[0]) == ("session.revoked", "session", ada.id)


async def test_from_where_is_the_network_and_the_request(world):
    ada = await world.mint("ada")
    await world.host.delete(f"/v1/session-tokens/{ada.id}", headers={"X-Request-Id": "their-request-7"})
    (row,) = [row for row in await rows(world) if row.action == "session.revoked"]
    assert row.request_id == "their-request-7"
    assert json.loads(row.personal)["network"][1] == "203.0.113.0/24"


async def test_a_mint_writes_no_event_its_session_is_one(world):
    assert await told(world, world.mint) == []


REPEATED = {
    "revoke": (lambda world, ada, _: world.host.end(ada), "session.revoked"),
    "block": (lambda world, _, customer: world.host.block(customer), "customer.blocked"),
    "unblock": (lambda world, _, customer: world.host.unblock(customer), "customer.unblocked"),
    "revoke an API key": (lambda world, *_: world.revoke_key(world.second), "api_key.revoked"),
}


@pytest.mark.parametrize(("act", "action"), REPEATED.values(), ids=REPEATED)
async def test_what_is_done_again_is_told_once(world, act, action):
    ada = await world.mint("ada")
    customer = await customer_of(world, ada)
    world.second = await world.key()
    if action == "customer.unblocked":
        await world.host.block(customer)
    first = await told(world, lambda: act(world, ada, customer))
    assert action in [event.action for event in first]
    world.clock.advance(seconds=5)
    assert await told(world, lambda: act(world, ada, customer)) == []


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ({"externalUserId": "ada"}, "user"),
        ({"externalOrganizationId": "acme"}, "organization"),
        ({"all": True}, "all"),
    ],
    ids=str,
)
async def test_a_bulk_revoke_is_one_event_that_names_its_scope(world, body, scope):
    for _ in range(3):
        await world.mint("ada", externalOrganizationId="acme")
    (event,) = await told(world, lambda: world.host.revoke(**body))
    assert (event.action, event.detail["scope"]) == ("session.revoked", scope)
    assert event.detail["before"].endswith("Z")


async def test_a_block_tells_of_the_block_and_of_the_sessions_it_ended(world):
    ada = await world.mint("ada")
    customer = await customer_of(world, ada)
    events = await told(world, lambda: world.host.revoke_user("ada", block=True))
    assert [event.action for event in events] == ["customer.blocked", "session.revoked"]
    assert all(event.targets == [customer] for event in events)
    assert all(event.personal["externalUserId"] == "ada" for event in events)


async def test_the_life_of_an_api_key_is_told(world):
    (made,) = await told(world, lambda: world.host.post("/v1/api-keys", {"name": "one", "signing": True}))
    key = made.targets[0]
    assert (made.action, made.actor, made.detail) == ("api_key.created", world.host.id, {"signing": True})
    (edited,) = await told(world, lambda: world.host.post(f"/v1/api-keys/{key}", {"name": "two", "can": ["read"]}))
    assert (edited.action, edited.detail) == ("api_key.updated", {"changed": ["name", "can"]})
    assert await told(world, lambda: world.host.post(f"/v1/api-keys/{key}", {"name": "two"})) == []
    (rotated,) = await told(world, lambda: world.host.post(f"/v1/api-keys/{key}/rotate", {"overlapSeconds": 60}))
    assert (rotated.action, rotated.detail) == ("api_key.rotated", {"overlapSeconds": 60})
    (revoked,) = await told(world, lambda: world.host.post(f"/v1/api-keys/{key}/revoke"))
    assert (revoked.action, revoked.targets, revoked.detail) == ("api_key.revoked", [key], {"keepSessions": False})


async def test_the_operators_acts_are_his(world):
    project_id = ""

    async def make():
        nonlocal project_id
        project_id = await world.project("Another")

    made = await told(world, make)
    assert [event.action for event in made] == [
        "project.created",
        *["signing_key.activated"] * 2,
        *["signing_key.created"] * 2,
    ]
    assert (made[0].actor, made[0].targets) == ("command line", [project_id])
    issuer = world.host.issuer
    (updated,) = await told(
        world, lambda: world.service.issuers.set(issuer, {"max_expires_in": 7200, "audience": None})
    )
    assert (updated.action, updated.detail) == ("project.updated", {"settings": {"maxExpiresIn": 7200}})
    assert await told(world, lambda: world.service.issuers.set(issuer, {"max_expires_in": 7200})) == []


async def test_signing_keys_are_told_also_those_that_change_by_themselves(world):
    issuer = world.host.issuer

    async def keep():
        async for _ in world.service.rotation.keep(algorithm=False):
            pass

    by_itself = await told(world, keep)
    assert {event.action for event in by_itself} == {"signing_key.created"}
    assert {event.actor for event in by_itself} == {"system"}
    rotated = await told(world, lambda: world.service.rotation.rotate(issuer))
    assert ("signing_key.activated", "command line") in [(event.action, event.actor) for event in rotated]
    kid = next(event.targets[0] for event in rotated if event.action == "signing_key.activated")
    revoked = await told(world, lambda: world.service.rotation.revoke(issuer, kid))
    assert "signing_key.revoked" in [event.action for event in revoked]
    assert await told(world, lambda: world.service.rotation.revoke(issuer, kid)) == []


async def test_what_is_refused_is_not_told(world):
    stranger = await world.neighbour.mint("eve")
    less = await world.key(can=["read"])

    async def all_of_it():
        assert (await world.host.delete(f"/v1/session-tokens/{stranger.id}")).status == 404
        assert (await less.post("/v1/api-keys", {"name": "more"})).status == 403
        assert (await world.host.post("/v1/customers/cust_00000000000000000000000000/block")).status == 404
        with pytest.raises(GuestpassError):
            await world.project("The neighbour")

    assert await told(world, all_of_it) == []


async def test_an_act_that_is_rolled_back_takes_its_event_along(world):
    ada = await world.mint("ada")

    async def fails(tx, items):
        raise RuntimeError("a fault of ours")

    async def passes(tx, items):
        return [None] * len(items)

    async def end():
        sessions = world.service.sessions
        with pytest.raises(RuntimeError):
            await sessions.end_one(
                world.host.issuer.number, ada.id, sessions.ending("us"), [Rider(passes, None, fails)]
            )

    assert await told(world, end) == []
    assert await ada.lives()


async def test_the_chain_would_hold_commitments_alone(world):
    """A field's commitment opens with its salt and value, and with no other."""
    ada = await world.mint("ada")
    await world.host.end(ada)
    (row,) = [row for row in await rows(world) if row.action == "session.revoked"]
    commitments, personal = json.loads(row.commitments), json.loads(row.personal)
    assert commitments.keys() == personal.keys() == {"externalUserId", "network"}
    assert len({salt for salt, _ in personal.values()}) == 2
    for name, (salt, value) in personal.items():
        assert commitment(bytes.fromhex(salt), name, value) == commitments[name]
        assert commitment(bytes.fromhex(salt), name, value + "x") != commitments[name]
    public = [value for name, value in row._asdict().items() if name not in ("personal", "id")]
    assert "ada" not in json.dumps(public)


async def test_the_events_of_one_act_keep_their_order(world):
    events = [
        AuditEvent(issuer=world.host.issuer.number, action="api_key.updated", actor=f"{n}", targets=("key_x", "key_x"))
        for n in range(40)
    ]
    await world.store.at_once(lambda tx: audit.record(tx, events))
    found = [row for row in await rows(world) if row.targets == '["key_x","key_x"]']
    assert [row.actor for row in found] == [event.actor for event in events]
    assert {ids.unix_ms_of(row.id) for row in found} == {int(world.clock() * 1000)}
