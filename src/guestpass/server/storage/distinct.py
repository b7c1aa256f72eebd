"""The few different values that a long table's key begins with."""

from __future__ import annotations

from guestpass.server.storage.store import Transaction


async def values(tx: Transaction, table: str, column: str) -> list[int]:
    """Return them in order; one short search each, however many rows there are (SQLite would read them all)."""
    rows = await tx.fetch(
        f"WITH RECURSIVE each(value) AS (SELECT min({column}) FROM {table} UNION ALL"  # noqa: S608 - names of ours
        f" SELECT (SELECT min({column}) FROM {table} WHERE {column} > each.value) FROM each WHERE value IS NOT NULL)"
        " SELECT value FROM each WHERE value IS NOT NULL"
    )
    return [row[0] for row in rows]
