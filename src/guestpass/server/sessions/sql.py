"""The hot tables: sessions, what goes with one, and what of a renewable one changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from guestpass.core.revocation.cutoff import Ending
from guestpass.server.sessions.model import RenewalRow, SessionRow
from guestpass.server.storage import distinct
from guestpass.server.storage.store import Row, Store, Transaction


class Found(NamedTuple):
    """A session: its row, its own ending, the issuer's cut horizon in ms, and its renewal where it is renewable."""

    row: SessionRow
    own: Ending | None
    horizon: int
    renewal: RenewalRow | None
    suspended: bool


COLUMNS = ", ".join(SessionRow._fields)
_S_COLUMNS = ", ".join(f"s.{name}" for name in SessionRow._fields)

_N_COLUMNS = ", ".join(f"n.{name}" for name in RenewalRow._fields)
_ROW = 5 + len(RenewalRow._fields)  # where the session's own row begins

_FIND_START = (
    f"SELECT r.revoked_at_ms, r.revoked_by, r.reissue, h.before_ms, u.id, {_N_COLUMNS},"  # noqa: S608
    f" {_S_COLUMNS} FROM sessions s"
    " LEFT JOIN revocations r ON r.issuer = s.issuer AND r.id = s.id"
    " LEFT JOIN cut_horizons h ON h.issuer = s.issuer"
    " LEFT JOIN renewals n ON n.issuer = s.issuer AND n.id = s.id"
    " LEFT JOIN suspensions u ON u.issuer = s.issuer AND u.id = s.id"
)
_FIND = f"{_FIND_START} WHERE s.issuer = ? AND s.id = ?"


async def add(tx: Transaction, rows: Sequence[SessionRow]) -> None:
    await tx.insert("sessions", SessionRow._fields, rows)


async def add_metadata(tx: Transaction, issuer: int, session_id: bytes, metadata: str) -> None:
    await tx.execute(
        "INSERT INTO session_metadata (issuer, id, metadata) VALUES (?, ?, ?)", (issuer, session_id, metadata)
    )


async def add_opaque_token(tx: Transaction, issuer: int, session_id: bytes, token_hash: bytes) -> None:
    await tx.execute(
        "INSERT INTO opaque_tokens (session_id, issuer, token_hash) VALUES (?, ?, ?)", (session_id, issuer, token_hash)
    )


async def add_renewals(tx: Transaction, rows: Sequence[RenewalRow]) -> None:
    await tx.insert("renewals", RenewalRow._fields, rows)


async def has_renewable(tx: Transaction, issuer: int) -> bool:
    """Say whether an issuer has a renewable session, which lives longer than any other."""
    return await tx.fetch_one("SELECT 1 FROM renewals WHERE issuer = ? LIMIT 1", (issuer,)) is not None


async def opaque_hash_of(tx: Transaction, session_id: bytes) -> bytes | None:
    row = await tx.fetch_one("SELECT token_hash FROM opaque_tokens WHERE session_id = ?", (session_id,))
    return row[0] if row else None


async def look_up_opaque_token(store: Store, session_id: bytes) -> tuple[int, bytes] | None:
    """Return (issuer, hash) of the opaque token that was made for a session, or None."""
    rows = await store.look_up("SELECT issuer, token_hash FROM opaque_tokens WHERE session_id = ?", (session_id,))
    return (rows[0][0], rows[0][1]) if rows else None


def _found(row: Row) -> Found:
    own = Ending(row[0], row[1], bool(row[2])) if row[0] is not None else None
    renewal = RenewalRow(*row[5:_ROW]) if row[5] is not None else None
    return Found(SessionRow(*row[_ROW:]), own, row[3] or 0, renewal, row[4] is not None)


async def look_up(store: Store, issuer: int, session_id: bytes) -> Found | None:
    """Return a session, for the path of every request."""
    rows = await store.look_up(_FIND, (issuer, session_id))
    return _found(rows[0]) if rows else None


async def find(tx: Transaction, issuer: int, session_id: bytes) -> Found | None:
    """Do the same inside a transaction."""
    row = await tx.fetch_one(_FIND, (issuer, session_id))
    return _found(row) if row else None


async def find_each(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> list[Found]:
    """Return those of many that are there, in the order of ``session_ids``."""
    rows = await tx.fetch_among(f"{_FIND_START} WHERE s.issuer = ? AND s.id IN (?*)", (issuer,), session_ids)
    by_id = {found.row.id: found for found in map(_found, rows)}
    return [by_id[one] for one in session_ids if one in by_id]


async def find_living(
    tx: Transaction, issuer: int, session_ids: Sequence[bytes], *, now: int
) -> list[tuple[SessionRow, Ending | None]]:
    """Return those that have not expired, each with its own ending."""
    rows = await tx.fetch_among(
        f"{_FIND_START} WHERE s.issuer = ? AND s.expires_at > ? AND coalesce(n.idle_ends_at, s.expires_at) > ?"
        " AND s.id IN (?*)",
        (issuer, now, now),
        session_ids,
    )
    return [(found.row, found.own) for found in map(_found, rows)]


async def minted_with(
    tx: Transaction, issuer: int, api_key_id: bytes, *, above: bytes, below: bytes
) -> AsyncIterator[bytes]:
    """Yield the ids from ``above`` to below ``below`` that an API key minted, newest first."""
    rows = tx.each(
        "SELECT id FROM sessions WHERE issuer = ? AND id >= ? AND id < ? AND api_key_id = ? ORDER BY id DESC",
        (issuer, above, below, api_key_id),
    )
    async for row in rows:
        yield row[0]


async def metadata_of_each(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> dict[bytes, str]:
    return await _of_each(tx, "SELECT id, metadata FROM session_metadata", issuer, session_ids)


async def _of_each(tx: Transaction, select: str, issuer: int, session_ids: Sequence[bytes]) -> dict[bytes, Any]:
    if not session_ids:
        return {}
    rows = await tx.fetch_among(f"{select} WHERE issuer = ? AND id IN (?*)", (issuer,), session_ids)
    return {row[0]: row[1] for row in rows}


async def uses_of(tx: Transaction, issuer: int, session_id: bytes) -> int:
    row = await tx.fetch_one(_USES, (issuer, session_id))
    return row[0] if row else 0


async def uses_of_each(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> dict[bytes, int]:
    return await _of_each(tx, "SELECT id, uses FROM session_uses", issuer, session_ids)


async def look_up_uses(store: Store, issuer: int, session_id: bytes) -> int:
    rows = await store.look_up(_USES, (issuer, session_id))
    return rows[0][0] if rows else 0


_USES = "SELECT uses FROM session_uses WHERE issuer = ? AND id = ?"


async def count_use(tx: Transaction, issuer: int, session_id: bytes, *, most: int) -> bool:
    """Count one use; say whether there was one left."""
    counted = await tx.execute(
        "INSERT INTO session_uses (issuer, id, uses) VALUES (?, ?, 1)"
        " ON CONFLICT (issuer, id) DO UPDATE SET uses = session_uses.uses + 1 WHERE session_uses.uses < ?",
        (issuer, session_id, most),
    )
    return counted > 0


async def newest(tx: Transaction) -> list[tuple[int, bytes]]:
    """Return each issuer that has sessions, with the id of its newest: two short searches each, in one statement."""
    rows = await tx.fetch(
        "WITH RECURSIVE each(value) AS (SELECT min(issuer) FROM sessions UNION ALL SELECT (SELECT min(issuer) FROM"
        " sessions WHERE issuer > each.value) FROM each WHERE value IS NOT NULL)"
        " SELECT value, (SELECT id FROM sessions WHERE issuer = each.value ORDER BY id DESC LIMIT 1) FROM each"
        " WHERE value IS NOT NULL"
    )
    return [(issuer, session_id) for issuer, session_id in rows]


async def count_between(tx: Transaction, issuer: int, low: bytes, high: bytes, *, most: int) -> int:
    """Count the sessions from ``low`` to below ``high``, up to ``most``."""
    ((counted,),) = await tx.fetch(
        "SELECT count(*) FROM (SELECT 1 FROM sessions WHERE issuer = ? AND id >= ? AND id < ? LIMIT ?) AS counted",
        (issuer, low, high, most),
    )
    return int(counted)


async def ids_from(tx: Transaction, issuer: int, low: bytes) -> AsyncIterator[bytes]:
    """Yield the ids from ``low`` on, in order."""
    async for row in tx.each("SELECT id FROM sessions WHERE issuer = ? AND id >= ? ORDER BY id", (issuer, low)):
        yield row[0]


async def rows_of(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> dict[bytes, SessionRow]:
    rows = await tx.fetch_among(
        f"SELECT {COLUMNS} FROM sessions WHERE issuer = ? AND id IN (?*)",  # noqa: S608 - names of ours
        (issuer,),
        session_ids,
    )
    return {row.id: row for row in (SessionRow(*columns) for columns in rows)}


async def rows_between(
    tx: Transaction, issuer: int, first: bytes, last: bytes, *, most: int
) -> dict[bytes, SessionRow]:
    """Return up to ``most`` rows from the id ``first`` up to ``last``, by id."""
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM sessions WHERE issuer = ? AND id >= ? AND id <= ? ORDER BY id LIMIT ?",  # noqa: S608
        (issuer, first, last, most),
    )
    return {row[1]: SessionRow._make(row) for row in rows}


async def erase(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> None:
    """Empty what rows say of a person, from where they were refreshed too, and drop the sessions' metadata."""
    odd = await tx.fetch_among(
        "SELECT id FROM anomalies WHERE issuer = ? AND session_id IN (?*)", (issuer,), session_ids
    )
    for (anomaly_id,) in odd:
        await tx.execute("UPDATE anomalies SET evidence = '{}' WHERE issuer = ? AND id = ?", (issuer, anomaly_id))
    for session_id in session_ids:
        await tx.execute(
            "UPDATE sessions SET external_user_id = '', external_organization_id = NULL WHERE issuer = ? AND id = ?",
            (issuer, session_id),
        )
        await tx.execute("DELETE FROM session_metadata WHERE issuer = ? AND id = ?", (issuer, session_id))
        await tx.execute("UPDATE renewals SET recent = ? WHERE issuer = ? AND id = ?", (b"", issuer, session_id))


async def renewable_among(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> set[bytes]:
    """Return those of many that are renewable."""
    rows = await tx.fetch_among("SELECT id FROM renewals WHERE issuer = ? AND id IN (?*)", (issuer,), session_ids)
    return {row[0] for row in rows}


async def issuers_with_sessions(tx: Transaction) -> list[int]:
    return await distinct.values(tx, "sessions", "issuer")


async def purge(tx: Transaction, issuer: int, edge: bytes, *, most: int) -> int:
    """Delete up to ``most`` sessions with ids below ``edge``, oldest first; return how many went."""
    row = await tx.fetch_one(
        "SELECT id FROM sessions WHERE issuer = ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?", (issuer, edge, most)
    )
    upper = row[0] if row else edge
    await tx.execute("DELETE FROM session_metadata WHERE issuer = ? AND id < ?", (issuer, upper))
    await tx.execute("DELETE FROM session_uses WHERE issuer = ? AND id < ?", (issuer, upper))
    await tx.execute("DELETE FROM renewals WHERE issuer = ? AND id < ?", (issuer, upper))
    # By the ids that go: a range of opaque_tokens would hold the other issuers' too, and be read again each time.
    await tx.execute(
        "DELETE FROM opaque_tokens WHERE session_id IN"
        " (SELECT id FROM sessions WHERE issuer = ? AND id < ? AND format = 'opaque')",
        (issuer, upper),
    )
    return await tx.execute("DELETE FROM sessions WHERE issuer = ? AND id < ?", (issuer, upper))
