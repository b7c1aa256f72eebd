"""The tables customers and customer_blocks."""

from __future__ import annotations

from guestpass.server.customers.model import Sighting
from guestpass.server.storage.store import Transaction


async def record(tx: Transaction, sighting: Sighting) -> None:
    """Upsert what is known of a customer; a row that would not change is only read."""
    await tx.execute(
        "INSERT INTO customers (issuer, id, external_user_id, email, email_verified, first_seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (issuer, id) DO UPDATE SET"
        " email = excluded.email, email_verified = excluded.email_verified"
        " WHERE coalesce(customers.email, '') <> coalesce(excluded.email, '')"
        " OR customers.email_verified < excluded.email_verified",
        (
            sighting.issuer,
            sighting.customer_id,
            sighting.external_user_id,
            sighting.email,
            int(sighting.email_verified),
            sighting.seen_at,
        ),
    )


async def add_if_new(tx: Transaction, issuer: int, customer_id: bytes, external_user_id: str, *, now: int) -> None:
    await tx.execute(
        "INSERT INTO customers (issuer, id, external_user_id, email, email_verified, first_seen_at)"
        " VALUES (?, ?, ?, NULL, 0, ?) ON CONFLICT DO NOTHING",
        (issuer, customer_id, external_user_id, now),
    )


async def erase(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    gone = await tx.execute("DELETE FROM customers WHERE issuer = ? AND id = ?", (issuer, customer_id))
    return gone > 0


async def is_recorded(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    row = await tx.fetch_one("SELECT 1 FROM customers WHERE issuer = ? AND id = ?", (issuer, customer_id))
    return row is not None


async def add_block(tx: Transaction, issuer: int, customer_id: bytes, *, now: int, by: str) -> bool:
    """Write a block; say whether it is new."""
    written = await tx.execute(
        "INSERT INTO customer_blocks (issuer, customer_id, blocked_at, blocked_by) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (issuer, customer_id, now, by),
    )
    return written > 0


async def remove_block(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    """Take a block away; say whether there was one."""
    gone = await tx.execute("DELETE FROM customer_blocks WHERE issuer = ? AND customer_id = ?", (issuer, customer_id))
    return gone > 0


async def is_blocked(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    row = await tx.fetch_one(
        "SELECT 1 FROM customer_blocks WHERE issuer = ? AND customer_id = ?", (issuer, customer_id)
    )
    return row is not None


async def has_blocks(tx: Transaction) -> bool:
    return await tx.fetch_one("SELECT 1 FROM customer_blocks LIMIT 1") is not None
