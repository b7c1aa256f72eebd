"""Customers: derive their ids, record what mints say of them, block and unblock."""

from __future__ import annotations

from collections.abc import Iterable

from guestpass.server.customers import sql
from guestpass.server.customers.model import WORD, Derivation, Sighting
from guestpass.server.storage.store import Transaction

__all__ = [
    "WORD",
    "Derivation",
    "Sighting",
    "block",
    "blocked_among",
    "erase",
    "is_blocked",
    "is_recorded",
    "record",
    "remember",
    "unblock",
]


async def blocked_among(tx: Transaction, customers: Iterable[tuple[int, bytes]]) -> set[tuple[int, bytes]]:
    """Return those (issuer, customer id) that may not get a session."""
    if not await sql.has_blocks(tx):
        return set()
    return {customer for customer in customers if await sql.is_blocked(tx, *customer)}


async def record(tx: Transaction, sighting: Sighting) -> None:
    """Upsert a customer of whom a mint said more than the session keeps; in the mint's own transaction."""
    await sql.record(tx, sighting)


async def remember(tx: Transaction, issuer: int, customer_id: bytes, external_user_id: str, *, now: int) -> None:
    """Record that a customer exists, without saying more of him than is known."""
    await sql.add_if_new(tx, issuer, customer_id, external_user_id, now=now)


async def erase(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    """Forget what is recorded of a customer; a block stays. Say whether there was something."""
    return await sql.erase(tx, issuer, customer_id)


async def is_recorded(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    return await sql.is_recorded(tx, issuer, customer_id)


async def is_blocked(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    return await sql.is_blocked(tx, issuer, customer_id)


async def block(tx: Transaction, issuer: int, customer_id: bytes, *, now: int, by: str) -> bool:
    """Refuse the customer's mints from now on; his living sessions are ended by a cut in the same transaction.

    Say whether he was not blocked before.
    """
    return await sql.add_block(tx, issuer, customer_id, now=now, by=by)


async def unblock(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    """Allow his mints again; say whether he was blocked."""
    return await sql.remove_block(tx, issuer, customer_id)
