"""Housekeeping of kept answers: feed the index, filter its generations, forget. In bounded batches, between mints."""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

from guestpass.server.clock import Clock
from guestpass.server.idempotency import sql
from guestpass.server.idempotency.filters import Filter
from guestpass.server.idempotency.finding import NUMBERS_UNDER_WAY, Finding, known_of
from guestpass.server.idempotency.model import CREDENTIAL_SECONDS, first_of, generation_of
from guestpass.server.storage.batches import batch_by_batch
from guestpass.server.storage.store import Locks, Store, Transaction

RUN_ANSWERS = (
    1 << 15
)  # that are sorted and indexed together: the more, the fewer pages of the index each of them touches
BATCH = 500  # rows of one act, in which no mint commits: a millisecond
FILTER_BATCH = 4_096  # hashes that are read at once: a few milliseconds of computing
SETTLED_SECONDS = 60  # no transaction that was given a number lasts as long


class _Run(NamedTuple):
    """The entries that are to be made from ``progress`` on, in order."""

    progress: sql.Progress
    entries: list[sql.Entry]


class _Batch(NamedTuple):
    """Some of them, which lead from one progress to the next."""

    before: sql.Progress
    entries: list[sql.Entry]
    after: sql.Progress


class Keeping:
    def __init__(self, store: Store, finding: Finding, clock: Clock) -> None:
        self._store = store
        self._finding = finding
        self._clock = clock

    async def keep_up(self) -> None:
        """Feed the index, and make one filter that is due; every second, since what is not indexed is held in memory."""
        while (run := await self._store.read(_run_due)) is not None and await self._index(run):
            pass
        known = await self._store.read(known_of)
        filters = {one: made for one, made in self._finding.known.filters.items() if one >= known.first}
        self._finding.known = known._replace(filters=filters)
        edge = int(self._clock()) - SETTLED_SECONDS
        settled = await self._store.read(lambda tx: _settled_generations(tx, known.first, edge=edge))
        due = next((generation for generation in settled if generation not in filters), None)
        if due is not None:
            self._finding.known = known._replace(filters={**filters, due: await self._filter_of(due)})

    async def purge(self) -> int:
        """Forget the answers that can no longer be had, and their entries; return how many rows went."""

        async def answers(tx: Transaction, times: list[int]) -> list[int]:
            await tx.lock(Locks.HOUSEKEEPING, [0])
            return [await self._forget_answers(tx, now) for now in times]

        async def entries(tx: Transaction, items: list[None]) -> list[int]:
            await tx.lock(Locks.HOUSEKEEPING, [0])
            return [await _forget_entries(tx) for _ in items]

        gone = await batch_by_batch(self._store, answers, int(self._clock()))
        return gone + await batch_by_batch(self._store, entries, None)

    async def _index(self, run: _Run) -> bool:
        """Make the entries of a run; say whether no other server was at it."""
        before, remaining = run.progress, run.entries
        while True:
            entries, remaining = remaining[:BATCH], remaining[BATCH:]
            after = before._replace(last=entries[-1]) if remaining else sql.Progress(before.up_to + RUN_ANSWERS)
            if not await self._store.write(_index_batch, _Batch(before, entries, after)):
                return False
            if not remaining:
                return True
            before = after

    async def _filter_of(self, generation: int) -> Filter:
        made, last = Filter(), b""

        async def page(tx: Transaction) -> list[bytes]:
            return await sql.hashes_of(tx, generation, last, most=FILTER_BATCH)

        while hashes := await self._store.read(page):
            made.add(hashes)
            last = hashes[-1]
        return made

    async def _forget_answers(self, tx: Transaction, now: int) -> int:
        """Drop the oldest; of those that can be had longer than credentials, write down again what is still good."""
        edge = now - CREDENTIAL_SECONDS
        over = list(takewhile(lambda one: one.written_at <= edge, await sql.oldest(tx, most=BATCH)))
        if over:
            longer = await sql.by_numbers(tx, [one.number for one in over if one.expires_at > now])
            if longer:
                await self._finding.append(tx, [kept._replace(written_at=now) for kept in longer])
            await sql.forget_up_to(tx, over[-1].number)
        return len(over)


async def _run_due(tx: Transaction) -> _Run | None:
    if tx.dialect == "postgresql":
        return None
    progress = await sql.progress(tx)
    end = progress.up_to + RUN_ANSWERS
    if await sql.highest(tx) < end:
        return None
    entries = await sql.written_between(tx, progress.up_to, end)
    return _Run(progress, [entry for entry in entries if entry > progress.last])


async def _index_batch(tx: Transaction, batches: list[_Batch]) -> list[bool]:
    outcomes: list[bool] = []
    for batch in batches:
        is_next = await sql.progress(tx) == batch.before
        if is_next:
            await sql.index(tx, batch.entries)
            await sql.set_progress(tx, batch.after)
        outcomes.append(is_next)
    return outcomes


async def _settled_generations(tx: Transaction, first: int, *, edge: int) -> list[int]:
    """Return those from ``first`` on to which nothing is added any more: those behind them began before ``edge``."""
    up_to = await sql.highest(tx) if tx.dialect == "postgresql" else (await sql.progress(tx)).up_to
    settled: list[int] = []
    for generation in range(first, generation_of(up_to)):
        written_at = await sql.written_at_from(tx, first_of(generation + 1))
        if written_at is None or written_at > edge:
            break
        settled.append(generation)
    return settled


async def _forget_entries(tx: Transaction) -> int:
    """Drop entries of the oldest generation, where none of its answers is kept any more."""
    oldest, newest = await sql.ends_of_index(tx)
    lowest = await sql.lowest(tx)
    # A transaction under way may hold a number below the lowest that was committed.
    kept_from = newest - 1 if lowest is None else generation_of(lowest - NUMBERS_UNDER_WAY)
    return await sql.forget_entries(tx, oldest, most=BATCH) if oldest < kept_from else 0
