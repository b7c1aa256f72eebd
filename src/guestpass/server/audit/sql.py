"""The tables of recorded events: audit_events and audit_targets; and audit_edges, to tell what of them is sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from guestpass.server.audit.model import EventRow
from guestpass.server.storage.store import Transaction

_COLUMNS = ", ".join(EventRow._fields)


async def add(tx: Transaction, rows: Sequence[EventRow], targets: Sequence[tuple[int, str, bytes]]) -> None:
    """Write events. ``targets``: (issuer, public id, event's id), by which they are found again."""
    await tx.insert("audit_events", EventRow._fields, rows)
    await tx.insert("audit_targets", ("issuer", "target", "id"), targets)


async def count_between(tx: Transaction, low: bytes, high: bytes, *, most: int) -> int:
    """Count the events from ``low`` to below ``high``, up to ``most``."""
    ((counted,),) = await tx.fetch(
        "SELECT count(*) FROM (SELECT 1 FROM audit_events WHERE id >= ? AND id < ? LIMIT ?) AS counted",
        (low, high, most),
    )
    return int(counted)


async def ids_from(tx: Transaction, low: bytes) -> AsyncIterator[bytes]:
    """Yield the ids from ``low`` on, in order."""
    async for row in tx.each("SELECT id FROM audit_events WHERE id >= ? ORDER BY id", (low,)):
        yield row[0]


async def events_of(tx: Transaction, event_ids: Sequence[bytes]) -> dict[bytes, EventRow]:
    """Return those of many that are there, by id."""
    if not event_ids:
        return {}
    rows = await tx.fetch_among(f"SELECT {_COLUMNS} FROM audit_events WHERE id IN (?*)", (), event_ids)  # noqa: S608
    return {row.id: row for row in (EventRow(*columns) for columns in rows)}


async def newest(
    tx: Transaction, issuers: Sequence[int] | None, below: bytes, limit: int, action: str | None, target: str | None
) -> list[EventRow]:
    """Return up to ``limit`` events below ``below``, newest first, as far as they fit all that is named."""
    found: list[EventRow] = []
    for issuer in [None] if issuers is None else issuers:
        where: list[str] = ["id < ?"]
        parameters: list[object] = [below]
        for clause, value in (
            ("issuer = ?", issuer),
            ("action = ?", action),
            ("id IN (SELECT t.id FROM audit_targets t WHERE t.issuer = audit_events.issuer AND t.target = ?)", target),
        ):
            if value is not None:
                where.append(clause)
                parameters.append(value)
        rows = await tx.fetch(
            f"SELECT {_COLUMNS} FROM audit_events WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?",  # noqa: S608
            (*parameters, limit),
        )
        found += [EventRow(*row) for row in rows]
    return sorted(found, key=lambda row: row.id, reverse=True)[:limit]


async def with_target(tx: Transaction, issuer: int, target: str) -> list[bytes]:
    """Return the ids of the events that name a target."""
    rows = await tx.fetch("SELECT id FROM audit_targets WHERE issuer = ? AND target = ?", (issuer, target))
    return [row[0] for row in rows]


async def erase(tx: Transaction, event_ids: Sequence[bytes]) -> int:
    """Forget what events say of a person; return of how many something was left to forget."""
    gone = 0
    for event_id in event_ids:
        gone += await tx.execute(
            "UPDATE audit_events SET personal = NULL WHERE id = ? AND personal IS NOT NULL AND personal <> '{}'",
            (event_id,),
        )
    return gone


async def drop(tx: Transaction, event_ids: Sequence[bytes]) -> int:
    """Drop events, and what they are found by; return how many rows went."""
    gone = 0
    for row in (await events_of(tx, event_ids)).values():
        for target in msgspec.json.decode(row.targets, type=set[str]):
            gone += await tx.execute(
                "DELETE FROM audit_targets WHERE issuer = ? AND target = ? AND id = ?", (row.issuer, target, row.id)
            )
        gone += await tx.execute("DELETE FROM audit_events WHERE id = ?", (row.id,))
    return gone


async def keep_commitments(tx: Transaction, issuer: int, session_id: bytes, commitments: Sequence[str | None]) -> None:
    """Keep what stands in for the salts of a session that is being erased."""
    await tx.execute(
        "INSERT INTO audit_erased (issuer, id, commitments) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (issuer, session_id, msgspec.json.encode(commitments).decode()),
    )


async def drop_commitments(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> int:
    gone = 0
    for session_id in await erased_of(tx, issuer, session_ids):
        gone += await tx.execute("DELETE FROM audit_erased WHERE issuer = ? AND id = ?", (issuer, session_id))
    return gone


async def erased_of(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> dict[bytes, list[str | None]]:
    """Return the commitments that were kept of sessions whose person was forgotten."""
    if not session_ids:
        return {}
    rows = await tx.fetch_among(
        "SELECT id, commitments FROM audit_erased WHERE issuer = ? AND id IN (?*)", (issuer,), session_ids
    )
    return {one: msgspec.json.decode(commitments) for one, commitments in rows}


async def edge_ms(tx: Transaction, source: int) -> int | None:
    """Return the milliseconds below which all ids of a source are sealed."""
    row = await tx.fetch_one("SELECT edge_ms FROM audit_edges WHERE source = ?", (source,))
    return row[0] if row else None


async def edges(tx: Transaction) -> dict[int, int]:
    """Return the edge of every source that has one."""
    rows = await tx.fetch("SELECT source, edge_ms FROM audit_edges")
    return {source: at_ms for source, at_ms in rows}  # noqa: C416 - rows are tuples of anything


async def put_edge(tx: Transaction, source: int, at_ms: int) -> None:
    """Move an edge; never back."""
    await tx.execute(
        "INSERT INTO audit_edges (source, edge_ms) VALUES (?, ?) ON CONFLICT (source) DO UPDATE"
        " SET edge_ms = excluded.edge_ms WHERE audit_edges.edge_ms < excluded.edge_ms",
        (source, at_ms),
    )
