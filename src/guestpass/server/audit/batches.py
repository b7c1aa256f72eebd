"""The tables of the chain: audit_batches, audit_leaves and audit_keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guestpass.core import ids
from guestpass.server.audit.packed import split
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


_BATCH = ", ".join(Batch._fields)
_PART = ", ".join(Part._fields)


async def last(tx: Transaction) -> Batch | None:
    row = await tx.fetch_one(f"SELECT {_BATCH} FROM audit_batches ORDER BY number DESC LIMIT 1")  # noqa: S608
    return Batch(*row) if row else None


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


async def sealed_ids(tx: Transaction, source: int, low: bytes) -> list[bytes]:
    """Return the packed ids of every part of a source that may hold ids from ``low`` on."""
    rows = await tx.fetch("SELECT ids FROM audit_leaves WHERE source = ? AND last_id >= ?", (source, low))
    return [row[0] for row in rows]
