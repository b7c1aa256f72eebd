"""From what is done to the receiver that is told of it: through the audit log, the queue, and a real socket."""

from __future__ import annotations

import asyncio
import json

import pytest

from engines import EVERY_ENGINE
from guestpass.core import ids
from guestpass.core.webhooks.subscriptions import EVENTS
from guestpass.server.webhooks.posting import TOTAL_SECONDS
from webhooks.receivers import Receiver
from world import World

ENGINES = EVERY_ENGINE
PATH = "/v1/webhook-endpoints"


@pytest.fixture
async def receiver():
    async with Receiver().listening() as receiver:
        yield receiver


async def endpoint_at(world, receiver, events, host=None):
    body = {"url": f"http://127.0.0.1:{receiver.port}/hook", "events": list(events)}
    reply = await (host or world.host).post(PATH, body)
    assert reply.status == 201, reply.body
    return reply.json


async def turn(world):
    """Seal, queue and send until there is nothing more; what jobs and the sender do by themselves in a server."""
    await world.service.audit.sealing.seal()
    await world.service.webhooks.dispatching.dispatch()
    while await world.service.webhooks.sending.send_due():
        pass


def told(receiver):
    return [(json.loads(one.body)["type"], json.loads(one.body)["data"]) for one in receiver.got]


async def test_a_host_is_told_of_a_session_that_was_ended(world, receiver):
    await endpoint_at(world, receiver, ["session.revoked"])
    ada = await world.mint("ada", externalOrganizationId="acme")
    await world.host.end(ada)
    await turn(world)
    ((event, data),) = told(receiver)
    assert event == "session.revoked"
    assert data == {
        "environment": "test", "projectId": world.host.issuer.project.id, "actor": world.host.id, "sessionId": ada.id,
        "customerId": (await world.host.session(ada))["customerId"], "externalUserId": "ada",
        "externalOrganizationId": "acme", "scope": "session", "reissue": False,
    }  # fmt: skip


async def test_a_mint_is_told_with_the_id_of_its_session_to_who_chose_that(world, receiver):
    endpoint = await endpoint_at(world, receiver, ["session.created"])
    ada = await world.mint("ada", allowedOperations=["read"])
    await turn(world)
    ((event, data),) = told(receiver)
    assert (event, data["sessionId"], data["externalUserId"], data["allowedOperations"]) == (
        "session.created", ada.id, "ada", ["read"],
    )  # fmt: skip
    assert receiver.got[0].headers["webhook-id"] == ada.id
    resent = await world.host.post(f"{PATH}/{endpoint['id']}/resend", {"eventId": ada.id})
    assert (resent.status, resent.json["eventId"]) == (200, ada.id)
    await turn(world)
    assert len(receiver.got) == 2


async def test_a_host_is_told_of_a_stolen_refresh_token_by_default(world, receiver):
    """One event, which means that the session has ended; and never the token."""
    body = {"url": f"http://127.0.0.1:{receiver.port}/hook"}
    assert (await world.host.post(PATH, body)).status == 201
    login = await world.host.login("ada")
    stolen = login.refresh_token
    await login.refresh()
    await login.refresh()
    reply = await world.http.post("/v1/auth/refresh", {"refreshToken": stolen})
    assert reply.code == "REFRESH_TOKEN_REUSED"
    await turn(world)
    events = dict(told(receiver))
    data = events["session.reuse_detected"]
    assert (data["sessionId"], data["externalUserId"]) == (login.id, "ada")
    assert "session.revoked" not in events
    assert "gp_refresh" not in str(told(receiver))


async def test_no_body_holds_a_credential_or_what_is_personal_beyond_the_hosts_own_ids(world, receiver):
    """Whatever is done, with every event chosen."""
    made = await endpoint_at(world, receiver, EVENTS)
    ada = await world.mint("ada", metadata={"plan": "gold-plan"}, email="ada@example.com", emailVerified=True)
    opaque = await world.mint("bob", format="opaque")
    key = (await world.host.post("/v1/api-keys", {"name": "a-secret-name", "signing": True})).json
    rotated = (await world.host.post(f"/v1/api-keys/{key['id']}/rotate", {})).json
    await world.host.post(f"/v1/api-keys/{key['id']}", {"ipRanges": ["203.0.113.0/24"]})
    await world.host.post(f"/v1/api-keys/{key['id']}/revoke")
    await ada.end()
    await world.host.block((await world.host.session(opaque))["customerId"])
    await world.host.revoke(all=True)
    await turn(world)
    told_of = {event for event, _ in told(receiver)}
    assert told_of >= {"session.created", "session.revoked", "customer.blocked", "api_key.created", "api_key.rotated"}
    bodies = b"".join(one.body for one in receiver.got).decode()
    for secret in (
        ada.token, opaque.token, key["secret"], rotated["secret"], made["secret"], world.host.secret,
        "gold-plan", "ada@example.com", "a-secret-name", "203.0.113", "whsec_", "sk_test_",
    ):  # fmt: skip
        assert secret not in bodies


async def test_who_was_erased_is_named_no_more_in_what_is_kept_and_in_what_waits(world, receiver):
    """His session and his customer's id stay; so does everybody else."""
    async with Receiver().listening() as away:
        pass
    for each in (receiver, away):
        await endpoint_at(world, each, ["session.revoked", "customer.erased"])
    ada, bob = await world.mint("ada"), await world.mint("bob")
    for session in (ada, bob):
        await world.host.end(session)
    await turn(world)
    customer = (await world.host.session(ada))["customerId"]
    await world.service.audit.erasing.erase(world.host.issuer.number, ids.decode("cust", customer), by="the test")
    await turn(world)
    rows = await world.store.at_once(lambda tx: tx.fetch("SELECT body, due_ms FROM webhook_deliveries"))
    about_ada = [body for body, _ in rows if customer in body and "session.revoked" in body]
    assert len([body for body in about_ada if ada.id in body]) == 2
    assert '"ada"' not in str(rows)
    assert str(rows).count('"bob"') == 2
    data = {
        "environment": "test",
        "projectId": world.host.issuer.project.id,
        "actor": "the test",
        "customerId": customer,
    }
    assert ("customer.erased", data) in told(receiver)


async def test_environments_and_projects_are_told_of_their_own(world, receiver):
    await endpoint_at(world, receiver, ["session.revoked"])
    for host in (world.live, world.neighbour):
        await host.end(await host.mint("eve"))
    await turn(world)
    assert receiver.got == []


async def test_what_is_done_while_the_receiver_is_away_arrives_when_it_is_back(world, receiver):
    receiver.answers = [b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", receiver.answers[0]]
    await endpoint_at(world, receiver, ["session.revoked"])
    await world.host.end(await world.mint("ada"))
    await turn(world)
    world.clock.advance(seconds=6)
    await turn(world)
    assert len(receiver.got) == 2
    assert receiver.got[0].body == receiver.got[1].body
    assert receiver.got[0].headers["webhook-id"] == receiver.got[1].headers["webhook-id"]


async def test_a_mint_and_another_endpoint_do_not_wait_for_a_receiver_that_hangs(world, receiver):
    """Real sockets: one accepts, and says nothing."""
    async with Receiver(hangs=True).listening() as slow:
        await endpoint_at(world, slow, ["session.revoked"])
        await endpoint_at(world, receiver, ["session.revoked"])
        for _ in range(12):
            await world.host.end(await world.mint("ada"))
        await world.service.audit.sealing.seal()
        await world.service.webhooks.dispatching.dispatch()
        world.service.webhooks.sending.start()
        async with asyncio.timeout(TOTAL_SECONDS - 2):  # before the slow one is given up
            await slow.arrived.wait()
            await receiver.until(12)
            assert (await world.mint("bob")).id
    assert len(slow.got) == 8


async def test_a_store_that_is_opened_again_goes_on_with_what_waited(tmp_path, receiver):
    """The position in the audit log, the queue and the sealed secret are all in the store."""
    path = tmp_path / "store.sqlite3"
    async with World.opened(path) as world:
        await endpoint_at(world, receiver, ["session.revoked"])
        await world.host.end(await world.mint("ada"))
        await world.service.audit.sealing.seal()
        await world.service.webhooks.dispatching.dispatch()
        await world.host.end(await world.mint("bob"))
    async with World.opened(path, seed=8) as world:
        world.clock.advance(seconds=10)
        await turn(world)
    assert sorted(data["externalUserId"] for _, data in told(receiver)) == ["ada", "bob"]
