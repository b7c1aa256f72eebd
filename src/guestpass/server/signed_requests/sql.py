"""The signed_requests table: which signatures were used. Appended by the second that was signed, dropped as a range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guestpass.server.storage import facts
from guestpass.server.storage.store import Transaction

_FORGOTTEN_BEFORE = "signed_requests_forgotten_before"
_SECONDS_BYTES = 8

# Written by the one request that uses a signature first. Its transaction may be tried again, and then finds itself.
_CLAIM = {
    "sqlite": (
        "INSERT INTO signed_requests (signed_at, signature, request) VALUES (?, ?, ?)"
        " ON CONFLICT (signed_at, signature) DO UPDATE SET request = excluded.request"
        " WHERE signed_requests.request = excluded.request RETURNING request"
    ),
    "postgresql": (
        "INSERT INTO signed_requests (signed_at, signature, request)"
        " SELECT * FROM unnest(?::bigint[], ?::bytea[], ?::bytea[])"
        " ON CONFLICT (signed_at, signature) DO UPDATE SET request = excluded.request"
        " WHERE signed_requests.request = excluded.request RETURNING request"
    ),
}


class Use(NamedTuple):
    """One use of a signature.

    Attributes:
        signed_at: Unix seconds, as they were signed.
        signature: Its first 16 bytes: nobody without the secret makes two that begin alike.
        request: 8 random bytes that tell this request from one that repeats it.
    """

    signed_at: int
    signature: bytes
    request: bytes


async def claim(tx: Transaction, uses: Iterable[Use]) -> set[bytes]:
    """Write uses down and return the ``request`` of each that is the first of its signature, or is there already."""
    # One a signature, or the statement would meet its own row; in one order, or two servers would wait for each other.
    first = sorted({(use.signed_at, use.signature): use for use in reversed(list(uses))}.values())
    sql = _CLAIM[tx.dialect]
    if tx.dialect == "postgresql":
        columns = tuple(list(column) for column in zip(*first, strict=True))
        return {row[0] for row in await tx.fetch(sql, columns)}
    return {row[0] for use in first for row in await tx.fetch(sql, use)}


async def forgotten_before(tx: Transaction) -> int:
    """Return the second from which on every use is remembered."""
    value = await facts.get(tx, _FORGOTTEN_BEFORE)
    return int.from_bytes(value, "big") if value else 0


async def set_forgotten_before(tx: Transaction, edge: int) -> None:
    """Say that uses before ``edge`` may have been forgotten."""
    if edge > await forgotten_before(tx):
        await facts.put(tx, _FORGOTTEN_BEFORE, edge.to_bytes(_SECONDS_BYTES, "big"))


async def forget(tx: Transaction, edge: int, *, most: int) -> int:
    """Drop up to ``most`` uses that were signed before ``edge``, the oldest first; return how many went."""
    rows: Sequence[tuple[int, bytes]] = await tx.fetch(
        "SELECT signed_at, signature FROM signed_requests WHERE signed_at < ? ORDER BY signed_at, signature LIMIT ?",
        (edge, most),
    )
    if not rows:
        return 0
    last_second, last_signature = rows[-1]
    # By what is forgotten, not by a clock: one that was wrong for a moment must not lock everybody out.
    await set_forgotten_before(tx, last_second + 1)
    return await tx.execute(
        "DELETE FROM signed_requests WHERE (signed_at, signature) <= (?, ?)", (last_second, last_signature)
    )
