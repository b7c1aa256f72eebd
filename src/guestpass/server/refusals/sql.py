"""The refusals table: found by the id of a request or of a session, forgotten hour by hour."""

from __future__ import annotations

from guestpass.server.refusals.model import Refusal
from guestpass.server.storage.store import Transaction

_FIELDS = Refusal._fields
_COLUMNS = ("hour", "name", "number", *_FIELDS)


async def add(tx: Transaction, hour: int, refusals: list[tuple[bytes, Refusal]]) -> None:
    """Add refusals, each with a random number that tells it from another of the same name and moment."""
    rows = [
        (hour, name, number, *refusal)
        for number, refusal in refusals
        for name in (refusal.request_id, refusal.session_id)
        if name is not None
    ]
    await tx.insert("refusals", _COLUMNS, rows)


async def of(tx: Transaction, name: str, *, from_hour: int, to_hour: int, most: int) -> list[Refusal]:
    """Return the newest refusals of a request or a session, newest first. One search an hour."""
    found: list[Refusal] = []
    for hour in range(to_hour, from_hour - 1, -1):
        rows = await tx.fetch(
            f"SELECT {', '.join(_FIELDS)} FROM refusals WHERE hour = ? AND name = ? ORDER BY at_ms DESC LIMIT ?",  # noqa: S608
            (hour, name, most - len(found)),
        )
        found += [Refusal(*row) for row in rows]
        if len(found) >= most:
            break
    return found


async def forget(tx: Transaction, *, below_hour: int, most: int) -> int:
    return await tx.execute(
        "DELETE FROM refusals WHERE (hour, name, at_ms, number) IN (SELECT hour, name, at_ms, number FROM refusals"
        " WHERE hour < ? ORDER BY hour, name, at_ms, number LIMIT ?)",
        (below_hour, most),
    )
