"""Who owns which sessions: an index fed after the answer, so that a mint never pays for it.

A tree ordered by user would dirty one page a mint once it is large. Instead every 4,096 sessions become a *run*:
their (owner, id) pairs, sorted, appended behind the run before. A look-up probes each run, newest first, and
reads the tail that is not indexed yet as it is; so the index is never behind, and nothing is ever rewritten.
A run covers all ids up to its last one: a mint that comes too late to be in it is given a later id.
"""

from __future__ import annotations

from collections.abc import Iterator

from guestpass.core import ids
from guestpass.server.storage import distinct
from guestpass.server.storage.store import Transaction

RUN_SESSIONS = 4096
SETTLED_MS = 2_000  # younger sessions wait: a mint under way elsewhere may still commit beside them
AFTER_ALL_IDS = b"\xff" * ids.ID_BYTES
_BEFORE_ALL_IDS = b""
_NEXT = b"\0"  # behind an id: the least value above it


def indexed_up_to(tx: Transaction, issuer: int) -> bytes:
    """Return the last id of the newest run; sessions may only be added above it."""
    row = tx.execute("SELECT max(last_id) FROM session_runs WHERE issuer = ?", (issuer,)).fetchone()
    return row[0] or _BEFORE_ALL_IDS


def due(tx: Transaction, issuer: int, *, now_ms: int, run_sessions: int = RUN_SESSIONS) -> tuple[bytes, bytes] | None:
    """Return (before its first id, its last id) of the next run, or None where it is not full, or not settled yet."""
    start = indexed_up_to(tx, issuer)
    row = tx.execute(
        "SELECT id FROM sessions WHERE issuer = ? AND id > ? ORDER BY id LIMIT 1 OFFSET ?",
        (issuer, start, run_sessions - 1),
    ).fetchone()
    return (start, row[0]) if row is not None and ids.unix_ms_of(row[0]) <= now_ms - SETTLED_MS else None


def add_run(tx: Transaction, issuer: int, *, now_ms: int, run_sessions: int = RUN_SESSIONS) -> bool:
    """Index the next run, where one is due; say whether there was one."""
    run = due(tx, issuer, now_ms=now_ms, run_sessions=run_sessions)
    if run is None:
        return False
    start, last = run
    between = "FROM sessions WHERE issuer = :issuer AND id > :start AND id <= :last"
    tx.execute(
        "INSERT INTO session_owners (issuer, run, owner, id)"  # noqa: S608
        f" SELECT :issuer, :last, owner, id FROM (SELECT customer_id AS owner, id {between}"
        f" UNION ALL SELECT organization_key, id {between} AND organization_key IS NOT NULL) ORDER BY owner, id",
        {"issuer": issuer, "start": start, "last": last},
    )
    tx.execute("INSERT INTO session_runs (issuer, last_id) VALUES (?, ?)", (issuer, last))
    return True


def newest_first(
    tx: Transaction, issuer: int, owner: bytes | None, *, below: bytes, above: bytes = _BEFORE_ALL_IDS
) -> Iterator[bytes]:
    """Yield ids from ``above`` to below ``below``, of one owner or of all, newest first.

    Only the runs that may hold such ids are probed: a page far back, and a look at the last day, cost no more
    than the newest.
    """
    if owner is None:
        rows = tx.execute(
            "SELECT id FROM sessions WHERE issuer = ? AND id >= ? AND id < ? ORDER BY id DESC", (issuer, above, below)
        )
        yield from (row[0] for row in rows)
        return
    tail = tx.execute(
        "SELECT id FROM sessions WHERE issuer = ? AND id >= ? AND id < ? AND (customer_id = ? OR organization_key = ?)"
        " ORDER BY id DESC",
        (issuer, max(above, indexed_up_to(tx, issuer) + _NEXT), below, owner, owner),
    )
    yield from (row[0] for row in tail)
    # The plus keeps SQLite from searching a range of runs for each run, which it takes to be the same.
    runs = tx.execute(
        "SELECT o.id FROM session_runs r CROSS JOIN session_owners o"
        " ON o.issuer = r.issuer AND o.run = +r.last_id AND o.owner = ? AND o.id >= ? AND o.id < ?"
        " WHERE r.issuer = ? AND r.last_id >= ? AND r.last_id <= ? ORDER BY r.last_id DESC, o.id DESC",
        (owner, above, below, issuer, above, _run_around(tx, issuer, below)),
    )
    yield from (row[0] for row in runs)


def _run_around(tx: Transaction, issuer: int, below: bytes) -> bytes:
    """Return the newest run that may hold ids below ``below``."""
    row = tx.execute(
        "SELECT min(last_id) FROM session_runs WHERE issuer = ? AND last_id >= ?", (issuer, below)
    ).fetchone()
    return row[0] or AFTER_ALL_IDS


def issuers_with_runs(tx: Transaction) -> list[int]:
    """Return the issuers that have runs, some of them perhaps of sessions that are gone."""
    return distinct.values(tx, "session_runs", "issuer")


def forget_runs(tx: Transaction, issuer: int, edge: bytes) -> int:
    """Drop the oldest run if all of its sessions lie below ``edge``; return how many rows went."""
    row = tx.execute(
        "SELECT last_id FROM session_runs WHERE issuer = ? AND last_id < ? ORDER BY last_id LIMIT 1", (issuer, edge)
    ).fetchone()
    if row is None:
        return 0
    tx.execute("DELETE FROM session_runs WHERE issuer = ? AND last_id = ?", (issuer, row[0]))
    return tx.execute("DELETE FROM session_owners WHERE issuer = ? AND run = ?", (issuer, row[0])).rowcount
