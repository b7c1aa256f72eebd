"""Follow the events of one issuer and post them to an address on this machine: for whoever writes a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from guestpass.core.webhooks import subscriptions
from guestpass.core.webhooks.destination import Destination
from guestpass.server.audit.feed import SealedEvent
from guestpass.server.clock import Clock
from guestpass.server.projects.service import Issuer
from guestpass.server.storage.store import Store
from guestpass.server.webhooks.attempts import Post, Received
from guestpass.server.webhooks.bodies import body_of
from guestpass.server.webhooks.model import MINTED, AuditLog
from guestpass.server.webhooks.signing import headers_of

EVENTS_AT_ONCE = 100


class Forwarded(NamedTuple):
    event: SealedEvent
    received: Received


class Listening:
    """Queues nothing and tries nothing twice: what is not received is told, and that is all."""

    def __init__(
        self, store: Store, log: AuditLog, post: Post, clock: Clock, *, issuer: Issuer, events: tuple[str, ...]
    ) -> None:
        self._store = store
        self._log = log
        self._post = post
        self._clock = clock
        self._issuer = issuer
        self._events = events
        self._position = 0

    async def begin(self) -> None:
        """Follow from here on."""
        self._position = await self._store.read(self._log.end)

    async def forward(self, destination: Destination, secret: str) -> AsyncIterator[Forwarded]:
        """Post what was sealed since the last time, one after the other."""
        minted = {self._issuer.number} if subscriptions.wants(self._events, MINTED) else set()
        while True:
            events, ends = await self._store.read(
                lambda tx: self._log.sealed_after(tx, self._position, EVENTS_AT_ONCE, sessions_of=minted)
            )
            if ends <= self._position:
                return
            self._position = ends
            for event in events:
                if event.issuer == self._issuer.number and subscriptions.wants(self._events, event.action):
                    body = body_of(event, self._issuer)
                    headers = headers_of(event.id, body, [secret], now=int(self._clock()))
                    yield Forwarded(event, await self._post(destination, headers, body.encode()))
