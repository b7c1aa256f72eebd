"""Send what is due: claim it, post it, write what came of it.

A claim is a lease: whoever dies in between, the attempt is made again when the lease has ended, by whichever server
looks first. So a delivery may arrive twice, and never not at all. No transaction is open while a receiver is waited
for, and none of the tasks that wait is one that answers requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import structlog

from guestpass.core.webhooks import destination, schedule
from guestpass.core.webhooks.destination import Destination
from guestpass.core.webhooks.schedule import Outcome
from guestpass.errors import GuestpassError
from guestpass.server.clock import Clock, Entropy
from guestpass.server.projects.model import environment_of
from guestpass.server.storage.sealing import Sealer
from guestpass.server.storage.store import Locks, Store, Transaction
from guestpass.server.webhooks import changes, queue, secrets, sql
from guestpass.server.webhooks.attempts import Headers, Post, Received
from guestpass.server.webhooks.model import Delivery, Endpoint, Secret
from guestpass.server.webhooks.signing import headers_of

LEASE_MS = 30_000  # longer than an attempt can take, with its commits
AT_ONCE_MAX = 256  # deliveries under way in one process
AT_ONCE_FAILING_MAX = 64  # of these, to endpoints whose last attempt failed: they may all hang
TO_ONE_MAX = 8  # to one endpoint, from all servers together; to one that fails, 1
LOOK_SECONDS = 1.0
DRAIN_SECONDS = 2.0
CLAIM_BYTES = 8
_CHANCE_BYTES = 4

Result = TypeVar("Result")

log = structlog.get_logger("guestpass")


class Attempt(NamedTuple):
    """A delivery that was claimed, and where it goes. ``secrets``: the newest first."""

    delivery: Delivery
    endpoint: Endpoint
    secrets: tuple[Secret, ...]


class _Claim(NamedTuple):
    """``endpoints``: to which something is due, the longest waiting first. ``free``, ``failing``: how many in all."""

    claim: bytes
    endpoints: list[Endpoint]
    free: int
    failing: int


class _Answered(NamedTuple):
    attempt: Attempt
    received: Received
    chance: float


class Outgoing:
    """Posts over the network: see ``posting``."""

    def __init__(self) -> None:
        self._post: Post | None = None

    async def __call__(self, destination: Destination, headers: Headers, body: bytes) -> Received:
        if self._post is None:
            from guestpass.server.webhooks.posting import Posting  # noqa: PLC0415 - a client that commands do without

            self._post = Posting()
        return await self._post(destination, headers, body)


class Sending:
    """Runs until stopped, apart from all other housekeeping: a fault in here holds up nothing else.

    Args:
        dispatch: Queues what is new; called every second.
        local_allowed: Endpoints of the test environment may be on this machine.
    """

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        dispatch: Callable[[], Coroutine[Any, Any, None]],
        post: Post,
        clock: Clock,
        entropy: Entropy,
        *,
        local_allowed: bool,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._dispatch = dispatch
        self._post = post
        self._clock = clock
        self._entropy = entropy
        self._local_allowed = local_allowed
        self._under_way: dict[asyncio.Task[None], bool] = {}  # and whether it goes to an endpoint that fails
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Claim nothing more; give what is under way two seconds. The rest is attempted again after its lease."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)  # the store is closed next

    async def send_due(self) -> int:
        """Claim what is due, send it and wait for it; return how many deliveries that were."""
        attempts = await self._claim()
        await asyncio.gather(*(self._guarded(self._attempt(attempt)) for attempt in attempts))
        return len(attempts)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        looked_at = loop.time() - LOOK_SECONDS
        while True:
            self._woken.clear()
            if loop.time() - looked_at >= LOOK_SECONDS:
                looked_at = loop.time()
                await self._guarded(self._dispatch())
            for attempt in await self._guarded(self._claim()) or ():
                task = asyncio.create_task(self._guarded(self._attempt(attempt)))
                self._under_way[task] = attempt.endpoint.failing_since_ms is not None
                task.add_done_callback(self._done)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):  # wait_for of 3.11 can lose a cancellation (gh-86296)
                    await self._woken.wait()

    async def _guarded(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """Do something; a store that does not answer, and a fault of ours, are told, and tried again later."""
        try:
            return await work
        except GuestpassError as error:
            log.warning("webhooks_wait", code=error.code, internal=error.internal)
        except Exception:
            log.exception("webhooks_failed")
        return None

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self._woken.set()

    async def _claim(self) -> list[Attempt]:
        free = AT_ONCE_MAX - len(self._under_way)
        failing = AT_ONCE_FAILING_MAX - sum(self._under_way.values())
        waits_ms, due = await self._store.read(_due)
        self._store.tally.deliveries_wait(waits_ms // 1000)
        if not due or free <= 0:
            return []
        return await self._store.write(self._claim_each, _Claim(self._entropy(CLAIM_BYTES), due[:free], free, failing))

    async def _claim_each(self, tx: Transaction, items: list[_Claim]) -> list[list[Attempt]]:
        await tx.lock(Locks.WEBHOOKS, [0])
        return [await _claim_some(tx, item, self._clock()) for item in items]

    async def _attempt(self, attempt: Attempt) -> None:
        """Raises: Unavailable; then it is attempted again when its lease has ended."""
        received = await self._send(attempt)
        chance = int.from_bytes(self._entropy(_CHANCE_BYTES), "big") / 256**_CHANCE_BYTES
        outcome = await self._store.write(self._note_each, _Answered(attempt, received, chance))
        if outcome is not None:
            self._store.tally.attempted(outcome.verdict)
            if outcome.disables is not None:
                log.warning("webhook_endpoint_disabled", endpoint=attempt.endpoint.public_id, why=outcome.disables)

    async def _send(self, attempt: Attempt) -> Received:
        endpoint, delivery = attempt.endpoint, attempt.delivery
        local_allowed = self._local_allowed and environment_of(endpoint.issuer) == "test"
        try:
            to = destination.read(endpoint.url, local_allowed=local_allowed)
        except ValueError:  # the rules are stricter than when it was given
            return Received(None, error="refused_address")
        texts = [secrets.opened(self._sealer, secret) for secret in attempt.secrets]
        headers = headers_of(delivery.public_event_id, delivery.body, texts, now=int(self._clock()))
        return await self._post(to, headers, delivery.body.encode())

    async def _note_each(self, tx: Transaction, items: list[_Answered]) -> list[Outcome | None]:
        await tx.lock(Locks.WEBHOOKS, [0])
        return [await _note(tx, item) for item in items]


async def _note(tx: Transaction, item: _Answered) -> Outcome | None:
    """Write what came of an attempt, and return it; None where its lease has ended and another one was begun."""
    (delivery, before, _), received, chance = item
    now_ms = await tx.now_ms()
    endpoint = await sql.by_id(tx, before.issuer, before.id)
    since = now_ms if endpoint is None or endpoint.failing_since_ms is None else endpoint.failing_since_ms
    outcome = schedule.judge(
        received.status, received.retry_after, attempts=delivery.attempts, failing_ms=now_ms - since, chance=chance
    )
    noted = delivery._replace(
        due_ms=now_ms + outcome.pause_ms if outcome.verdict == "retried" else None,
        last_status=received.status,
        last_error=received.error,
        delivered_at=now_ms // 1000 if outcome.verdict == "delivered" else None,
    )
    if not await queue.note(tx, noted):
        return None
    if endpoint is None or endpoint.disabled_at is not None:
        return outcome._replace(disables=None)
    failing_since_ms = None if outcome.verdict == "delivered" else since
    after = replace(endpoint, failing_since_ms=failing_since_ms)
    if outcome.disables is not None:
        await changes.disable(tx, after, outcome.disables, now_ms=now_ms)
    elif after != endpoint:
        await sql.put(tx, after)
    return outcome


async def _due(tx: Transaction) -> tuple[int, list[Endpoint]]:
    """Return for how long something has been due, and the endpoints to which something is.

    First come those that answer, then those whose last attempt failed; of each, who waits longest.
    """
    now_ms = await tx.now_ms()
    waiting = await sql.with_something_due(tx, now_ms)
    waiting.sort(key=lambda one: (one[0].failing_since_ms is not None, one[1]))
    return now_ms - min((since for _, since in waiting), default=now_ms), [endpoint for endpoint, _ in waiting]


async def _claim_some(tx: Transaction, item: _Claim, now: float) -> list[Attempt]:
    now_ms = await tx.now_ms()
    free, failing = item.free, item.failing
    attempts: list[Attempt] = []
    for found in item.endpoints:
        endpoint = await sql.by_id(tx, found.issuer, found.id)
        if endpoint is None or endpoint.disabled_at is not None:
            continue
        fails = endpoint.failing_since_ms is not None
        to_one = (1 if fails else TO_ONE_MAX) - await queue.under_way(tx, endpoint, now_ms)
        most = min(to_one, free, failing if fails else free)
        if most <= 0:
            continue
        begun = await queue.claim(tx, endpoint, item.claim, now_ms=now_ms, until_ms=now_ms + LEASE_MS, most=most)
        free -= len(begun)
        failing -= len(begun) if fails else 0
        kept = await sql.secrets_of(tx, endpoint, now)
        attempts += [Attempt(delivery, endpoint, kept) for delivery in begun]
    return attempts
