"""A data directory that holds many sessions, each of another user, and what is done to it.

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
from guestpass.core.bounds import LIFE_SECONDS_MAX
from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import Service, open_configured
from guestpass.server.opening import DATABASE_FILE
from guestpass.server.operate.settings import Settings
from guestpass.server.sessions import index, sql
from guestpass.server.sessions.api import MintRequest
from guestpass.server.sessions.cleaning import Cleaning
from guestpass.server.sessions.model import WORD, SessionRow
from guestpass.server.storage.group_commit import run_now
from guestpass.server.storage.sqlite import SqliteTransaction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from guestpass.server.api_keys.service import ApiKey
    from guestpass.server.storage.store import Transaction

FILL_ROWS = index.RUN_SESSIONS  # in one transaction
MINTS_WAITING = 64  # that share a commit
CLIENTS = 32  # that mint at the same time
DAY_MS = 86_400_000
FILL_MS = 29 * DAY_MS
RETENTION_DAYS = Settings().session_retention_days
SAMPLE = 20_000  # ids that are remembered, evenly spread, to be looked up


class FilledDirectory:
    """A data directory with ``size`` sessions, and the service open over it."""

    def __init__(self, service: Service, key: ApiKey, size: int) -> None:
        self.size = size
        self._service = service
        self._key = key
        self._start_ms = int(time.time() * 1000) - FILL_MS
        self._users = 0
        self._purged = 0
        self._sample: list[bytes] = []

    @classmethod
    async def make(cls, directory: Path, size: int) -> tuple[FilledDirectory, dict[str, float]]:
        """Return it filled, with what the filling cost."""
        service = await open_configured(Settings(data_dir=str(directory)))
        made = await service.api_keys.create(await service.issuers.at("test"), "bench", actor=OPERATOR)
        filled = cls(service, made.key, size)
        before = time.perf_counter()
        index_us_per_row = filled._fill()
        return filled, {
            "fill_seconds": round(time.perf_counter() - before, 1),
            "bytes_per_session": round((directory / DATABASE_FILE).stat().st_size / size),
            "index_us_per_row": round(index_us_per_row, 2),
        }

    def _fill(self) -> float:
        """Write the rows; return us per row of feeding the index of owners, over the last tenth."""
        indexing: list[int] = []
        every = max(1, self.size // SAMPLE)
        with self._service.store.exclusively() as connection:
            for start in range(0, self.size, FILL_ROWS):
                count = min(FILL_ROWS, self.size - start)
                rows = [self._row(self._filled_at(start + n)) for n in range(count)]
                self._sample.extend(row.id for row in rows[::every])
                connection.execute("BEGIN IMMEDIATE")
                tx = SqliteTransaction(connection)
                run_now(sql.add(tx, rows))
                before = time.perf_counter_ns()
                if run_now(index.add_run(tx, self._key.issuer, now_ms=int(time.time() * 1000))):
                    indexing.append(time.perf_counter_ns() - before)
                connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        last = indexing[-max(1, len(indexing) // 10) :]
        return sum(last) / max(1, len(last)) / 1000 / FILL_ROWS

    async def mint(self, count: int) -> float:
        """Return us per whole mint without HTTP: policy, signature, durable commit; 32 at the same time."""
        requests = iter([MintRequest(external_user_id=self._new_user()) for _ in range(count)])

        async def client() -> None:
            for request in requests:
                await self._service.minting.mint(self._key, request)

        before = time.perf_counter_ns()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return _microseconds(before, count)

    async def mint_row(self, count: int) -> float:
        """Return us per row of durable group commits, the way that requests come in: many wait, one writes."""
        rows = [self._row(int(time.time() * 1000)) for _ in range(count)]
        before = time.perf_counter_ns()
        for start in range(0, count, MINTS_WAITING):
            await asyncio.gather(*(self._service.store.write(_add, row) for row in rows[start : start + MINTS_WAITING]))
        return _microseconds(before, count)

    async def get(self, count: int) -> float:
        """Return us per whole get without HTTP, at random over all that are kept."""
        wanted = [ids.encode(WORD, one) for one in random.choices(self._sample, k=count)]
        before = time.perf_counter_ns()
        for session_id in wanted:
            await self._service.sessions.get(self._key.issuer, session_id)
        return _microseconds(before, count)

    async def get_row(self, count: int) -> float:
        """Return us per row looked up, at random over all that are kept."""
        return await self._look_up(random.choices(self._sample, k=count))

    async def get_living_row(self, count: int) -> float:
        """Return us per row looked up, at random over the last day: no token lives longer than that."""
        edge = ids.first_of(self._start_ms + FILL_MS - DAY_MS)
        return await self._look_up(random.choices(self._sample[bisect.bisect(self._sample, edge) :], k=count))

    async def purge(self, count: int) -> float:
        """Return us per row of the server's own purge, at the time when the oldest ``count`` are due."""
        self._purged += count
        oldest_kept = ids.first_of(self._filled_at(self._purged))
        self._sample = self._sample[bisect.bisect(self._sample, oldest_kept) :]
        due = ids.unix_ms_of(oldest_kept) / 1000 + RETENTION_DAYS * DAY_MS // 1000 + LIFE_SECONDS_MAX
        cleaning = Cleaning(self._service.store, lambda: due, retention_days=RETENTION_DAYS)
        before = time.perf_counter_ns()
        gone = await cleaning.purge()
        return _microseconds(before, gone)

    async def close(self) -> None:
        await self._service.close()

    async def _look_up(self, wanted: Sequence[bytes]) -> float:
        before = time.perf_counter_ns()
        for session_id in wanted:
            await sql.look_up(self._service.store, self._key.issuer, session_id)
        return _microseconds(before, len(wanted))

    def _filled_at(self, number: int) -> int:
        return self._start_ms + FILL_MS * number // self.size

    def _new_user(self) -> str:
        self._users += 1
        return f"user_{self._users}"

    def _row(self, minted_ms: int) -> SessionRow:
        user = self._new_user()
        return SessionRow(
            issuer=self._key.issuer,
            id=ids.time_ordered(minted_ms, os.urandom(ids.ENTROPY_BYTES)),
            api_key_id=self._key.id,
            customer_id=self._service.derivation.customer_id(self._key.issuer, user),
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


async def _add(tx: Transaction, rows: list[SessionRow]) -> list[None]:
    await sql.add(tx, rows)
    return [None] * len(rows)


def _microseconds(before_ns: int, count: int) -> float:
    return (time.perf_counter_ns() - before_ns) / 1000 / max(1, count)
