"""A store that holds many sessions, each of another user, and the three things that are done to it.

It is filled through the statements of ``server/sessions``: the rows are those of a mint, and the index of owners
is fed as the server feeds it. Ids carry a time as in life: the fill covers 29 days, so nothing is due yet.
"""

from __future__ import annotations

import asyncio
import bisect
import os
import random
import time
from typing import TYPE_CHECKING

from guestpass.core import ids
from guestpass.server.customers.service import Derivation
from guestpass.server.sessions import index, sql
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage import migrate
from guestpass.server.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from guestpass.server.storage.store import Transaction

ISSUER = 2  # the test environment of the first project
FILL_ROWS = 4_096  # in one transaction
MINTS_WAITING = 64  # that share a commit
DAY_MS = 86_400_000
FILL_MS = 29 * DAY_MS


class FilledStore:
    """``size`` sessions in a file of their own."""

    def __init__(self, directory: Path, size: int) -> None:
        directory.mkdir(parents=True)
        self.size = size
        self.path = directory / "guestpass.db"
        self._store = SqliteStore(self.path)
        migrate.upgrade(self._store)
        self._derivation = Derivation(os.urandom(32))
        self._api_key = ids.time_ordered(0, os.urandom(ids.ENTROPY_BYTES))
        self._start_ms = int(time.time() * 1000) - FILL_MS
        self._entropy = random.Random(size)  # each id can be told again without keeping ten millions of them
        self._users = 0
        self._purged = 0
        self._sample: list[bytes] = []

    def fill(self) -> float:
        """Return the seconds that it took."""
        before = time.perf_counter()
        every = max(1, self.size // 20_000)
        with self._store.exclusively() as connection:
            for start in range(0, self.size, FILL_ROWS):
                count = min(FILL_ROWS, self.size - start)
                rows = [self._row(self._filled_at(start + n)) for n in range(count)]
                self._sample.extend(row.id for row in rows[::every])
                connection.execute("BEGIN IMMEDIATE")
                sql.add(connection, rows)
                index.add_run(connection, ISSUER, now_ms=int(time.time() * 1000))
                connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return time.perf_counter() - before

    async def mint(self, count: int) -> float:
        """Return us per row of durable group commits, the way that requests come in: many wait, one writes."""
        rows = [self._row(int(time.time() * 1000)) for _ in range(count)]
        before = time.perf_counter_ns()
        for start in range(0, count, MINTS_WAITING):
            await asyncio.gather(*(self._store.write(_add, row) for row in rows[start : start + MINTS_WAITING]))
        return _microseconds(before, count)

    async def get(self, count: int) -> float:
        """Return us per session, looked up at random over all that are kept."""
        return await self._look_up(random.choices(self._sample, k=count))

    async def get_living(self, count: int) -> float:
        """Return us per session, looked up at random over the last day: no token lives longer than that."""
        edge = ids.first_of(self._start_ms + FILL_MS - DAY_MS)
        return await self._look_up(random.choices(self._sample[bisect.bisect(self._sample, edge) :], k=count))

    async def purge(self, count: int) -> float:
        """Return us per row of deleting the oldest in one bounded batch, as the server does."""
        edge = ids.first_of(self._start_ms + FILL_MS // 2)
        before = time.perf_counter_ns()
        gone = await self._store.write(_purge, (edge, count))
        took = _microseconds(before, gone)
        self._purged += gone
        self._sample = self._sample[bisect.bisect(self._sample, ids.first_of(self._filled_at(self._purged))) :]
        return took

    def bytes_per_session(self) -> float:
        return self.path.stat().st_size / self.size

    async def _look_up(self, wanted: Sequence[bytes]) -> float:
        before = time.perf_counter_ns()
        for session_id in wanted:
            await sql.look_up(self._store, ISSUER, session_id)
        return _microseconds(before, len(wanted))

    def _filled_at(self, number: int) -> int:
        return self._start_ms + FILL_MS * number // self.size

    async def close(self) -> None:
        await self._store.close()

    def _row(self, minted_ms: int) -> SessionRow:
        self._users += 1
        user = f"user_{self._users}"
        return SessionRow(
            issuer=ISSUER,
            id=ids.time_ordered(minted_ms, self._entropy.randbytes(ids.ENTROPY_BYTES)),
            api_key_id=self._api_key,
            customer_id=self._derivation.customer_id(ISSUER, user),
            external_user_id=user,
            organization_key=None,
            external_organization_id=None,
            scope="*",
            issued_at=minted_ms // 1000,
            not_before=None,
            expires_at=minted_ms // 1000 + 3600,
            max_uses=None,
            format="jwt",
            status_list=1 + self._users // 65_536,
            status_index=self._users % 65_536,
        )


def _add(tx: Transaction, rows: list[SessionRow]) -> list[None]:
    sql.add(tx, rows)
    return [None] * len(rows)


def _purge(tx: Transaction, batches: list[tuple[bytes, int]]) -> list[int]:
    return [sql.purge(tx, ISSUER, edge, most=most) for edge, most in batches]


def _microseconds(before_ns: int, count: int) -> float:
    return (time.perf_counter_ns() - before_ns) / 1000 / max(1, count)
