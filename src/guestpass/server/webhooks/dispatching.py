"""Follow the audit log, and queue a delivery for each event and endpoint that wants it.

An act of the service writes its event and nothing else. What is sealed is read here, after the answer: so whoever
receives it, and however slowly, no mint waits. Of several servers one queues what the others have not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import structlog

from guestpass.core import ids
from guestpass.core.webhooks import subscriptions
from guestpass.server.audit.feed import Feed, SealedEvent
from guestpass.server.audit.service import STORE
from guestpass.server.clock import Clock
from guestpass.server.projects.service import Issuer, Issuers
from guestpass.server.storage import facts
from guestpass.server.storage.batches import batch_by_batch
from guestpass.server.storage.store import Locks, Store, Transaction
from guestpass.server.webhooks import changes, queue, sql
from guestpass.server.webhooks.bodies import body_of, without_names
from guestpass.server.webhooks.changes import POSITION
from guestpass.server.webhooks.model import MINTED, AuditLog, Delivery, Endpoint, WhyDisabled, event_id_of

EVENTS_AT_ONCE = 200  # in one act: some milliseconds, in which a lane of PostgreSQL commits nothing else
PURGE_BATCH = 500
KEPT_DAYS = 7  # of what is done, from the event on
KEPT_DAYS_MAX = 14  # of what is not: longer than the last attempt may take
ERASED = "customer.erased"
OVERFLOWING: WhyDisabled = "overflowing"
_DAY_MS = 86_400_000

log = structlog.get_logger("guestpass")


class Bounds(NamedTuple):
    """``waiting``: deliveries that are not done, from which on the endpoint is disabled. ``done``: that are kept."""

    waiting: int
    done: int


BOUNDS = Bounds(waiting=100_000, done=10_000)  # some 60 MB


class _Read(NamedTuple):
    """All events between two positions that somebody may want."""

    begins: int
    ends: int
    events: list[SealedEvent]
    issuers: dict[int, Issuer]


class Dispatching:
    """``bounds``: of what one endpoint may have in the store."""

    def __init__(self, store: Store, log: AuditLog, issuers: Issuers, clock: Clock, bounds: Bounds = BOUNDS) -> None:
        self._store = store
        self._log = log
        self._issuers = issuers
        self._clock = clock
        self._bounds = bounds

    async def dispatch(self) -> None:
        """Queue what was sealed since the last time. Called every second."""
        while read := await self._read():
            for event in read.events:
                if event.action == ERASED:  # before the position moves past it
                    await self._forget(event)
            for full in await self._store.write(self._queue_each, read):
                log.warning("webhook_endpoint_disabled", endpoint=full.public_id, why=OVERFLOWING)

    async def _read(self) -> _Read | None:
        """Read beside the writer, which then has nothing to do where there is nothing new."""

        async def query(tx: Transaction) -> tuple[int, Feed] | None:
            endpoints = await sql.enabled(tx)
            if not endpoints:
                return None
            position = await _position(tx)
            minted = {each.issuer for each in endpoints if subscriptions.wants(each.events, MINTED)}
            some = await self._log.sealed_after(tx, position, EVENTS_AT_ONCE, sessions_of=minted)
            return (position, some) if some.position > position else None

        found = await self._store.read(query)
        if found is None:
            return None
        begins, (events, ends) = found
        told = [event for event in events if _is_told(event)]
        issuers = {number: await self._issuers.by_number(number) for number in {event.issuer for event in told}}
        return _Read(begins, ends, told, issuers)

    async def _forget(self, erased: SealedEvent) -> None:
        """Take the names of a customer who was erased out of what is kept, and of what is still to be sent."""
        for endpoint in await self._store.read(sql.all_of_them):
            if endpoint.issuer == erased.issuer:
                for customer_id in erased.targets:
                    found = await self._store.read(partial(queue.about, endpoint=endpoint, public_id=customer_id))
                    for start in range(0, len(found), PURGE_BATCH):
                        await self._store.write(_forget_each, found[start : start + PURGE_BATCH])

    async def purge(self) -> int:
        """Drop what is old, and what is left of endpoints that were deleted; return how many rows went."""
        now_ms = int(self._clock() * 1000)

        async def act(tx: Transaction, items: list[Endpoint]) -> list[int]:
            await tx.lock(Locks.WEBHOOKS, [0])
            return [await _purge_some(tx, endpoint, now_ms, self._bounds.done) for endpoint in items]

        endpoints = await self._store.read(sql.all_of_them)
        return sum([await batch_by_batch(self._store, act, endpoint) for endpoint in endpoints])

    async def _queue_each(self, tx: Transaction, items: list[_Read]) -> list[list[Endpoint]]:
        await tx.lock(Locks.WEBHOOKS, [0])
        return [await _queue(tx, read, self._bounds.waiting) for read in items]


async def _forget_each(tx: Transaction, items: list[list[Delivery]]) -> list[None]:
    await tx.lock(Locks.WEBHOOKS, [0])
    for delivery in (each for some in items for each in some):
        await queue.put_body(tx, delivery, without_names(delivery.body))
    return [None] * len(items)


async def _position(tx: Transaction) -> int:
    return int(await facts.get(tx, POSITION) or b"0")


def _is_told(event: SealedEvent) -> bool:
    """Say whether webhooks are for events of this kind: those of an issuer, and not about webhooks themselves."""
    return event.action in subscriptions.EVENTS and event.issuer != STORE


async def _queue(tx: Transaction, read: _Read, waiting_max: int) -> list[Endpoint]:
    """Queue deliveries of some events, unless another server did; return the endpoints for which too many wait."""
    if await _position(tx) != read.begins:
        return []
    now_ms = await tx.now_ms()
    endpoints = await sql.enabled(tx)
    deliveries = [
        delivery
        for event in read.events
        for delivery in _deliveries(event, endpoints, read.issuers[event.issuer], now_ms)
    ]
    await queue.add(tx, deliveries)
    await facts.put(tx, POSITION, str(read.ends).encode())
    full: list[Endpoint] = []
    for endpoint_id in {delivery.endpoint_id for delivery in deliveries}:
        endpoint = next(each for each in endpoints if each.id == endpoint_id)
        if await queue.waiting(tx, endpoint, most=waiting_max) >= waiting_max:
            await changes.disable(tx, endpoint, OVERFLOWING, now_ms=now_ms)
            full.append(endpoint)
    return full


def _deliveries(event: SealedEvent, endpoints: Sequence[Endpoint], issuer: Issuer, now_ms: int) -> list[Delivery]:
    event_id = event_id_of(event.id)
    wanting = [
        endpoint
        for endpoint in endpoints
        if endpoint.issuer == event.issuer
        and endpoint.position <= event.position
        and subscriptions.wants(endpoint.events, event.action)
    ]
    if event_id is None or not wanting:
        return []
    body = body_of(event, issuer)
    return [
        Delivery(endpoint.issuer, endpoint.id, event_id, event.action, body, 0, now_ms, None, None, None, None)
        for endpoint in wanting
    ]


async def _purge_some(tx: Transaction, endpoint: Endpoint, now_ms: int, done_max: int) -> int:
    if endpoint.deleted_at is not None:
        gone = await queue.forget(tx, endpoint, done_below=ids.AFTER_ALL, any_below=ids.AFTER_ALL, most=PURGE_BATCH)
        if gone == 0:
            await sql.forget(tx, endpoint)
        return gone
    done, everything = (ids.first_of(max(0, now_ms - days * _DAY_MS)) for days in (KEPT_DAYS, KEPT_DAYS_MAX))
    beyond = await queue.newest_done_but(tx, endpoint, done_max)
    if beyond is not None and beyond >= done:
        done = beyond + b"\0"  # the next one after it
    return await queue.forget(tx, endpoint, done_below=done, any_below=everything, most=PURGE_BATCH)
