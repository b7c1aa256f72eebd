"""The tables of the chain: audit_batches, audit_leaves and audit_keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from guestpass.core import ids
from guestpass.core.audit import heads
from guestpass.server.audit.packed import PackedIds, split
from guestpass.server.storage.store import Transaction


class Batch(NamedTuple):
    """A sealed batch, in the order of its columns. ``head``: a compact JWS."""

    number: int
    first_leaf: int
    leaves: int
    sealed_at_ms: int
    sealer: bytes
    head: str


class Part(NamedTuple):
    """What a batch holds of one source, in the order of its columns; see the migration for how it is packed."""

    source: int
    batch: int
    first_leaf: int
    first_id: bytes
    last_id: bytes
    ids: bytes
    hashes: bytes
    salts: bytes


_LATE_MS_MAX = 24 * 3600 * 1000  # a part spans less, however long the sealer was away
_BATCH = ", ".join(Batch._fields)
_PART = ", ".join(Part._fields)


async def last(tx: Transaction) -> Batch | None:
    row = await tx.fetch_one(f"SELECT {_BATCH} FROM audit_batches ORDER BY number DESC LIMIT 1")  # noqa: S608
    return Batch(*row) if row else None


async def first(tx: Transaction) -> Batch | None:
    """Return the oldest batch that is kept."""
    row = await tx.fetch_one(f"SELECT {_BATCH} FROM audit_batches ORDER BY number LIMIT 1")  # noqa: S608
    return Batch(*row) if row else None


async def numbered(tx: Transaction, number: int) -> Batch | None:
    row = await tx.fetch_one(f"SELECT {_BATCH} FROM audit_batches WHERE number = ?", (number,))  # noqa: S608
    return Batch(*row) if row else None


async def parts_of(tx: Transaction, batch: Batch) -> list[Part]:
    """Return what a batch holds, in the order of its leaves."""
    rows = await tx.fetch(
        f"SELECT {_PART} FROM audit_leaves WHERE first_leaf >= ? AND first_leaf < ? ORDER BY first_leaf",  # noqa: S608
        (batch.first_leaf, batch.first_leaf + batch.leaves),
    )
    return [Part(*row) for row in rows]


async def part_with(tx: Transaction, source: int, found: bytes) -> Part | None:
    """Return the part that holds a leaf, by its id."""
    beyond = ids.first_of(ids.unix_ms_of(found) + _LATE_MS_MAX)
    rows = tx.each(
        f"SELECT {_PART} FROM audit_leaves WHERE source = ?1 AND last_id >= ?2 AND last_id < ?3 AND first_id <= ?2"  # noqa: S608
        " ORDER BY last_id",
        (source, found, beyond),
    )
    async for row in rows:
        part = Part(*row)
        if PackedIds(part.ids).find(found) is not None:
            return part
    return None


async def key_of(tx: Transaction, kid: str) -> dict[str, str] | None:
    """Return the public JWK of a key that signed heads."""
    row = await tx.fetch_one("SELECT public_jwk FROM audit_keys WHERE kid = ?", (kid,))
    return None if row is None else msgspec.json.decode(row[0], type=dict[str, str])


async def fault_of_head(tx: Transaction, batch: Batch) -> str | None:
    """Say why the head of a batch is not to be believed, by itself; or None."""
    try:
        jwk = await key_of(tx, heads.kid_of(batch.head) or "")
        if jwk is None:
            return "the key that signed it is not kept"
        head = heads.read(batch.head, jwk)
    except ValueError as fault:
        return str(fault)
    if (head.number, head.first, head.count) != (batch.number, batch.first_leaf, batch.leaves):
        return "it is of another batch"
    return None


async def put_salts(tx: Transaction, part: Part, salts: bytes) -> None:
    await tx.execute(
        "UPDATE audit_leaves SET salts = ? WHERE source = ? AND first_leaf = ?", (salts, part.source, part.first_leaf)
    )


async def drop(tx: Transaction, batch: Batch, parts: Sequence[Part]) -> int:
    """Forget a batch; return how many rows went."""
    gone = await tx.execute("DELETE FROM audit_batches WHERE number = ?", (batch.number,))
    for part in parts:
        gone += await tx.execute(
            "DELETE FROM audit_leaves WHERE source = ? AND first_leaf = ?", (part.source, part.first_leaf)
        )
    return gone


async def add(tx: Transaction, batch: Batch, parts: Sequence[Part]) -> None:
    await tx.insert("audit_batches", Batch._fields, [batch])
    await tx.insert("audit_leaves", Part._fields, parts)


async def keep_key(tx: Transaction, kid: str, public_jwk: str) -> None:
    await tx.execute("INSERT INTO audit_keys (kid, public_jwk) VALUES (?, ?) ON CONFLICT DO NOTHING", (kid, public_jwk))


class Stretch(NamedTuple):
    """Where a part lies in the whole log."""

    source: int
    first_leaf: int
    leaves: int


async def stretches_from(tx: Transaction, position: int, *, most: int) -> list[Stretch]:
    """Return up to ``most`` parts in order, the one that holds ``position`` first."""
    rows = await tx.fetch(
        "SELECT source, first_leaf, length(ids) FROM audit_leaves WHERE first_leaf >= coalesce("
        "(SELECT max(first_leaf) FROM audit_leaves WHERE first_leaf <= ?), 0) ORDER BY first_leaf LIMIT ?",
        (position, most),
    )
    return [Stretch(source, first, length // ids.ID_BYTES) for source, first, length in rows]


async def ids_in(tx: Transaction, stretch: Stretch, start: int, count: int) -> list[bytes]:
    """Return ``count`` ids of a part, from its ``start``-th on."""
    ((packed,),) = await tx.fetch(
        f"SELECT substr(ids, {start * ids.ID_BYTES + 1}, {count * ids.ID_BYTES})"  # noqa: S608 - numbers of ours
        " FROM audit_leaves WHERE source = ? AND first_leaf = ?",
        (stretch.source, stretch.first_leaf),
    )
    return split(packed, ids.ID_BYTES)


async def sealed_ids(tx: Transaction, source: int, low: bytes, high: bytes = ids.AFTER_ALL) -> list[bytes]:
    """Return the packed ids of every part of a source that may hold ids from ``low`` up to ``high``."""
    rows = await tx.fetch(
        "SELECT ids FROM audit_leaves WHERE source = ? AND last_id >= ? AND first_id <= ?", (source, low, high)
    )
    return [row[0] for row in rows]


async def number_around(tx: Transaction, source: int, found: bytes) -> int | None:
    """Return the number of the batch that an id would stand in."""
    row = await tx.fetch_one(
        "SELECT batch FROM audit_leaves WHERE source = ? AND last_id >= ? ORDER BY last_id LIMIT 1", (source, found)
    )
    return row[0] if row else None
