"""Housekeeping of the sessions room: feed the index, purge what ended long ago. In bounded batches, between mints."""

from __future__ import annotations

from guestpass.core import ids
from guestpass.core.bounds import LIFE_SECONDS_MAX
from guestpass.server.clock import Clock
from guestpass.server.revocation import service as revocation
from guestpass.server.sessions import index, sql
from guestpass.server.storage.store import Store, Transaction

PURGE_BATCH = 2_000  # rows of one act: a few milliseconds in which no mint commits
_DAY_SECONDS = 86_400


class Cleaning:
    def __init__(self, store: Store, clock: Clock, *, retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._retention_days = retention_days

    async def feed_index(self) -> None:
        """Add every run that is full and settled."""
        now_ms = int(self._clock() * 1000)

        def act(tx: Transaction, issuers: list[int]) -> list[bool]:
            return [index.add_run(tx, issuer, now_ms=now_ms) for issuer in issuers]

        for issuer in await self._store.read(sql.issuers_with_sessions):
            while await self._store.write(act, issuer):
                pass

    async def purge(self) -> int:
        """Delete sessions that ended before the retention, and what was kept for them; return how many rows went.

        The edge is a range of ids, so the youngest to go were minted a retention and one longest life ago.
        """
        kept_seconds = self._retention_days * _DAY_SECONDS + LIFE_SECONDS_MAX
        edge = ids.first_of(max(0, int((self._clock() - kept_seconds) * 1000)))

        def act(tx: Transaction, issuers: list[int]) -> list[int]:
            return [_purge_batch(tx, issuer, edge) for issuer in issuers]

        total = 0
        for issuer in await self._store.read(sql.issuers_with_sessions):
            while gone := await self._store.write(act, issuer):
                total += gone
        return total


def _purge_batch(tx: Transaction, issuer: int, edge: bytes) -> int:
    gone = sql.purge(tx, issuer, edge, most=PURGE_BATCH)
    if gone == 0:  # endings and runs go last: until then they still say how a session ended
        gone = index.forget_runs(tx, issuer, edge) + revocation.forget_older_than(tx, issuer, edge, most=PURGE_BATCH)
    return gone
