"""Every event reaches who wants it, at least once, whoever dies in between; and nobody waits for a slow receiver."""

from __future__ import annotations

import asyncio
import json

import pytest

from engines import EVERY_ENGINE
from guestpass.core import ids
from guestpass.core.webhooks.schedule import ATTEMPTS_MAX
from guestpass.errors import Unavailable
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.webhooks.attempts import Received
from guestpass.server.webhooks.dispatching import EVENTS_AT_ONCE, Bounds
from guestpass.server.webhooks.sending import LEASE_MS, TO_ONE_MAX
from webhooks.rig import OTHER_URL, REVOKED, URL, WAIT_SECONDS, Log, Server

ENGINES = EVERY_ENGINE
DAY = 86_400
MANY = 100


@pytest.fixture
def server(world):
    return Server(world)


# Queued


async def test_an_event_is_sent_once_to_each_endpoint_that_wants_it(server):
    first, _ = await server.endpoint()
    second, _ = await server.endpoint(url=OTHER_URL, events=("session.revoked", "api_key.*"))
    event = server.log.seal(server.issuer)
    assert await server.turn() == 2
    assert (server.receivers.ids(), server.receivers.ids(OTHER_URL)) == ([event], [event])
    for endpoint in (first, second):
        delivery = await server.delivery(endpoint)
        assert (delivery.status, delivery.attempts, delivery.last_status) == ("delivered", 1, 204)
    assert await server.turn() == 0


async def test_what_an_endpoint_did_not_choose_is_not_sent(server):
    endpoint, _ = await server.endpoint(events=("session.revoked",))
    for event in (
        "session.created",
        "session.suspended",
        "api_key.revoked",
        "webhook_endpoint.created",
        "store.restored",
    ):
        server.log.seal(server.issuer, event)
    server.log.seal(0, "master_key.rewrapped")
    assert await server.turn() == 0
    assert await server.deliveries(endpoint) == []


async def test_nothing_crosses_to_another_project_or_environment(world, server):
    await server.endpoint()
    for other in (world.live, world.neighbour):
        server.log.seal(other.issuer.number)
    assert await server.turn() == 0


async def test_what_was_sealed_before_an_endpoint_was_made_is_not_sent(server):
    """Whether or not another endpoint was there to be told."""
    early = server.log.seal(server.issuer)
    await server.endpoint()
    assert await server.turn() == 0
    between = server.log.seal(server.issuer)
    await server.endpoint(url=OTHER_URL)
    await server.turn()
    late = server.log.seal(server.issuer)
    await server.turn()
    assert (server.receivers.ids(), server.receivers.ids(OTHER_URL)) == ([between, late], [late])
    assert early not in server.receivers.ids()


async def test_thousands_of_events_are_queued_some_at_a_time_and_none_is_lost(server):
    endpoint, _ = await server.endpoint()
    events = [server.log.seal(server.issuer) for _ in range(2 * EVENTS_AT_ONCE + 7)]
    await server.dispatching.dispatch()
    assert server.log.most_read == EVENTS_AT_ONCE
    assert await server.sending.send_due() == TO_ONE_MAX
    waiting = await server.world.store.at_once(lambda tx: tx.fetch("SELECT event_id FROM webhook_deliveries"))
    assert {ids.encode("evt", row[0]) for row in waiting} == set(events)
    assert len(await server.deliveries(endpoint)) == 100


async def test_of_two_servers_that_queue_the_same_events_one_does(server):
    await server.endpoint()
    for _ in range(20):
        server.log.seal(server.issuer)
    other = server.beside()
    await asyncio.gather(server.dispatching.dispatch(), other.dispatching.dispatch())
    assert await server.turn() == 20


async def test_mints_are_not_even_read_unless_somebody_wants_them(server):
    await server.endpoint()
    server.log.seal(server.issuer, "session.created")
    await server.dispatching.dispatch()
    assert server.log.most_read == 0
    await server.endpoint(url=OTHER_URL, events=("session.created",))
    minted = server.log.seal(server.issuer, "session.created")
    assert await server.turn() == 1
    assert server.receivers.ids(OTHER_URL) == [minted]


async def test_a_server_that_was_away_goes_on_where_it_was(server):
    await server.endpoint()
    server.log.seal(server.issuer)
    await server.turn()
    missed = [server.log.seal(server.issuer) for _ in range(3)]
    again = server.beside()
    assert await again.turn() == 3
    assert server.receivers.ids()[1:] == missed


# Sent


async def test_a_delivery_holds_no_more_than_it_says(world, server):
    """Its body is ``type``, ``timestamp``, ``data``; personal is in it only what the host itself gave us."""
    await server.endpoint()
    event = server.log.seal(
        server.issuer, REVOKED, actor="key_7", targets=("sess_7", "cust_7"), detail={"reissue": False},
        personal={"externalUserId": "ada", "network": "203.0.113.0/24", "email": "ada@example.com"},
    )  # fmt: skip
    await server.turn()
    ((url, headers, body),) = server.receivers.posted
    assert url == URL
    assert headers.keys() == {"content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature"}
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (event, str(int(world.clock())))
    assert json.loads(body) == {
        "type": "session.revoked", "timestamp": "2030-01-01T00:00:00.000Z",
        "data": {
            "environment": "test", "projectId": world.host.issuer.project.id, "actor": "key_7", "sessionId": "sess_7",
            "customerId": "cust_7", "externalUserId": "ada", "reissue": False,
        },
    }  # fmt: skip


async def test_a_failed_delivery_is_tried_again_as_it_was(world, server):
    """The same id and the same body, at another time; and the pause is that of the schedule."""
    endpoint, _ = await server.endpoint()
    server.log.seal(server.issuer)
    server.receivers.answers[URL] = 500
    assert await server.turn() == 1
    delivery = await server.delivery(endpoint)
    assert (delivery.status, delivery.last_status) == ("pending", 500)
    assert 5_000 <= delivery.due_ms - world.clock() * 1000 <= 6_000
    server.receivers.answers[URL] = 200
    assert await server.turn() == 0
    world.clock.advance(seconds=6)
    assert await server.turn() == 1
    (_, first, body), (_, second, same) = server.receivers.posted
    assert (first["webhook-id"], body) == (second["webhook-id"], same)
    assert first["webhook-signature"] != second["webhook-signature"]
    assert (await server.delivery(endpoint)).status == "delivered"


async def test_after_the_last_attempt_a_delivery_has_failed(world, server):
    endpoint, _ = await server.endpoint()
    server.log.seal(server.issuer)
    server.receivers.answers[URL] = Received(None, error="timeout")
    for _ in range(ATTEMPTS_MAX - 1):
        assert await server.turn() == 1
        world.clock.now = (await server.delivery(endpoint)).due_ms / 1000
    assert await server.turn() == 1
    delivery = await server.delivery(endpoint)
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("failed", ATTEMPTS_MAX, "timeout")
    world.clock.advance(seconds=2 * DAY)
    assert await server.turn() == 0


async def test_retry_after_is_respected(world, server):
    endpoint, _ = await server.endpoint()
    server.log.seal(server.issuer)
    server.receivers.answers[URL] = Received(429, "600")
    await server.turn()
    assert (await server.delivery(endpoint)).due_ms == world.clock() * 1000 + 600_000


async def test_a_server_that_dies_while_it_sends_loses_nothing(world, server):
    """Its claim ends, and another one makes the attempt again; the answer that came too late changes nothing."""
    endpoint, _ = await server.endpoint()
    server.log.seal(server.issuer)
    await server.dispatching.dispatch()
    late = asyncio.get_running_loop().create_future()
    server.receivers.answers[URL] = late
    sending = asyncio.create_task(server.sending.send_due())
    await server.receivers.until(1)
    other = server.beside()
    assert await other.turn() == 0, "it is claimed"
    world.clock.advance(milliseconds=LEASE_MS)
    server.receivers.answers[URL] = 204
    assert await other.turn() == 1
    late.set_result(500)
    await sending
    delivery = await server.delivery(endpoint)
    assert (delivery.status, delivery.last_status, len(server.receivers.posted)) == ("delivered", 204, 2)


async def test_what_came_of_an_attempt_is_found_out_again_where_the_store_was_away(world, server):
    endpoint, _ = await server.endpoint()
    server.log.seal(server.issuer)
    await server.dispatching.dispatch()
    answered = asyncio.get_running_loop().create_future()
    server.receivers.answers[URL] = answered
    sending = asyncio.create_task(server.sending.send_due())
    await server.receivers.until(1)
    with world.store.away():
        answered.set_result(204)
        await sending
        with pytest.raises(Unavailable):
            await server.sending.send_due()
    server.receivers.answers[URL] = 204
    world.clock.advance(milliseconds=LEASE_MS)
    assert await server.turn() == 1
    assert (await server.delivery(endpoint)).status == "delivered"


async def test_several_servers_share_what_is_due(server):
    await server.endpoint()
    events = [server.log.seal(server.issuer) for _ in range(40)]
    servers = [server, server.beside(), server.beside()]
    await server.dispatching.dispatch()
    while await asyncio.gather(*(one.sending.send_due() for one in servers)) != [0, 0, 0]:
        pass
    assert sorted(server.receivers.ids()) == sorted(events), "each once"


# Slow receivers


async def test_a_hanging_receiver_holds_up_no_other_and_no_mint(world, server):
    """However much waits for it: it gets its share of what is under way, and once it failed, one at a time."""
    slow, _ = await server.endpoint()
    await server.endpoint(url=OTHER_URL)
    for _ in range(MANY):
        server.log.seal(server.issuer)
    hanging = asyncio.get_running_loop().create_future()
    server.receivers.answers[URL] = hanging
    await server.dispatching.dispatch()
    server.sending.start()
    try:
        await server.receivers.until(MANY, OTHER_URL)
        assert len(server.receivers.ids()) == TO_ONE_MAX
        assert (await world.mint("ada")).id
        hanging.set_result(Received(None, error="timeout"))
        hanging = server.receivers.answers[URL] = asyncio.get_running_loop().create_future()
        await server.receivers.until(TO_ONE_MAX + 1)
    finally:
        hanging.set_result(500)
        await server.sending.stop()
    assert (await server.shown(slow)).failing_since_ms is not None


async def test_an_endpoint_that_fails_gets_one_attempt_at_a_time(world, server):
    endpoint, _ = await server.endpoint()
    server.receivers.answers[URL] = 500
    server.log.seal(server.issuer)
    await server.turn()
    for _ in range(5):
        server.log.seal(server.issuer)
    await server.dispatching.dispatch()
    assert [await server.sending.send_due() for _ in range(6)] == [1, 1, 1, 1, 1, 0]
    server.receivers.answers[URL] = 204
    world.clock.advance(seconds=6)
    assert [await server.sending.send_due() for _ in range(3)] == [1, 5, 0], "and all it can take when it is back"
    assert (await server.shown(endpoint)).failing_since_ms is None


async def test_a_fault_in_following_the_log_holds_up_no_delivery(world):
    """Nor does it end the sender, which tells of it and tries again."""

    class Breaks(Log):
        breaks = False

        async def sealed_after(self, *args, **options):
            if self.breaks:
                raise RuntimeError("a fault of ours")
            return await super().sealed_after(*args, **options)

    server = Server(world, Breaks(world.clock))
    await server.endpoint()
    server.log.seal(server.issuer)
    await server.dispatching.dispatch()
    server.log.breaks = True
    server.log.seal(server.issuer)
    server.sending.start()
    await server.receivers.until(1)
    server.log.breaks = False
    await server.receivers.until(2)
    await server.sending.stop()
    assert "webhooks_failed" in {line["event"] for line in world.log_lines}


async def test_a_sender_ends_though_a_delivery_ends_at_the_same_moment(server):
    """What wakes it must not hide that it was asked to stop."""
    await server.endpoint()
    for _ in range(20):
        answered = server.receivers.answers[URL] = asyncio.get_running_loop().create_future()
        server.log.seal(server.issuer)
        posted = len(server.receivers.posted)
        server.sending.start()
        await server.receivers.until(posted + 1)
        (task,) = server.sending._under_way
        task.add_done_callback(lambda _: server.sending._task and server.sending._task.cancel())
        answered.set_result(204)
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.wait([server.sending._task])
        await server.sending.stop()


# Disabled


async def test_gone_disables_an_endpoint_and_what_waits_is_not_sent(server):
    endpoint, _ = await server.endpoint()
    server.receivers.answers[URL] = 410
    server.log.seal(server.issuer)
    await server.turn()
    shown = await server.shown(endpoint)
    assert (shown.disabled_why, shown.disabled_at) == ("gone", int(server.world.clock()))
    server.log.seal(server.issuer)
    assert await server.turn() == 0
    assert [line for line in server.world.log_lines if line["event"] == "webhook_endpoint_disabled"] == [
        {"event": "webhook_endpoint_disabled", "log_level": "warning", "endpoint": endpoint, "why": "gone"}
    ]


async def test_five_days_without_a_success_disable_an_endpoint(world, server):
    endpoint, _ = await server.endpoint()
    server.receivers.answers[URL] = 500
    for _ in range(5):
        server.log.seal(server.issuer)
        await server.turn()
        world.clock.advance(seconds=DAY)
        assert (await server.shown(endpoint)).disabled_at is None
    server.log.seal(server.issuer)
    await server.turn()
    assert (await server.shown(endpoint)).disabled_why == "failing"


async def test_one_success_begins_the_five_days_anew(world, server):
    endpoint, _ = await server.endpoint()
    for status in (500, 500, 500, 200, 500, 500, 500):
        server.receivers.answers[URL] = status
        server.log.seal(server.issuer)
        await server.turn()
        world.clock.advance(seconds=DAY)
    assert (await server.shown(endpoint)).disabled_at is None


async def test_an_endpoint_for_which_too_much_waits_is_disabled(world):
    """A receiver that cannot keep up with every mint of a busy host must not fill the store."""
    server = Server(world, bounds=Bounds(waiting=3, done=10))
    endpoint, _ = await server.endpoint()
    other, _ = await server.endpoint(url=OTHER_URL, events=("api_key.*",))
    for _ in range(2):
        server.log.seal(server.issuer)
        await server.dispatching.dispatch()
    assert (await server.shown(endpoint)).disabled_at is None
    for _ in range(2):
        server.log.seal(server.issuer)
        await server.dispatching.dispatch()
    assert (await server.shown(endpoint)).disabled_why == "overflowing"
    assert (await server.shown(other)).disabled_at is None
    assert len(await server.deliveries(endpoint)) == 3
    assert [line["why"] for line in world.log_lines if line["event"] == "webhook_endpoint_disabled"] == ["overflowing"]


# Kept, and gone


async def test_of_what_is_done_only_the_newest_are_kept(world):
    server = Server(world, bounds=Bounds(waiting=100, done=3))
    endpoint, _ = await server.endpoint()
    events = [server.log.seal(server.issuer) for _ in range(7)]
    await server.turn()
    server.receivers.answers[URL] = 500
    waits = server.log.seal(server.issuer)
    await server.turn()
    assert await server.dispatching.purge() == 4
    kept = [delivery.public_event_id for delivery in await server.deliveries(endpoint)]
    assert kept == [waits, *reversed(events[-3:])]
    assert await server.dispatching.purge() == 0


async def test_what_is_done_is_kept_for_a_week_and_what_waits_for_longer(world, server):
    done, _ = await server.endpoint()
    waits, _ = await server.endpoint(url=OTHER_URL)
    server.log.seal(server.issuer)
    await server.dispatching.dispatch()
    server.receivers.answers[OTHER_URL] = 500
    await server.sending.send_due()
    world.clock.advance(seconds=7 * DAY)
    assert await server.dispatching.purge() == 0
    world.clock.advance(seconds=1)
    assert await server.dispatching.purge() == 1
    assert (await server.deliveries(done), len(await server.deliveries(waits))) == ([], 1)
    world.clock.advance(seconds=7 * DAY)
    assert await server.dispatching.purge() == 1
    assert await server.deliveries(waits) == []


async def test_of_a_deleted_endpoint_nothing_is_sent_and_nothing_stays(world, server):
    endpoint, _ = await server.endpoint()
    for _ in range(3):
        server.log.seal(server.issuer)
    await server.dispatching.dispatch()
    await server.webhooks.delete(server.issuer, endpoint, actor=OPERATOR)
    assert await server.turn() == 0
    assert await server.dispatching.purge() == 3
    for table in ("webhook_endpoints", "webhook_secrets", "webhook_deliveries"):
        assert await world.store.at_once(lambda tx, table=table: tx.fetch(f"SELECT * FROM {table}")) == []
