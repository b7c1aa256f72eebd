"""Check the whole log: every signature and head, every leaf against its row, and every row for its leaf."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from guestpass.core import ids
from guestpass.core.audit import heads, tree
from guestpass.core.audit.heads import NO_HEAD
from guestpass.errors import ValidationFailed
from guestpass.server.audit import batches
from guestpass.server.audit.batches import Batch, Part
from guestpass.server.audit.model import STORE, WORD
from guestpass.server.audit.packed import SealedIds, split
from guestpass.server.audit.service import WINDOW_MS, begins_ms, edge_ms
from guestpass.server.audit.sources import Again, Names, Source, source_of, sources
from guestpass.server.projects import service as projects
from guestpass.server.sessions.model import WORD as SESSION_WORD
from guestpass.server.storage.store import Store, Transaction

ROWS_AT_ONCE = 250
IDS_AT_ONCE = 5_000
NOT_KEPT = "the key that signed it is not kept"
NOT_FOLLOWING = "it does not follow the batch before"
NOT_PUBLISHED = "its head is not the one that was published"
NOT_ITS_LEAVES = "its leaves are not those that were sealed"
MISSING, CHANGED, DELETED, ADDED = "it is missing", "was changed", "was deleted", "was added"

PurgeEdge: TypeAlias = Callable[[], bytes]  # the id below which sessions may be gone by age


class Fault(NamedTuple):
    """Something that is not as it was sealed. ``id``: of the event or session; None where it is the batch itself."""

    batch: int
    id: str | None
    what: str


class Checked(NamedTuple):
    """What was found.

    Args:
        first: Number of the oldest batch that is kept, as ``last`` is of the newest; both 0 where there is none.
        purged: Leaves whose sessions are gone by age, so that only their hashes are left.
        erased: Ids of leaves of which something personal was erased.
        head: The last one, a compact JWS: who keeps it elsewhere can tell later that nothing before it was changed.
    """

    first: int
    last: int
    leaves: int
    purged: int
    erased: list[str]
    head: str | None
    faults: list[Fault]


class _Found(NamedTuple):
    """What was found in a batch."""

    faults: list[Fault]
    erased: list[str]
    purged: int


class Checking:
    def __init__(self, store: Store, purge_edge: PurgeEdge) -> None:
        self._store = store
        self._purge_edge = purge_edge

    async def published(self, signed: Sequence[str]) -> list[Fault]:
        """Hold heads that were published against those that are kept; of those that are kept no more nothing is said.

        Raises: ValidationFailed where one is no head; Unavailable.
        """
        return await self._store.read(partial(_published, signed=signed))

    async def verify(self) -> Checked:
        """Check everything that is kept, batch by batch, while servers go on. Raises: Unavailable."""
        first, last = await self._store.read(_both_ends)
        if first is None or last is None:
            return Checked(0, 0, 0, 0, [], None, [])
        names, edge = await self._store.read(projects.issuer_names), self._purge_edge()
        found, leaves = _Found([], [], 0), 0
        before: Batch | None = None
        for number in range(first.number, last.number + 1):
            batch = await self._store.read(partial(batches.numbered, number=number))
            if batch is None:
                kept = await self._store.read(batches.first)
                if kept is None or kept.number <= number:  # else it has just become too old to be kept
                    found.faults.append(Fault(number, None, MISSING))
            else:
                query = partial(_batch, batch=batch, before=before, names=names, edge=edge)
                some = await self._store.read(query)
                found = _Found(found.faults + some.faults, found.erased + some.erased, found.purged + some.purged)
                leaves += batch.leaves
            before = batch
        faults = found.faults + [fault async for fault in self._added(first)]
        return Checked(first.number, last.number, leaves, found.purged, found.erased, last.head, faults)

    async def _added(self, oldest: Batch) -> AsyncIterator[Fault]:
        """Find rows that no batch holds though the sealer has passed them."""
        for source in await self._store.read(sources):
            low, high = await self._store.read(partial(_bounds, source=source, oldest=oldest))
            while low < high:
                some, faults = await self._store.read(partial(_unsealed, source=source, low=low, high=high))
                for fault in faults:
                    yield fault
                if not some:
                    break
                low = some[-1] + b"\0"  # the least value above it


async def _published(tx: Transaction, signed: Sequence[str]) -> list[Fault]:
    first, _ = await _both_ends(tx)
    faults: list[Fault] = []
    for line, head in enumerate(signed, 1):
        try:
            number, digest = heads.number_of(head), heads.digest_of(head)
        except ValueError as fault:
            raise ValidationFailed(f"Line {line} is no head of an audit log: {fault}.") from None
        if first is not None and number < first.number:
            continue
        batch = await batches.numbered(tx, number)
        if batch is None or heads.digest_of(batch.head) != digest:
            faults.append(Fault(number, None, MISSING if batch is None else NOT_PUBLISHED))
    return faults


async def _both_ends(tx: Transaction) -> tuple[Batch | None, Batch | None]:
    return await batches.first(tx), await batches.last(tx)


async def _batch(tx: Transaction, batch: Batch, before: Batch | None, names: Names, edge: bytes) -> _Found:
    parts = await batches.parts_of(tx, batch)
    jwk = await batches.key_of(tx, _kid_of(batch))
    found = _Found([Fault(batch.number, None, what) for what in _faults_of_head(batch, before, parts, jwk)], [], 0)
    for part in parts:
        source, purged = source_of(part.source), 0
        for event_ids, hashes, salts in _slices(part):
            again = await source.leaves_again(tx, event_ids, names, salts)
            for one, sealed in zip(event_ids, hashes, strict=True):
                if one not in again and part.source != STORE and one < edge:
                    purged += 1
                elif (what := _fault_of(again.get(one), sealed)) is not None:
                    found.faults.append(Fault(batch.number, _public(part.source, one), what))
                elif again[one].is_erased:
                    found.erased.append(_public(part.source, one))
        found = found._replace(purged=found.purged + purged)
    return found


def _kid_of(batch: Batch) -> str:
    try:
        return heads.kid_of(batch.head) or ""
    except ValueError:
        return ""


def _faults_of_head(
    batch: Batch, before: Batch | None, parts: Sequence[Part], jwk: dict[str, str] | None
) -> Iterator[str]:
    if jwk is None:
        yield NOT_KEPT
        return
    try:
        head = heads.read(batch.head, jwk)
        previous = head.previous if before is None else heads.digest_of(before.head)
    except ValueError as fault:
        yield str(fault)
        return
    if head.previous != previous or (head.number == 1 and head.previous != NO_HEAD):
        yield NOT_FOLLOWING
    hashes = [one for part in parts for one in split(part.hashes, tree.HASH_BYTES)]
    said = (head.number, head.first, head.count)
    if (
        said != (batch.number, batch.first_leaf, batch.leaves)
        or len(hashes) != head.count
        or tree.root_of(hashes).hex() != head.root
        or not all(_is_packed_well(part) for part in parts)
    ):
        yield NOT_ITS_LEAVES


def _is_packed_well(part: Part) -> bool:
    count = len(part.hashes) // tree.HASH_BYTES
    return len(part.ids) == count * ids.ID_BYTES and len(part.salts) == count * tree.HASH_BYTES


def _slices(part: Part) -> Iterator[tuple[list[bytes], list[bytes], list[bytes]]]:
    packed = (split(part.ids, ids.ID_BYTES), split(part.hashes, tree.HASH_BYTES), split(part.salts, tree.HASH_BYTES))
    count = min(map(len, packed))
    for start in range(0, count, ROWS_AT_ONCE):
        event_ids, hashes, salts = (each[start : min(count, start + ROWS_AT_ONCE)] for each in packed)
        yield event_ids, hashes, salts


def _fault_of(again: Again | None, sealed: bytes) -> str | None:
    if again is None:
        return DELETED
    return None if again.holds and tree.leaf_hash(again.leaf) == sealed else CHANGED


async def _bounds(tx: Transaction, source: Source, oldest: Batch) -> tuple[bytes, bytes]:
    """Return the ids between which every row is in a batch that is kept."""
    if oldest.number > 1:
        low_ms = oldest.sealed_at_ms + WINDOW_MS
    else:
        low_ms = 0 if source.number == STORE else await begins_ms(tx)
    high_ms = min(await edge_ms(tx, source.number), await tx.now_ms() - WINDOW_MS)  # where the clock was set back
    return ids.first_of(low_ms), ids.first_of(max(0, high_ms))


async def _unsealed(tx: Transaction, source: Source, low: bytes, high: bytes) -> tuple[list[bytes], list[Fault]]:
    """Return the next ids, and those of them that no batch holds."""
    some: list[bytes] = []
    async for one in source.ids_from(tx, low):
        if one >= high or len(some) == IDS_AT_ONCE:
            break
        some.append(one)
    if not some:
        return [], []
    sealed = SealedIds(await batches.sealed_ids(tx, source.number, low, some[-1])).from_(low)
    faults = []
    for one in some:
        if one not in sealed:
            number = await batches.number_around(tx, source.number, one)
            faults.append(Fault(number or 0, _public(source.number, one), ADDED))
    return some, faults


def _public(source: int, one: bytes) -> str:
    return ids.encode(WORD if source == STORE else SESSION_WORD, one)
