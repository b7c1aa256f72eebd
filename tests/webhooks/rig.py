"""Webhooks over a world's store, fed with events that a test writes, and sent to receivers that a test scripts."""

from __future__ import annotations

import asyncio
import itertools
import random

from guestpass.core import ids
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.audit.feed import Feed, SealedEvent
from guestpass.server.storage.sealing import Sealer
from guestpass.server.webhooks.attempts import Received
from guestpass.server.webhooks.dispatching import BOUNDS, Dispatching
from guestpass.server.webhooks.sending import Sending
from guestpass.server.webhooks.service import Webhooks
from world import MASTER_KEY

URL = "https://hooks.example.com/guestpass"
OTHER_URL = "https://other.example.com/guestpass"
REVOKED = "session.revoked"
WAIT_SECONDS = 60


class Log:
    """An audit log in a list; a feed of all servers of a store."""

    def __init__(self, clock):
        self.events = []
        self.most_read = 0
        self._clock = clock
        self._numbers = itertools.count()

    def seal(self, issuer, action=REVOKED, *, actor="key_1", targets=("sess_1",), **fields):
        """Add an event of now; return its id."""
        at_ms = int(self._clock() * 1000)
        word = "sess" if action == "session.created" else "evt"
        event = SealedEvent(
            position=len(self.events),
            id=ids.encode(word, ids.time_ordered(at_ms, next(self._numbers).to_bytes(10, "big"))),
            issuer=issuer, at_ms=at_ms, action=action, actor=actor, request_id="req_1", targets=targets,
            detail=fields.get("detail", {}), personal=fields.get("personal", {}),
        )  # fmt: skip
        self.events.append(event)
        return event.id

    async def sealed_after(self, tx, position, limit, *, sessions_of=()):
        found = []
        for event in self.events[position:]:
            if len(found) == limit:
                break
            position += 1
            if event.action != "session.created" or event.issuer in sessions_of:
                found.append(event)
        self.most_read = max(self.most_read, len(found))
        return Feed(found, position)

    async def end(self, tx):
        return len(self.events)


class Receivers:
    """Notes what is posted, and answers by URL: a status, what was received, or a future that a test resolves."""

    def __init__(self):
        self.posted = []  # (url, headers, body)
        self.answers = {}
        self._posted = asyncio.Event()

    async def __call__(self, destination, headers, body):
        self.posted.append((destination.url, dict(headers), body.decode()))
        self._posted.set()
        answer = self.answers.get(destination.url, 204)
        if not isinstance(answer, int | Received):
            answer = await answer
        return answer if isinstance(answer, Received) else Received(answer)

    def ids(self, url=URL):
        return [headers["webhook-id"] for to, headers, _ in self.posted if to == url]

    async def until(self, count, url=URL):
        """Wait until so many were posted to a URL; for ever would end the whole run."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.ids(url)) < count:
                self._posted.clear()
                await self._posted.wait()


class Server:
    """What one server process does about webhooks. ``log``, ``receivers``: may be those of another one's."""

    def __init__(self, world, log=None, receivers=None, *, seed=3, clock=None, local_allowed=True, bounds=BOUNDS):
        self.world = world
        self.log = log or Log(world.clock)
        self.receivers = receivers or Receivers()
        self.entropy = random.Random(seed).randbytes
        self.issuer = world.host.issuer.number
        sealer, clock = Sealer(MASTER_KEY), clock or world.clock
        self.webhooks = Webhooks(world.store, self.log, sealer, clock, self.entropy)
        self.dispatching = Dispatching(world.store, self.log, world.service.issuers, clock, bounds)
        self.sending = Sending(
            world.store, sealer, self.dispatching.dispatch, self.receivers, clock, self.entropy, local_allowed=local_allowed
        )  # fmt: skip

    def beside(self):
        """Return another server of the same store, which reads the same log and calls the same receivers."""
        return Server(self.world, self.log, self.receivers, seed=self.entropy(4))

    async def endpoint(self, *, url=URL, events=(REVOKED,), issuer=None):
        """Make an endpoint; return its id and its secret."""
        new = await self.webhooks.create(issuer or self.issuer, actor=OPERATOR, url=url, description="", events=events)
        return new.described.endpoint.public_id, new.secret

    async def turn(self):
        """Queue what is sealed, and send what is due, until nothing is; return how many deliveries that were."""
        await self.dispatching.dispatch()
        sent = 0
        while some := await self.sending.send_due():
            sent += some
        return sent

    async def one_delivery(self):
        """Make an endpoint and send it an event; return the ids of both."""
        endpoint, _ = await self.endpoint()
        event = self.log.seal(self.issuer)
        assert await self.turn() == 1
        return endpoint, event

    async def shown(self, endpoint_id):
        return (await self.webhooks.get(self.issuer, endpoint_id)).endpoint

    async def deliveries(self, endpoint_id):
        return await self.webhooks.deliveries(self.issuer, endpoint_id, below=ids.AFTER_ALL, limit=100)

    async def delivery(self, endpoint_id):
        """Return the one delivery to an endpoint."""
        (delivery,) = await self.deliveries(endpoint_id)
        return delivery
