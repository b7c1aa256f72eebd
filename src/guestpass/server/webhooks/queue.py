"""The table webhook_deliveries: what is to be sent, what is under way, what was sent."""

from __future__ import annotations

from collections.abc import Sequence

from guestpass.server.storage.store import Row, Transaction
from guestpass.server.webhooks.model import Delivery, Endpoint

_COLUMNS = ", ".join(Delivery._fields)
_OF = "issuer = ? AND endpoint_id = ?"
_WHICH = f"{_OF} AND event_id = ?"


async def add(tx: Transaction, deliveries: Sequence[Delivery]) -> None:
    """Queue deliveries of events that were not queued before: see ``dispatching``."""
    await tx.insert("webhook_deliveries", Delivery._fields, deliveries)


async def by_id(tx: Transaction, issuer: int, endpoint_id: bytes, event_id: bytes) -> Delivery | None:
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE {_WHICH}",  # noqa: S608 - names of ours
        (issuer, endpoint_id, event_id),
    )
    return Delivery(*row) if row else None


async def page(tx: Transaction, endpoint: Endpoint, *, below: bytes, limit: int) -> list[Delivery]:
    """Return up to ``limit`` deliveries to an endpoint of events with ids below ``below``, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE {_OF} AND event_id < ? ORDER BY event_id DESC LIMIT ?",  # noqa: S608
        (endpoint.issuer, endpoint.id, below, limit),
    )
    return [Delivery(*row) for row in rows]


async def under_way(tx: Transaction, endpoint: Endpoint, now_ms: int) -> int:
    """Return how many attempts to an endpoint are under way, of all servers."""
    row = await tx.fetch_one(
        f"SELECT count(*) FROM webhook_deliveries WHERE {_OF} AND claim IS NOT NULL AND due_ms > ?",  # noqa: S608
        (endpoint.issuer, endpoint.id, now_ms),
    )
    return int(row[0]) if row else 0


async def claim(
    tx: Transaction, endpoint: Endpoint, claim: bytes, *, now_ms: int, until_ms: int, most: int
) -> list[Delivery]:
    """Begin an attempt of up to ``most`` of the deliveries that are due to an endpoint."""
    which = (endpoint.issuer, endpoint.id)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE {_OF} AND due_ms <= ? ORDER BY due_ms, event_id LIMIT ?",  # noqa: S608
        (*which, now_ms, most),
    )
    begun = [
        Delivery(*row)._replace(claim=claim, due_ms=until_ms, attempts=Delivery(*row).attempts + 1) for row in rows
    ]
    for delivery in begun:
        await tx.execute(
            f"UPDATE webhook_deliveries SET claim = ?, due_ms = ?, attempts = ? WHERE {_WHICH}",  # noqa: S608
            (claim, until_ms, delivery.attempts, *which, delivery.event_id),
        )
    return begun


async def note(tx: Transaction, delivery: Delivery) -> bool:
    """Write what came of an attempt; say whether it was still that attempt's to say."""
    changed = await tx.execute(
        "UPDATE webhook_deliveries SET claim = NULL, due_ms = ?, last_status = ?, last_error = ?, delivered_at = ?"  # noqa: S608
        f" WHERE {_WHICH} AND claim = ?",
        (
            delivery.due_ms, delivery.last_status, delivery.last_error, delivery.delivered_at, delivery.issuer,
            delivery.endpoint_id, delivery.event_id, delivery.claim,
        ),
    )  # fmt: skip
    return changed > 0


async def waiting(tx: Transaction, endpoint: Endpoint, *, most: int) -> int:
    """Count what waits for an endpoint, up to ``most``."""
    row = await tx.fetch_one(
        f"SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries WHERE {_OF} AND due_ms IS NOT NULL LIMIT ?) AS waiting",  # noqa: S608
        (endpoint.issuer, endpoint.id, most),
    )
    return int(row[0]) if row else 0


async def send_again(tx: Transaction, delivery: Delivery, now_ms: int) -> Delivery:
    """Let a delivery be attempted now, with all of its attempts before it."""
    await tx.execute(
        f"UPDATE webhook_deliveries SET claim = NULL, due_ms = ?, attempts = 0, delivered_at = NULL WHERE {_WHICH}",  # noqa: S608
        (now_ms, delivery.issuer, delivery.endpoint_id, delivery.event_id),
    )
    return delivery._replace(claim=None, due_ms=now_ms, attempts=0, delivered_at=None)


async def about(tx: Transaction, endpoint: Endpoint, public_id: str) -> list[Delivery]:
    """Return the deliveries to an endpoint that name something by its public id. It reads all of them."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM webhook_deliveries WHERE {_OF} AND body LIKE ?",  # noqa: S608
        (endpoint.issuer, endpoint.id, f'%"{public_id}"%'),
    )
    return [Delivery(*row) for row in rows]


async def put_body(tx: Transaction, delivery: Delivery, body: str) -> None:
    await tx.execute(
        f"UPDATE webhook_deliveries SET body = ? WHERE {_WHICH}",  # noqa: S608
        (body, delivery.issuer, delivery.endpoint_id, delivery.event_id),
    )


async def newest_done_but(tx: Transaction, endpoint: Endpoint, kept: int) -> bytes | None:
    """Return the event id of the newest done delivery but ``kept``, or None where there are not so many."""
    row = await tx.fetch_one(
        f"SELECT event_id FROM webhook_deliveries WHERE {_OF} AND due_ms IS NULL ORDER BY event_id DESC LIMIT 1 OFFSET ?",  # noqa: S608
        (endpoint.issuer, endpoint.id, kept),
    )
    return row[0] if row else None


async def forget(tx: Transaction, endpoint: Endpoint, *, done_below: bytes, any_below: bytes, most: int) -> int:
    """Drop up to ``most`` deliveries of old events: done ones below one event id, any below another."""
    which: Row = (endpoint.issuer, endpoint.id)
    return await tx.execute(
        f"DELETE FROM webhook_deliveries WHERE {_OF} AND event_id IN (SELECT event_id FROM webhook_deliveries"  # noqa: S608
        f" WHERE {_OF} AND event_id < ? AND (due_ms IS NULL OR event_id < ?) ORDER BY event_id LIMIT ?)",
        (*which, *which, done_below, any_below, most),
    )
