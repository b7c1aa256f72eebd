"""Find what was answered under a hash, inside the transaction that would answer it now.

On PostgreSQL every answer is in the index. On SQLite, whose log holds whole pages, an entry a mint would cost more than
all the rest of it; so the newest answers are found in memory, and the index is fed with many of them at once, in order
(``keeping``). What other processes have written since is read first: no other writes meanwhile.

Of the index, the generations are asked that may hold the hash; ``filters`` rule out nearly all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from guestpass.server.idempotency import sql
from guestpass.server.idempotency.filters import Filter, place_of
from guestpass.server.idempotency.model import Kept, generation_of
from guestpass.server.storage.store import Transaction

NUMBERS_UNDER_WAY = 1 << 16  # that a transaction may be given before another one that began later ends


class Known(NamedTuple):
    """What is known of the index, as of a commit; replaced as a whole.

    Args:
        first: The oldest generation that is not forgotten.
        indexed_up_to: Every answer up to this number has an entry.
        filters: By generation, of those to which nothing is added any more.
    """

    first: int
    indexed_up_to: int
    filters: Mapping[int, Filter]


async def known_of(tx: Transaction) -> Known:
    """Read what there is to know, without filters. Not inside a transaction that writes: it may be rolled back."""
    oldest, _ = await sql.ends_of_index(tx)
    return Known(oldest, (await sql.progress(tx)).up_to, {})


class Newest:
    """Where the answers are that are not indexed yet. Belongs to the one thread that writes.

    A transaction may read its own answers and then be rolled back, and the numbers be given to others. So what was read
    last must still be there, with its hash, or all is read again.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}  # in the order of the numbers
        self._last: tuple[int, bytes] | None = None
        self._indexed_up_to = 0

    async def catch_up(self, tx: Transaction, indexed_up_to: int) -> None:
        """Read what was written since, and let go of what is indexed by now."""
        if indexed_up_to > self._indexed_up_to:
            self._indexed_up_to = indexed_up_to
            self._numbers = {hashed: number for hashed, number in self._numbers.items() if number > indexed_up_to}
        if self._last is not None:
            written = await sql.written_from(tx, self._last[0])
            if written and written[0] == self._last:
                self._take(written[1:])
                return
        self._numbers = {}
        self._last = None
        self._take(await sql.written_from(tx, self._indexed_up_to + 1))

    def _take(self, written: Sequence[tuple[int, bytes]]) -> None:
        for number, hashed in written:
            self._numbers[hashed] = number
        if written:
            self._last = written[-1]

    def numbers_of(self, hashes: Iterable[bytes]) -> list[int]:
        return [self._numbers[hashed] for hashed in hashes if hashed in self._numbers]


class Finding:
    """``known`` is replaced by housekeeping, from whatever thread that runs in."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self._newest = Newest()

    async def find(self, tx: Transaction, hashes: Sequence[bytes], *, now: int) -> dict[bytes, Kept]:
        """Return the answers that were given under these hashes and can still be had."""
        known = self.known
        if tx.dialect == "postgresql":
            end = generation_of(await sql.highest(tx) + NUMBERS_UNDER_WAY) + 1
            found = []
        else:
            end = generation_of(known.indexed_up_to) + 1 if known.indexed_up_to else 0
            await self._newest.catch_up(tx, known.indexed_up_to)
            found = await sql.by_numbers(tx, self._newest.numbers_of(hashes))
        wanted = [(generation, hashed) for hashed in hashes for generation in _asked(known, end, hashed)]
        if wanted:
            found += await sql.by_index(tx, wanted)
        return {kept.hash: kept for kept in found if kept.expires_at > now and kept.hash in hashes}

    async def append(self, tx: Transaction, answers: Sequence[Kept]) -> None:
        """Write answers down under new numbers; those of entries are never given again."""
        await sql.append(tx, answers, above=self.known.indexed_up_to)


def _asked(known: Known, end: int, hashed: bytes) -> list[int]:
    """Return the generations below ``end`` that may hold a hash."""
    if not known.filters:
        return list(range(known.first, end))
    place = place_of(hashed)
    filters = known.filters
    return [one for one in range(known.first, end) if one not in filters or filters[one].may_hold(place)]
