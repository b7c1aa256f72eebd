"""Move a store to another master key, while servers that have both go on; and see how far that is.

First the store names the new key, and from then on everything is sealed under it. Then every value that is still
under another is sealed anew, batch by batch. It can be broken off anywhere and run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from guestpass.server.storage import facts
from guestpass.server.storage.sealing import MasterKey, SealedColumn, Sealer, fingerprint_of
from guestpass.server.storage.store import Row, Store, Transaction

BATCH = 200  # values of one transaction: some milliseconds


async def rewrap(
    store: Store,
    sealer: Sealer,
    key: MasterKey,
    columns: Sequence[SealedColumn],
    named: Callable[[Transaction], Awaitable[None]],
) -> int:
    """Seal every value under ``key``, which ``sealer`` has beside the one before; return how many were not yet.

    ``named``: called in the transaction in which the store names a key that is not the one it named before.

    Raises: MasterKeyError where a value is sealed under a key that ``sealer`` lacks, Unavailable.
    """

    async def name(tx: Transaction, items: list[None]) -> list[None]:
        before = await facts.master_key_fingerprint(tx)
        sealer.named(before or key.fingerprint)
        await facts.name_master_key(tx, key.fingerprint)
        if before != key.fingerprint:
            await named(tx)
        return items

    await store.write(name, None)
    total = 0
    # Until there is nothing left: a value that was read before and is written back now is still as it was.
    while changed := sum([await _rewrap_column(store, sealer, key, column) for column in columns]):
        total += changed
    return total


async def census(store: Store, sealer: Sealer, columns: Sequence[SealedColumn]) -> Counter[str]:
    """Open every sealed value; return how many each master key sealed, by its fingerprint.

    Raises: MasterKeyError where one does not open, Unavailable.
    """
    found: Counter[str] = Counter()
    for column in columns:
        after: Row = ()
        while some := await store.read(partial(_some, column=column, after=after)):
            for one in some:
                sealer.open(one.purpose, one.sealed)
                found[fingerprint_of(one.sealed)] += 1
            after = some[-1].key
    return found


class _Sealed(NamedTuple):
    key: Row
    purpose: str
    sealed: bytes


async def _rewrap_column(store: Store, sealer: Sealer, key: MasterKey, column: SealedColumn) -> int:
    async def act(tx: Transaction, items: list[Row]) -> list[tuple[Row, int]]:
        return [await _rewrap_some(tx, sealer, key, column, after) for after in items]

    total, changed, after = 0, 0, ()
    while True:
        after, changed = await store.write(act, after)
        total += changed
        if not after:
            return total


async def _rewrap_some(
    tx: Transaction, sealer: Sealer, key: MasterKey, column: SealedColumn, after: Row
) -> tuple[Row, int]:
    some = await _some(tx, column, after)
    where = " AND ".join(f"{name} = ?" for name in column.key)
    changed = 0
    for one in some:
        if fingerprint_of(one.sealed) != key.fingerprint:
            again = key.seal(one.purpose, sealer.open(one.purpose, one.sealed))
            # Not where it was changed since: whoever did that has sealed under the new key.
            changed += await tx.execute(
                f"UPDATE {column.table} SET {column.column} = ? WHERE {where} AND {column.column} = ?",  # noqa: S608
                (again, *one.key, one.sealed),
            )
    return (some[-1].key if some else ()), changed


async def _some(tx: Transaction, column: SealedColumn, after: Row) -> list[_Sealed]:
    """Return the sealed values of the next rows in the order of the key. One that was erased is empty."""
    key, named_by = ", ".join(column.key), column.named_by or column.key
    beyond = f"({key}) > ({', '.join('?' * len(column.key))})" if after else "1 = 1"
    rows = await tx.fetch(
        f"SELECT {column.column}, {key}, {', '.join(named_by)} FROM {column.table}"  # noqa: S608 - names of ours
        f" WHERE {column.only} AND length({column.column}) > 0 AND {beyond} ORDER BY {key} LIMIT {BATCH}",
        after,
    )
    width = 1 + len(column.key)
    return [_Sealed(row[1:width], column.purpose(*row[width:]), row[0]) for row in rows]
