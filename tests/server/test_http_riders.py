"""What rides with a request (its proof against replay, its Idempotency-Key) is in the transaction of what it writes."""

from __future__ import annotations

import msgspec
import pytest

from guestpass.server.http.exchange import Exchange
from guestpass.server.storage.store import Rider
from webhooks.rig import Server

SAFE = {"GET", "HEAD"}
BODIES = {
    "POST /v1/session-tokens": {"externalUserId": "ada"},
    "POST /sessions": {"user": {"id": "ada"}},
    "DELETE /v1/session-tokens/{id}": None,
    "POST /v1/sessions/revoke": {"externalUserId": "ada"},
    "POST /v1/sessions/revoke by id": {"id": "{sess}"},
    "DELETE /v1/session": None,
    "POST /v1/customers/{id}/block": None,
    "POST /v1/customers/{id}/unblock": None,
    "POST /v1/users/revoke": {"externalUserId": "ada"},
    "POST /v1/api-keys": {"name": "backend"},
    "POST /v1/api-keys/{id}": {"name": "renamed"},
    "POST /v1/api-keys/{id}/rotate": {},
    "POST /v1/api-keys/{id}/revoke": {"keepSessions": True},
    "POST /v1/webhook-endpoints": {"url": "https://hooks.example.com/guestpass"},
    "POST /v1/webhook-endpoints/{id}": {"description": "renamed"},
    "POST /v1/webhook-endpoints/{id}/rotate": {},
    "POST /v1/webhook-endpoints/{id}/resend": {"eventId": "{evt}"},
    "DELETE /v1/webhook-endpoints/{id}": None,
    "POST /oauth/revoke": {"token": "{token}"},
    "POST /v1/auth/login": {"externalUserId": "ada"},
    "POST /v1/auth/refresh": {"sessionId": "{login}"},
    "POST /v1/auth/logout": {"externalUserId": "ada", "everywhere": True},
    "POST /oauth/token": {"grant_type": "refresh_token", "refresh_token": "{refresh}"},
}
ID_OF = {
    "session-tokens": "sess",
    "sessions": "sess",
    "customers": "cust",
    "api-keys": "key",
    "webhook-endpoints": "we",
}


class Witness:
    """A rider that counts; where it ``refuses``, nothing is to be done."""

    def __init__(self, refusal=None):
        self.refusal = refusal
        self.checked = self.noted = 0

    async def check(self, _, items):
        self.checked += len(items)
        return [self.refusal for _ in items]

    async def note(self, _, items):
        self.noted += len(items)
        return [None for _ in items]

    @property
    def riders(self):
        return (Rider(self.check, self, self.note),)


async def handle(world, name, riders):
    """Call the handler of a route as the application does, for a request that succeeds."""
    ada, login = await world.mint("ada"), await world.host.login("bob")
    endpoint, event = await Server(world).one_delivery()
    ids = {
        "sess": ada.id, "cust": (await world.host.session(ada))["customerId"], "key": (await world.key()).id,
        "we": endpoint, "evt": event, "login": login.id, "refresh": login.refresh_token,
    }  # fmt: skip
    method, path = name.split(" ")[:2]
    word = next((word for word in path.split("/") if word in ID_OF), "sessions")
    found = world.app.routes.match(method, path.replace("{id}", ids[ID_OF[word]]))
    call = Exchange({"method": method, "headers": []}, None, "req_1", world.service.proxies)
    call.parameters = found.parameters
    call.caller = await world.service.api_keys.authenticate(world.host.secret)
    call.token = ada.token
    body = BODIES[name] and {
        field: value.format(**ids, token=ada.token) if isinstance(value, str) else value
        for field, value in BODIES[name].items()
    }
    call.body = None if body is None else msgspec.convert(body, found.route.body or found.route.form)
    call.riders = riders
    return await found.route.handler(call)


async def test_every_route_that_writes_is_tried(world):
    tried = {" ".join(name.split(" ")[:2]) for name in BODIES}
    assert {f"{r.method} {r.path}" for r in world.app.routes.routes if r.writes and r.method not in SAFE} == tried


@pytest.mark.parametrize("name", BODIES)
async def test_what_rides_along_is_checked_and_noted_exactly_once(world, name):
    witness = Witness()
    assert (await handle(world, name, witness.riders)).status < 300
    assert (witness.checked, witness.noted) == (1, 1)


@pytest.mark.parametrize("name", BODIES)
async def test_what_rides_along_can_refuse_the_whole_request(world, name):
    class NotAgain(Exception):
        pass

    witness = Witness(NotAgain())
    before = await world.host.sessions()
    with pytest.raises(NotAgain):
        await handle(world, name, witness.riders)
    assert (witness.checked, witness.noted) == (1, 0)
    after = await world.host.sessions()
    assert [one["status"] for one in after] == ["active"] * (len(before) + 2), "those that requests are about"
