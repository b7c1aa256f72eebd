"""The tables webhook_endpoints and webhook_secrets: small, whole endpoints at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, fields

from guestpass.server.storage.store import Row, Transaction
from guestpass.server.webhooks.model import Described, Endpoint, Secret

_COLUMNS = ", ".join(field.name for field in fields(Endpoint))
_SECRET_COLUMNS = "id, created_at, ends_at, sealed_secret"  # noqa: S105 - their names


def _endpoint(row: Row) -> Endpoint:
    endpoint = dict(zip((field.name for field in fields(Endpoint)), row, strict=True))
    return Endpoint(**endpoint | {"events": tuple(endpoint["events"].split())})


def _row(endpoint: Endpoint) -> Row:
    return tuple(" ".join(value) if isinstance(value, tuple) else value for value in astuple(endpoint))


async def add(tx: Transaction, endpoint: Endpoint) -> None:
    row = _row(endpoint)
    await tx.execute(f"INSERT INTO webhook_endpoints ({_COLUMNS}) VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608


async def put(tx: Transaction, endpoint: Endpoint) -> None:
    """Write all that may change of an endpoint."""
    await tx.execute(
        "UPDATE webhook_endpoints SET url = ?, description = ?, events = ?, position = ?, failing_since_ms = ?,"
        " disabled_at = ?, disabled_why = ?, deleted_at = ? WHERE issuer = ? AND id = ?",
        (
            endpoint.url, endpoint.description, " ".join(endpoint.events), endpoint.position,
            endpoint.failing_since_ms, endpoint.disabled_at, endpoint.disabled_why, endpoint.deleted_at, endpoint.issuer, endpoint.id,
        ),
    )  # fmt: skip


async def by_id(tx: Transaction, issuer: int, endpoint_id: bytes) -> Endpoint | None:
    """Return an endpoint that was not deleted."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE issuer = ? AND id = ? AND deleted_at IS NULL",  # noqa: S608
        (issuer, endpoint_id),
    )
    return _endpoint(row) if row else None


async def count(tx: Transaction, issuer: int) -> int:
    row = await tx.fetch_one(
        "SELECT count(*) FROM webhook_endpoints WHERE issuer = ? AND deleted_at IS NULL", (issuer,)
    )
    return int(row[0]) if row else 0


async def page(tx: Transaction, issuer: int, *, below: bytes, limit: int) -> list[Endpoint]:
    """Return up to ``limit`` endpoints of an issuer with ids below ``below``, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE issuer = ? AND id < ? AND deleted_at IS NULL"  # noqa: S608
        " ORDER BY id DESC LIMIT ?",
        (issuer, below, limit),
    )
    return [_endpoint(row) for row in rows]


async def enabled(tx: Transaction) -> list[Endpoint]:
    """Return every endpoint, of every issuer, that gets something."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE disabled_at IS NULL AND deleted_at IS NULL"  # noqa: S608
        " ORDER BY issuer, id"
    )
    return [_endpoint(row) for row in rows]


async def with_something_due(tx: Transaction, now_ms: int) -> list[tuple[Endpoint, int]]:
    """Return (endpoint, since when in ms) for each enabled endpoint to which a delivery is due.

    One short search an endpoint: however much waits for one of them, the others are found.
    """
    rows = await tx.fetch(
        f"SELECT since, {_COLUMNS} FROM (SELECT e.*, (SELECT d.due_ms FROM webhook_deliveries d"  # noqa: S608
        " WHERE d.issuer = e.issuer AND d.endpoint_id = e.id AND d.due_ms <= ? ORDER BY d.due_ms LIMIT 1) AS since"
        " FROM webhook_endpoints e WHERE e.disabled_at IS NULL AND e.deleted_at IS NULL) AS waiting"
        " WHERE since IS NOT NULL",
        (now_ms,),
    )
    return [(_endpoint(row[1:]), row[0]) for row in rows]


async def all_of_them(tx: Transaction) -> list[Endpoint]:
    """Return every endpoint, those that were deleted and are not yet gone among them."""
    return [_endpoint(row) for row in await tx.fetch(f"SELECT {_COLUMNS} FROM webhook_endpoints ORDER BY issuer, id")]  # noqa: S608


async def forget(tx: Transaction, endpoint: Endpoint) -> None:
    await tx.execute("DELETE FROM webhook_endpoints WHERE issuer = ? AND id = ?", (endpoint.issuer, endpoint.id))


async def secrets_of(tx: Transaction, endpoint: Endpoint, now: float) -> tuple[Secret, ...]:
    """Return the secrets of an endpoint that work, the newest first."""
    rows = await tx.fetch(
        f"SELECT {_SECRET_COLUMNS} FROM webhook_secrets WHERE issuer = ? AND endpoint_id = ? ORDER BY id DESC",  # noqa: S608
        (endpoint.issuer, endpoint.id),
    )
    kept = [secret for secret in (Secret(*row) for row in rows) if secret.works(now)]
    return tuple(sorted(kept, key=lambda secret: secret.ends_at is not None))


async def described(tx: Transaction, endpoints: Iterable[Endpoint], now: float) -> list[Described]:
    return [Described(endpoint, await secrets_of(tx, endpoint, now)) for endpoint in endpoints]


async def add_secret(tx: Transaction, endpoint: Endpoint, secret: Secret) -> None:
    await tx.execute(
        f"INSERT INTO webhook_secrets (issuer, endpoint_id, {_SECRET_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
        (endpoint.issuer, endpoint.id, *secret),
    )


async def end_secrets(tx: Transaction, endpoint: Endpoint, *, ends_at: int, now: int) -> None:
    """Let every secret of an endpoint end then, or when it would have; drop those that have ended."""
    which = (endpoint.issuer, endpoint.id)
    await tx.execute(
        "UPDATE webhook_secrets SET ends_at = ? WHERE issuer = ? AND endpoint_id = ? AND (ends_at IS NULL OR ends_at > ?)",
        (ends_at, *which, ends_at),
    )
    await tx.execute("DELETE FROM webhook_secrets WHERE issuer = ? AND endpoint_id = ? AND ends_at <= ?", (*which, now))


async def drop_secrets(tx: Transaction, endpoint: Endpoint) -> None:
    await tx.execute("DELETE FROM webhook_secrets WHERE issuer = ? AND endpoint_id = ?", (endpoint.issuer, endpoint.id))
