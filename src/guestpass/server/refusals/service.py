"""Keep refusals for a day, so that "why was I refused?" has an answer afterwards. Nobody waits for it."""

from __future__ import annotations

from collections import deque

import structlog

from guestpass.errors import GuestpassError, OperationNotAllowed, TokenError
from guestpass.server.clock import Clock, Entropy
from guestpass.server.refusals import sql
from guestpass.server.refusals.model import Refusal
from guestpass.server.storage.store import Store, Transaction

__all__ = ["Refusal", "Refusals"]

KEPT_HOURS = 24
WAITING_MAX = 1_000  # of one process, until they are written: a flood of bad tokens must not become a flood of writes
SHOWN_MAX = 20
FORGOTTEN_AT_ONCE = 500
NUMBER_BYTES = 8
_HOUR_MS = 3_600_000

log = structlog.get_logger("guestpass")


class Refusals:
    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._waiting: deque[Refusal] = deque()
        self._dropped = 0

    def note(self, error: GuestpassError, *, request_id: str, route: str) -> None:
        """Keep what is said of a token that was refused; other errors are no refusals of tokens."""
        if not isinstance(error, TokenError | OperationNotAllowed):
            return
        if len(self._waiting) >= WAITING_MAX:
            self._dropped += 1
            return
        self._waiting.append(Refusal(self._now_ms(), request_id, error.session_id, error.code, error.message, route))

    async def write(self) -> None:
        """Write what waits. What the store does not take is dropped: it is an aid, not a record."""
        if self._dropped:
            log.warning("refusals_dropped", count=self._dropped)
            self._dropped = 0
        waiting = [(self._entropy(NUMBER_BYTES), refusal) for refusal in self._waiting]
        self._waiting.clear()
        if waiting:
            await self._store.write(self._add, waiting)

    async def of(self, name: str) -> list[Refusal]:
        """Return the newest refusals of a request (``req_…``) or a session (``sess_…``), at most 20, newest first."""
        hour = self._hour()
        return await self._store.read(
            lambda tx: sql.of(tx, name, from_hour=hour - KEPT_HOURS, to_hour=hour, most=SHOWN_MAX)
        )

    async def purge(self) -> int:
        """Forget what is older than a day; return how many rows went."""
        total = 0
        while gone := await self._store.write(self._forget, self._hour() - KEPT_HOURS):
            total += gone
        return total

    async def _add(self, tx: Transaction, items: list[list[tuple[bytes, Refusal]]]) -> list[None]:
        for waiting in items:
            await sql.add(tx, self._hour(), waiting)
        return [None] * len(items)

    async def _forget(self, tx: Transaction, hours: list[int]) -> list[int]:
        return [await sql.forget(tx, below_hour=hour, most=FORGOTTEN_AT_ONCE) for hour in hours]

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _hour(self) -> int:
        return self._now_ms() // _HOUR_MS
