"""A data directory that keeps many answers to requests with an ``Idempotency-Key``, and mints beside them.

The answers are appended through the statement of ``server/idempotency`` and indexed by the server's own job. Each is as
long as a mint's.
"""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count as counting
from typing import TYPE_CHECKING

from guestpass.server.api_keys.service import OPERATOR
from guestpass.server.app import Service, open_configured
from guestpass.server.idempotency import sql
from guestpass.server.idempotency.model import CREDENTIAL_SECONDS, HASH_BYTES, Kept, generation_of
from guestpass.server.operate.settings import Settings
from guestpass.server.sessions.api import MintRequest
from guestpass.server.storage.group_commit import run_now
from guestpass.server.storage.sqlite import SqliteTransaction

if TYPE_CHECKING:
    from pathlib import Path

    from guestpass.server.api_keys.service import ApiKey

FILL_ANSWERS = 1 << 15  # in one transaction
SEALED_BYTES = 175  # what is kept of a mint, sealed
CLIENTS = 32  # that mint at the same time
_PATH = "/v1/session-tokens"


class DirectoryWithAnswers:
    """A data directory in which ``size`` answers can be had again, and the service open over it."""

    def __init__(self, service: Service, key: ApiKey, size: int) -> None:
        self.size = size
        self._service = service
        self._key = key
        self._numbers = counting()

    @classmethod
    async def make(cls, directory: Path, size: int) -> tuple[DirectoryWithAnswers, dict[str, float]]:
        """Return it filled, indexed and with its filters made, and what that cost."""
        service = await open_configured(Settings(data_dir=str(directory)))
        made = await service.api_keys.create(await service.issuers.at("test"), "bench", actor=OPERATOR)
        filled = cls(service, made.key, size)
        filled._fill()
        before = time.perf_counter()
        for _ in range(generation_of(size) + 1):  # a turn of the job makes one filter
            await service.jobs.feed()
        return filled, {"index_us_per_answer": round((time.perf_counter() - before) * 1e6 / size, 2)}

    def _fill(self) -> None:
        """Write answers as an hour ago, but for the minute in which numbers are not settled yet."""
        written_at = int(time.time()) - CREDENTIAL_SECONDS // 2
        expires_at = written_at + CREDENTIAL_SECONDS
        with self._service.store.exclusively() as connection:
            for start in range(0, self.size, FILL_ANSWERS):
                answers = [
                    Kept(0, os.urandom(HASH_BYTES), written_at, expires_at, os.urandom(SEALED_BYTES))
                    for _ in range(min(FILL_ANSWERS, self.size - start))
                ]
                connection.execute("BEGIN IMMEDIATE")
                run_now(sql.append(SqliteTransaction(connection), answers, above=0))
                connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def mint(self, count: int) -> float:
        """Return us per mint without an Idempotency-Key and without HTTP; 32 at the same time."""
        return await self._mint(count, keyed=False)

    async def mint_with_key(self, count: int) -> float:
        """Return us per mint with an Idempotency-Key, a new one each; 32 at the same time."""
        return await self._mint(count, keyed=True)

    async def _mint(self, count: int, *, keyed: bool) -> float:
        numbers = [next(self._numbers) for _ in range(count)]
        remaining = iter(numbers)
        kept = self._service.kept_answers

        async def client() -> None:
            for number in remaining:
                riders = ()
                if keyed:
                    text = b"order-%d" % number
                    scope = (self._key.id, "POST", _PATH)
                    riders = (kept.rider(kept.keyed(scope, text, (b"", text), seconds=CREDENTIAL_SECONDS)),)
                request = MintRequest(external_user_id=f"user_{number}")
                await self._service.minting.mint(self._key, request, riders)

        before = time.perf_counter_ns()
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return (time.perf_counter_ns() - before) / 1000 / count

    async def close(self) -> None:
        await self._service.close()
