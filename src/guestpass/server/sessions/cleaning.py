"""Housekeeping of the sessions room: feed the index, purge what ended long ago. In bounded batches, between mints."""

from __future__ import annotations

from guestpass.core import ids
from guestpass.core.bounds import LIFE_SECONDS_MAX
from guestpass.server.audit import service as audit
from guestpass.server.clock import Clock
from guestpass.server.revocation import service as revocation
from guestpass.server.sessions import index, sql
from guestpass.server.storage.batches import batch_by_batch
from guestpass.server.storage.store import Locks, Store, Transaction

PURGE_BATCH = 500  # rows of one act, in which no mint commits: a millisecond, or tens where each has 16 KiB of metadata
CUTS_BATCH = 20  # cuts of users, who have few sessions each
IDS_AT_ONCE = 250
LISTS_BATCH = 20  # status lists, of up to 65,536 entries each
_DAY_SECONDS = 86_400
_EDGE_MARGIN_SECONDS = 3_600


class Cleaning:
    def __init__(self, store: Store, clock: Clock, *, retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._retention_days = retention_days

    async def feed_index(self) -> None:
        """Add every run that is full and settled."""
        now_ms = int(self._clock() * 1000)

        async def act(tx: Transaction, issuers: list[int]) -> list[bool]:
            await revocation.lock_issuers(tx, issuers)
            return [await index.add_run(tx, issuer, now_ms=now_ms) for issuer in issuers]

        for issuer in await self._store.read(lambda tx: _issuers_with_a_run_due(tx, now_ms)):
            await batch_by_batch(self._store, act, issuer)

    async def list_cuts(self) -> int:
        """Put the sessions of users' cuts into their status lists, so that the list of cuts stays short.

        A cut is told of for a while longer: a verifier may hold lists of before, and ask for the cuts after.
        """
        now_ms = int(self._clock() * 1000)

        async def act(tx: Transaction, issuers: list[int]) -> list[int]:
            await tx.lock(Locks.HOUSEKEEPING, issuers)
            return [await _list_some_cuts(tx, issuer, now_ms) for issuer in issuers]

        due = await self._store.read(lambda tx: revocation.issuers_with_cuts_due(tx, now_ms=now_ms))
        return sum([await batch_by_batch(self._store, act, issuer) for issuer in due])

    async def purge(self) -> int:
        """Delete sessions that ended before the retention, and what was kept for them; return how many rows went.

        The edge is a range of ids, so the youngest to go were minted a retention and one longest life ago. What is not
        sealed in the audit log stays.
        """
        retained_from = self._clock() - self._retention_days * _DAY_SECONDS

        async def act(tx: Transaction, issuers: list[int]) -> list[int]:
            await tx.lock(Locks.HOUSEKEEPING, issuers)
            return [await _purge_batch(tx, issuer, retained_from) for issuer in issuers]

        total = await self._retire_lists()
        for issuer in await self._store.read(_issuers_with_anything):
            total += await batch_by_batch(self._store, act, issuer)
        return total

    def edge(self) -> bytes:
        """Return the id above which no session is gone, whatever the longest life is: see ``_purge_batch``.

        A little more than that, for servers whose clocks are ahead of ours, and for what goes while somebody reads.
        """
        kept_seconds = self._retention_days * _DAY_SECONDS + LIFE_SECONDS_MAX - _EDGE_MARGIN_SECONDS
        return ids.first_of(max(0, int((self._clock() - kept_seconds) * 1000)))

    async def _retire_lists(self) -> int:
        now = int(self._clock())

        async def act(tx: Transaction, items: list[int]) -> list[int]:
            await tx.lock(Locks.HOUSEKEEPING, [0])
            return [await revocation.retire_lists(tx, now=now, most=LISTS_BATCH) for _ in items]

        return await batch_by_batch(self._store, act, 0)


async def _issuers_with_a_run_due(tx: Transaction, now_ms: int) -> list[int]:
    """Look beside the writer, which then has nothing to do for all the others."""
    return [issuer for issuer in await sql.issuers_with_sessions(tx) if await index.due(tx, issuer, now_ms=now_ms)]


async def _issuers_with_anything(tx: Transaction) -> list[int]:
    """Also those whose sessions are gone: their cuts and runs outlive these."""
    everything = (
        await sql.issuers_with_sessions(tx),
        await index.issuers_with_runs(tx),
        await revocation.issuers_with_endings(tx),
    )
    return sorted(set().union(*everything))


async def _list_some_cuts(tx: Transaction, issuer: int, now_ms: int) -> int:
    done = await revocation.retire_cuts(tx, issuer, now_ms=now_ms)
    oldest_living = ids.first_of(max(0, now_ms - await index.longest_life(tx, issuer) * 1000))
    for customer_id, before_ms, reissue in await revocation.cuts_to_list(tx, issuer, now_ms=now_ms, most=CUTS_BATCH):
        found = index.newest_first(tx, issuer, customer_id, below=ids.first_of(before_ms), above=oldest_living)
        session_ids = [session_id async for session_id in found]
        for start in range(0, len(session_ids), IDS_AT_ONCE):
            some = session_ids[start : start + IDS_AT_ONCE]
            for row, _ in await sql.find_living(tx, issuer, some, now=now_ms // 1000):
                await revocation.mark_ended(tx, row.entry, reissue=reissue)
        await revocation.set_listed(tx, issuer, customer_id, before_ms, reissue=reissue, now_ms=now_ms)
        done += 1
    return done


async def _purge_batch(tx: Transaction, issuer: int, retained_from: float) -> int:
    edge = ids.first_of(max(0, int((retained_from - await index.longest_life(tx, issuer)) * 1000)))
    edge = min(edge, ids.first_of(await audit.edge_ms(tx, issuer)))  # never past the sealer: its events are these rows
    gone = await sql.purge(tx, issuer, edge, most=PURGE_BATCH)
    if gone == 0:  # endings and runs go last: until then they still say how a session ended
        gone = await index.forget_runs(tx, issuer, edge) + await revocation.forget_older_than(
            tx, issuer, edge, most=PURGE_BATCH
        )
    return gone
