"""Webhook endpoints over HTTP: made, changed, rotated, disabled and deleted; and what was sent to them."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from engines import EVERY_ENGINE
from guestpass.core import times
from guestpass.core.webhooks.subscriptions import DEFAULT_EVENTS
from guestpass.errors import ValidationFailed
from guestpass.server.webhooks.signing import headers_of
from webhooks.rig import URL, Server
from world import START, World

ENGINES = EVERY_ENGINE
PATH = "/v1/webhook-endpoints"
FACTS = {
    "id", "url", "description", "environment", "projectId", "events", "status", "disabledReason", "disabledAt",
    "failingSince", "createdAt", "secrets",
}  # fmt: skip


def at(seconds):
    return times.of_seconds(int(START) + seconds)


@pytest.fixture
def server(world):
    return Server(world)


async def made(host, **fields):
    reply = await host.post(PATH, {"url": URL} | fields)
    assert reply.status == 201, reply.body
    return reply.json


async def changed(host, endpoint, **fields):
    reply = await host.post(f"{PATH}/{endpoint['id']}", fields)
    assert reply.status == 200, reply.body
    return reply.json


async def rotated(host, endpoint, **fields):
    reply = await host.post(f"{PATH}/{endpoint['id']}/rotate", fields)
    assert reply.status == 201, reply.body
    return reply.json


async def shown(host, endpoint):
    reply = await host.get(f"{PATH}/{endpoint['id']}")
    assert reply.status == 200, reply.body
    return reply.json


async def deliveries(host, endpoint, **query):
    reply = await host.get(f"{PATH}/{endpoint['id']}/deliveries", query=query)
    assert reply.status == 200, reply.body
    return reply.json["data"]


# Making


async def test_a_new_endpoint_has_a_secret_that_is_shown_once(world):
    """32 bytes of base64, as every library of Standard Webhooks reads it; in no other answer, in no log, sealed at rest."""
    endpoint = await made(world.host, description="billing")
    secret = endpoint.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert endpoint == {
        "id": endpoint["id"], "url": URL, "description": "billing", "environment": "test",
        "projectId": world.host.issuer.project.id, "events": list(DEFAULT_EVENTS), "status": "enabled",
        "disabledReason": None, "disabledAt": None, "failingSince": None, "createdAt": at(0),
        "secrets": [{"createdAt": at(0), "endsAt": None}],
    }  # fmt: skip
    assert endpoint.keys() == FACTS
    assert await shown(world.host, endpoint) == endpoint
    assert (await world.host.get(PATH)).json == {"data": [endpoint], "nextCursor": None}
    assert secret not in str(world.log_lines)
    rows = await world.store.at_once(lambda tx: tx.fetch("SELECT sealed_secret FROM webhook_secrets"))
    assert len(rows) == 1
    assert base64.b64decode(secret.removeprefix("whsec_")) not in rows[0][0]
    assert secret.encode() not in rows[0][0]


async def test_events_may_be_chosen_mints_among_them(world):
    endpoint = await made(world.host, events=["session.created", "api_key.*", "api_key.*"])
    assert endpoint["events"] == ["session.created", "api_key.*"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"url": "http://example.com/hook"}, "url"),
        ({"url": "https://10.0.0.1/hook"}, "url"),
        ({"url": "https://user:pass@example.com/hook"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": ""}, "url"),
        ({"url": "https://example.com/" + "a" * 2048}, "url"),
        ({"url": None}, "url"),
        ({"events": []}, "events"),
        ({"events": ["session.minted"]}, "events[0]"),
        ({"events": ["session.revoked", "*"]}, "events[1]"),
        ({"events": "session.revoked"}, "events"),
        ({"description": "a\nb"}, "description"),
        ({"description": "a" * 256}, "description"),
        ({"secret": "whsec_mine"}, "secret"),
        ({"enabled": False}, "enabled"),
    ],
)
async def test_bad_input_names_the_field_and_the_rule(world, fields, path):
    reply = await world.host.post(PATH, {"url": URL} | fields)
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert reply.json["details"][0]["path"] == path
    endpoint = await made(world.host)
    if path != "enabled":
        assert (await world.host.post(f"{PATH}/{endpoint['id']}", fields)).code == "VALIDATION_ERROR"


async def test_localhost_is_for_test_alone(world):
    local = {"url": "http://localhost:3000/hook"}
    assert (await world.host.post(PATH, local)).status == 201
    assert (await world.live.post(PATH, local)).code == "VALIDATION_ERROR"
    endpoint = await made(world.live)
    assert (await world.live.post(f"{PATH}/{endpoint['id']}", local)).code == "VALIDATION_ERROR"


async def test_localhost_is_for_servers_alone_that_the_world_does_not_reach():
    """Elsewhere it is the operator's machine, and nothing that a developer means."""
    async with World.opened(public_url="https://auth.example.com") as world:
        with pytest.raises(ValidationFailed, match="on this machine"):
            world.service.webhooks.wishes.url_of("http://localhost:3000/hook", "test")


async def test_an_endpoint_that_was_on_this_machine_is_sent_nothing_when_the_server_has_moved(world):
    endpoint = await made(world.host, url="http://localhost:3000/hook", events=["session.revoked"])
    server = Server(world, local_allowed=False)
    server.log.seal(server.issuer)
    await server.turn()
    assert server.receivers.posted == []
    assert (await deliveries(world.host, endpoint))[0]["lastError"] == "refused_address"


async def test_of_a_project_there_are_sixteen_endpoints_at_most(world):
    endpoints = [await made(world.host) for _ in range(16)]
    assert (await world.host.post(PATH, {"url": URL})).code == "CONFLICT"
    assert (await made(world.neighbour))["id"]
    await world.host.delete(f"{PATH}/{endpoints[0]['id']}")
    assert (await made(world.host))["id"]


@pytest.mark.parametrize("what", ["a create", "a rotation"])
async def test_what_is_sent_again_is_done_once_and_tells_the_secret_again(world, what):
    """Until it was rotated: then nobody can tell."""
    path, body, again = PATH, {"url": URL}, {"headers": {"idempotency-key": "k1"}}
    if what == "a rotation":
        path, body = f"{PATH}/{(await made(world.host))['id']}/rotate", {}
    first, second = [(await world.host.post(path, body, **again)).json for _ in range(2)]
    assert first == second
    assert len((await world.host.get(PATH)).json["data"]) == 1
    await rotated(world.host, first)
    assert (await world.host.post(path, body, **again)).code == "CONFLICT"


async def test_a_key_that_was_revoked_a_moment_ago_changes_nothing(world):
    """It is asked again in the transaction that writes, whatever a server remembers of it."""
    endpoint, event = await Server(world).one_delivery()
    manager = await world.key(can=["manage", "read"])
    assert (await manager.get(PATH)).status == 200, "from here on it is remembered"
    await (await world.beside()).revoke_key(manager)
    before = await shown(world.host, {"id": endpoint})
    for path, body in (("", {"url": URL}), (f"/{endpoint}", {"enabled": False}), (f"/{endpoint}/rotate", {})):
        assert (await manager.post(f"{PATH}{path}", body)).code == "UNAUTHORIZED"
    assert (await manager.post(f"{PATH}/{endpoint}/resend", {"eventId": event})).code == "UNAUTHORIZED"
    assert (await manager.delete(f"{PATH}/{endpoint}")).code == "UNAUTHORIZED"
    assert await shown(world.host, {"id": endpoint}) == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", PATH, {"url": URL}),
        ("POST", f"{PATH}/{{id}}", {"enabled": False}),
        ("POST", f"{PATH}/{{id}}/rotate", {}),
        ("POST", f"{PATH}/{{id}}/resend", {"eventId": "evt_1"}),
        ("DELETE", f"{PATH}/{{id}}", None),
        ("GET", PATH, None),
        ("GET", f"{PATH}/{{id}}", None),
        ("GET", f"{PATH}/{{id}}/deliveries", None),
    ],
)
async def test_writing_takes_manage_and_reading_takes_read(world, method, path, body):
    endpoint = await made(world.host)
    needed = "read" if method == "GET" else "manage"
    lacking = await world.key(can=sorted({"mint", "read", "revoke", "verify", "manage"} - {needed}))
    reply = await world.http.request(method, path.format(id=endpoint["id"]), json=body, bearer=lacking.secret)
    assert (reply.status, reply.code) == (403, "FORBIDDEN")


async def test_the_list_is_in_pages_newest_first(world):
    endpoints = []
    for _ in range(3):
        endpoints.insert(0, (await made(world.host))["id"])
        world.clock.advance(seconds=1)
    first = (await world.host.get(PATH, query={"limit": 2})).json
    second = (await world.host.get(PATH, query={"limit": 2, "cursor": first["nextCursor"]})).json
    assert [one["id"] for one in first["data"] + second["data"]] == endpoints
    assert second["nextCursor"] is None


# Changing


async def test_what_is_not_named_stays(world):
    endpoint = await made(world.host, events=["session.revoked"], description="one")
    del endpoint["secret"]
    assert await changed(world.host, endpoint) == endpoint
    other = await changed(world.host, endpoint, url="https://other.example.com/", events=["customer.*"], description="")
    assert other == endpoint | {"url": "https://other.example.com/", "events": ["customer.*"], "description": ""}


async def test_a_disabled_endpoint_gets_nothing_and_an_enabled_one_what_waited(world, server):
    """What happened in between it never gets."""
    endpoint = await made(world.host)
    waited = server.log.seal(server.issuer)
    await server.dispatching.dispatch()
    disabled = await changed(world.host, endpoint, enabled=False)
    assert (disabled["status"], disabled["disabledReason"], disabled["disabledAt"]) == ("disabled", "by_request", at(0))
    world.clock.advance(seconds=60)
    server.log.seal(server.issuer)
    assert await server.turn() == 0
    enabled = await changed(world.host, endpoint, enabled=True)
    assert [enabled[name] for name in ("status", "disabledReason", "disabledAt")] == ["enabled", None, None]
    webhooks = Server(world, server.log, server.receivers).webhooks  # the service's own knows another log
    assert (await webhooks.get(server.issuer, endpoint["id"])).endpoint.disabled_at is None
    await server.sending.send_due()
    assert server.receivers.ids() == [waited]


async def test_an_endpoint_that_failed_for_days_shows_it_and_begins_anew_when_it_is_enabled(world, server):
    endpoint = await made(world.host)
    server.receivers.answers[URL] = 500
    server.log.seal(server.issuer)
    await server.turn()
    assert (await shown(world.host, endpoint))["failingSince"] == "2030-01-01T00:00:00.000Z"
    world.clock.advance(seconds=5 * 86_400)
    await server.turn()
    disabled = await shown(world.host, endpoint)
    assert (disabled["status"], disabled["disabledReason"]) == ("disabled", "failing")
    assert (await world.host.get(PATH)).json["data"] == [disabled]
    assert (await changed(world.host, endpoint, enabled=True))["failingSince"] is None


async def test_a_deleted_endpoint_is_gone(world):
    endpoint = await made(world.host)
    reply = await world.host.delete(f"{PATH}/{endpoint['id']}")
    assert (reply.status, reply.json) == (200, {"id": endpoint["id"], "deletedAt": at(0)})
    assert (await world.host.get(PATH)).json["data"] == []
    for path in ("", "/deliveries"):
        assert (await world.host.get(f"{PATH}/{endpoint['id']}{path}")).code == "NOT_FOUND"
    assert (await world.host.post(f"{PATH}/{endpoint['id']}", {"enabled": True})).code == "NOT_FOUND"
    assert (await world.host.delete(f"{PATH}/{endpoint['id']}")).code == "NOT_FOUND"


async def test_what_is_done_to_an_endpoint_is_in_the_audit_log_without_its_address_and_secret(world, server):
    endpoint = await made(world.host)
    await changed(world.host, endpoint, url="https://other.example.com/", enabled=False)
    await changed(world.host, endpoint, enabled=True)
    await rotated(world.host, endpoint)
    server.receivers.answers["https://other.example.com/"] = 410
    server.log.seal(server.issuer)
    await server.turn()
    await world.host.delete(f"{PATH}/{endpoint['id']}")
    rows = await world.store.at_once(
        lambda tx: tx.fetch(
            "SELECT action, actor, targets, detail FROM audit_events WHERE action LIKE 'webhook_endpoint.%' ORDER BY id"
        )
    )
    events = sorted(action.removeprefix("webhook_endpoint.") for action, *_ in rows)
    assert events == ["created", "deleted", "disabled", "updated", "updated", "updated"]
    assert {actor for _, actor, *_ in rows} == {world.host.id, "system"}
    assert {targets for _, _, targets, _ in rows} == {f'["{endpoint["id"]}"]'}
    assert "example.com" not in str(rows)
    assert "whsec_" not in str(rows)


# Rotating


def verified(secret, posted):
    _, headers, body = posted
    return Webhook(secret).verify(body, headers)["type"]


async def test_during_the_overlap_a_delivery_is_signed_with_both_secrets(world, server):
    endpoint = await made(world.host)
    new = await rotated(world.host, endpoint, overlapSeconds=60)
    assert [one["endsAt"] for one in new["secrets"]] == [None, at(60)]
    assert new["secret"] != endpoint["secret"]
    world.clock.advance(seconds=59)
    server.log.seal(server.issuer)
    await server.turn()
    _, headers, body = server.receivers.posted[0]
    for signature, secret in zip(
        headers["webhook-signature"].split(), (new["secret"], endpoint["secret"]), strict=True
    ):
        moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        assert Webhook(secret).sign(headers["webhook-id"], moment, body) == signature


def test_a_receiver_with_either_secret_accepts_a_delivery():
    """By the library of Standard Webhooks, which looks at its own clock."""
    texts = [f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(3)]
    headers = dict(headers_of("evt_1", '{"type":"x"}', texts[:2], now=int(time.time())))
    for text in texts[:2]:
        assert Webhook(text).verify('{"type":"x"}', headers) == {"type": "x"}
    with pytest.raises(WebhookVerificationError):
        Webhook(texts[2]).verify('{"type":"x"}', headers)


async def test_a_delivery_verifies_with_the_standards_own_library(world):
    server = Server(world, clock=time.time)
    endpoint = await made(world.host)
    server.log.seal(server.issuer)
    await server.turn()
    (posted,) = server.receivers.posted
    assert verified(endpoint["secret"], posted) == "session.revoked"
    url, headers, body = posted
    for forged in (
        (url, headers, body.replace("revoked", "created")),
        (url, headers | {"webhook-id": "evt_2"}, body),
        (url, headers | {"webhook-timestamp": str(int(time.time()) - 1)}, body),
    ):
        with pytest.raises(WebhookVerificationError):
            verified(endpoint["secret"], forged)
    with pytest.raises(WebhookVerificationError):
        verified((await made(world.host))["secret"], posted)


async def test_after_the_overlap_only_the_new_secret_signs(world, server):
    endpoint = await made(world.host)
    await rotated(world.host, endpoint, overlapSeconds=60)
    world.clock.advance(seconds=60)
    server.log.seal(server.issuer)
    await server.turn()
    assert len(server.receivers.posted[0][1]["webhook-signature"].split()) == 1
    assert len((await shown(world.host, endpoint))["secrets"]) == 1


async def test_an_overlap_of_nothing_ends_the_older_secrets_at_once(world):
    endpoint = await made(world.host)
    assert len((await rotated(world.host, endpoint, overlapSeconds=0))["secrets"]) == 1


async def test_of_an_endpoint_five_secrets_are_in_use_at_most(world):
    endpoint = await made(world.host)
    for _ in range(4):
        await rotated(world.host, endpoint)
    assert (await world.host.post(f"{PATH}/{endpoint['id']}/rotate", {})).code == "CONFLICT"
    assert len((await rotated(world.host, endpoint, overlapSeconds=0))["secrets"]) == 1


# What was sent


async def test_deliveries_are_listed_newest_first_with_what_came_of_them(world, server):
    endpoint = await made(world.host, events=["session.revoked", "customer.*"])
    first = server.log.seal(server.issuer)
    await server.turn()
    world.clock.advance(seconds=1)
    server.receivers.answers[URL] = 503
    second = server.log.seal(server.issuer, "customer.blocked")
    await server.turn()
    newest, oldest = await deliveries(world.host, endpoint)
    assert oldest == {
        "eventId": first, "type": "session.revoked", "status": "delivered", "attempts": 1, "nextAttemptAt": None,
        "lastStatus": 204, "lastError": None, "occurredAt": "2030-01-01T00:00:00.000Z", "deliveredAt": at(0),
    }  # fmt: skip
    assert [newest[name] for name in ("eventId", "type", "status", "lastStatus", "deliveredAt")] == [
        second, "customer.blocked", "pending", 503, None,
    ]  # fmt: skip
    assert newest["nextAttemptAt"] > "2030-01-01T00:00:06"
    page = (await world.host.get(f"{PATH}/{endpoint['id']}/deliveries", query={"limit": 1})).json
    assert [page["data"], await deliveries(world.host, endpoint, cursor=page["nextCursor"])] == [[newest], [oldest]]


async def test_a_resend_begins_a_new_round_with_the_same_id(world, server):
    endpoint = await made(world.host)
    event = server.log.seal(server.issuer)
    await server.turn()
    reply = await world.host.post(f"{PATH}/{endpoint['id']}/resend", {"eventId": event})
    assert (reply.status, reply.json["status"], reply.json["attempts"]) == (200, "pending", 0)
    assert await server.turn() == 1
    assert server.receivers.ids() == [event, event]
    assert server.receivers.posted[0][2] == server.receivers.posted[1][2]


@pytest.mark.parametrize("event", ["evt_01q3dcbd00fkhb236cvbnzk61r", "evt_1", "", "sess_01q3dcbd00fkhb236cvbnzk61r"])
async def test_what_was_not_sent_is_not_sent_again(world, event):
    endpoint = await made(world.host)
    assert (await world.host.post(f"{PATH}/{endpoint['id']}/resend", {"eventId": event})).code == "NOT_FOUND"


async def test_to_a_disabled_endpoint_nothing_is_sent_again(world, server):
    endpoint = await made(world.host)
    event = server.log.seal(server.issuer)
    await server.turn()
    await changed(world.host, endpoint, enabled=False)
    assert (await world.host.post(f"{PATH}/{endpoint['id']}/resend", {"eventId": event})).code == "CONFLICT"
