"""The hot tables: sessions and session_metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from guestpass.core.revocation.cutoff import Ending
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage import distinct
from guestpass.server.storage.store import Row, Store, Transaction

Found: TypeAlias = tuple[SessionRow, Ending | None, int]  # the row, its own ending, the issuer's cut horizon in ms

COLUMNS = ", ".join(SessionRow._fields)
_S_COLUMNS = ", ".join(f"s.{name}" for name in SessionRow._fields)
_WIDTH = len(SessionRow._fields)
_ROW = f"({', '.join('?' * _WIDTH)})"
_CHUNKS = tuple(
    (size, f"INSERT INTO sessions ({COLUMNS}) VALUES {', '.join([_ROW] * size)}")  # noqa: S608
    for size in (64, 32, 16, 8, 4, 2, 1)
)

_FIND = (
    f"SELECT r.revoked_at_ms, r.revoked_by, r.reissue, h.before_ms, {_S_COLUMNS} FROM sessions s"  # noqa: S608
    " LEFT JOIN revocations r ON r.issuer = s.issuer AND r.id = s.id"
    " LEFT JOIN cut_horizons h ON h.issuer = s.issuer WHERE s.issuer = ? AND s.id = ?"
)


def add(tx: Transaction, rows: Sequence[SessionRow]) -> None:
    """Insert rows, many in one statement: a group of 64 costs half of 64 single inserts."""
    start = 0
    for size, statement in _CHUNKS:
        while len(rows) - start >= size:
            tx.execute(statement, [value for row in rows[start : start + size] for value in row])
            start += size


def add_metadata(tx: Transaction, issuer: int, session_id: bytes, metadata: str) -> None:
    tx.execute("INSERT INTO session_metadata (issuer, id, metadata) VALUES (?, ?, ?)", (issuer, session_id, metadata))


def add_opaque_token(tx: Transaction, issuer: int, session_id: bytes, token_hash: bytes) -> None:
    tx.execute(
        "INSERT INTO opaque_tokens (session_id, issuer, token_hash) VALUES (?, ?, ?)", (session_id, issuer, token_hash)
    )


async def look_up_opaque_token(store: Store, session_id: bytes) -> tuple[int, bytes] | None:
    """Return (issuer, hash) of the opaque token that was made for a session, or None."""
    rows = await store.look_up("SELECT issuer, token_hash FROM opaque_tokens WHERE session_id = ?", (session_id,))
    return (rows[0][0], rows[0][1]) if rows else None


def _found(row: Row) -> Found:
    own = Ending(row[0], row[1], bool(row[2])) if row[0] is not None else None
    return SessionRow(*row[4:]), own, row[3] or 0


async def look_up(store: Store, issuer: int, session_id: bytes) -> Found | None:
    """Return (row, its own ending, the issuer's cut horizon), or None."""
    rows = await store.look_up(_FIND, (issuer, session_id))
    return _found(rows[0]) if rows else None


def find(tx: Transaction, issuer: int, session_id: bytes) -> Found | None:
    """Do the same inside a transaction."""
    row = tx.execute(_FIND, (issuer, session_id)).fetchone()
    return _found(row) if row else None


def minted_with(tx: Transaction, issuer: int, api_key_id: bytes, *, above: bytes, below: bytes) -> Iterator[bytes]:
    """Yield the ids from ``above`` to below ``below`` that an API key minted, newest first."""
    rows = tx.execute(
        "SELECT id FROM sessions WHERE issuer = ? AND id >= ? AND id < ? AND api_key_id = ? ORDER BY id DESC",
        (issuer, above, below, api_key_id),
    )
    return (row[0] for row in rows)


def metadata_of(tx: Transaction, issuer: int, session_id: bytes) -> str | None:
    row = tx.execute(
        "SELECT metadata FROM session_metadata WHERE issuer = ? AND id = ?", (issuer, session_id)
    ).fetchone()
    return row[0] if row else None


def issuers_with_sessions(tx: Transaction) -> list[int]:
    return distinct.values(tx, "sessions", "issuer")


def purge(tx: Transaction, issuer: int, edge: bytes, *, most: int) -> int:
    """Delete up to ``most`` sessions with ids below ``edge``, oldest first; return how many went."""
    row = tx.execute(
        "SELECT id FROM sessions WHERE issuer = ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?", (issuer, edge, most)
    ).fetchone()
    upper = row[0] if row else edge
    tx.execute("DELETE FROM session_metadata WHERE issuer = ? AND id < ?", (issuer, upper))
    # By the ids that go: a range of opaque_tokens would hold the other issuers' too, and be read again each time.
    tx.execute(
        "DELETE FROM opaque_tokens WHERE session_id IN"
        " (SELECT id FROM sessions WHERE issuer = ? AND id < ? AND format = 'opaque')",
        (issuer, upper),
    )
    return tx.execute("DELETE FROM sessions WHERE issuer = ? AND id < ?", (issuer, upper)).rowcount
