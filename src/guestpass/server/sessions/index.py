"""Who owns which sessions: an index fed after the answer, so that a mint never pays for it.

A tree ordered by user would dirty one page a mint once it is large. Instead every 4,096 sessions become a *run*:
their (owner, id) pairs, sorted, appended behind the run before. A look-up probes each run, newest first, and
reads the tail that is not indexed yet as it is; so the index is never behind, and nothing is ever rewritten.
A run covers all ids up to its last one: a mint that comes too late to be in it is given a later id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from guestpass.core import ids
from guestpass.core.bounds import LIFE_SECONDS_MAX, RENEWABLE_SECONDS_MAX
from guestpass.server.sessions import sql
from guestpass.server.storage import distinct
from guestpass.server.storage.store import Dialect, Transaction

RUN_SESSIONS = 4096
SETTLED_MS = 2_000  # younger sessions wait: a mint under way elsewhere may still commit beside them
AFTER_ALL_IDS = ids.AFTER_ALL
_BEFORE_ALL_IDS = b""
_NEXT = b"\0"  # behind an id: the least value above it


async def longest_life(tx: Transaction, issuer: int) -> int:
    """Return the seconds after which no session of an issuer lives: renewable ones last longer, where it has any."""
    return RENEWABLE_SECONDS_MAX if await sql.has_renewable(tx, issuer) else LIFE_SECONDS_MAX


async def indexed_up_to(tx: Transaction, issuer: int) -> bytes:
    """Return the last id of the newest run; sessions may only be added above it."""
    row = await tx.fetch_one(
        "SELECT last_id FROM session_runs WHERE issuer = ? ORDER BY last_id DESC LIMIT 1", (issuer,)
    )
    return row[0] if row else _BEFORE_ALL_IDS


async def due(
    tx: Transaction, issuer: int, *, now_ms: int, run_sessions: int = RUN_SESSIONS
) -> tuple[bytes, bytes] | None:
    """Return (before its first id, its last id) of the next run, or None where it is not full, or not settled yet."""
    start = await indexed_up_to(tx, issuer)
    row = await tx.fetch_one(
        "SELECT id FROM sessions WHERE issuer = ? AND id > ? ORDER BY id LIMIT 1 OFFSET ?",
        (issuer, start, run_sessions - 1),
    )
    return (start, row[0]) if row is not None and ids.unix_ms_of(row[0]) <= now_ms - SETTLED_MS else None


async def add_run(tx: Transaction, issuer: int, *, now_ms: int, run_sessions: int = RUN_SESSIONS) -> bool:
    """Index the next run, where one is due; say whether there was one. No mint may commit beside it."""
    run = await due(tx, issuer, now_ms=now_ms, run_sessions=run_sessions)
    if run is None:
        return False
    start, last = run
    await tx.execute("INSERT INTO session_runs (issuer, last_id) VALUES (?, ?)", (issuer, last))
    between = (
        "FROM sessions s JOIN session_runs r ON r.issuer = s.issuer AND r.last_id = ?3"
        " WHERE s.issuer = ?1 AND s.id > ?2 AND s.id <= ?3"
    )
    await tx.execute(
        "INSERT INTO session_owners (issuer, run, owner, id)"  # noqa: S608
        f" SELECT issuer, run, owner, id FROM (SELECT s.issuer, r.last_id AS run, s.customer_id AS owner, s.id {between}"
        f" UNION ALL SELECT s.issuer, r.last_id, s.organization_key, s.id {between}"
        " AND s.organization_key IS NOT NULL) AS owned ORDER BY owner, id",
        (issuer, start, last),
    )
    return True


async def newest_first(
    tx: Transaction, issuer: int, owner: bytes | None, *, below: bytes, above: bytes = _BEFORE_ALL_IDS
) -> AsyncIterator[bytes]:
    """Yield ids from ``above`` to below ``below``, of one owner or of all, newest first.

    Only the runs that may hold such ids are probed: a page far back, and a look at the last day, cost no more
    than the newest.
    """
    if owner is None:
        rows = tx.each(
            "SELECT id FROM sessions WHERE issuer = ? AND id >= ? AND id < ? ORDER BY id DESC", (issuer, above, below)
        )
        async for row in rows:
            yield row[0]
        return
    tail = tx.each(
        "SELECT id FROM sessions WHERE issuer = ?1 AND id >= ?2 AND id < ?3 AND (customer_id = ?4 OR organization_key = ?4)"
        " ORDER BY id DESC",
        (issuer, max(above, await indexed_up_to(tx, issuer) + _NEXT), below, owner),
    )
    async for row in tail:
        yield row[0]
    runs = tx.each(_IN_RUNS[tx.dialect], (issuer, owner, above, below, await _run_around(tx, issuer, below)))
    async for row in runs:
        yield row[0]


_IN_RUNS: dict[Dialect, str] = {
    # The plus keeps SQLite from searching a range of runs for each run, which it takes to be the same.
    "sqlite": "SELECT o.id FROM session_runs r CROSS JOIN session_owners o"
    " ON o.issuer = r.issuer AND o.run = +r.last_id AND o.owner = ?2 AND o.id >= ?3 AND o.id < ?4"
    " WHERE r.issuer = ?1 AND r.last_id >= ?3 AND r.last_id <= ?5 ORDER BY r.last_id DESC, o.id DESC",
    "postgresql": "SELECT o.id FROM session_runs r CROSS JOIN LATERAL (SELECT id FROM session_owners"
    " WHERE issuer = r.issuer AND run = r.last_id AND owner = ?2 AND id >= ?3 AND id < ?4 ORDER BY id DESC) o"
    " WHERE r.issuer = ?1 AND r.last_id >= ?3 AND r.last_id <= ?5 ORDER BY r.last_id DESC, o.id DESC",
}


async def _run_around(tx: Transaction, issuer: int, below: bytes) -> bytes:
    """Return the newest run that may hold ids below ``below``."""
    row = await tx.fetch_one(
        "SELECT last_id FROM session_runs WHERE issuer = ? AND last_id >= ? ORDER BY last_id LIMIT 1", (issuer, below)
    )
    return row[0] if row else AFTER_ALL_IDS


async def issuers_with_runs(tx: Transaction) -> list[int]:
    """Return the issuers that have runs, some of them perhaps of sessions that are gone."""
    return await distinct.values(tx, "session_runs", "issuer")


async def forget_runs(tx: Transaction, issuer: int, edge: bytes) -> int:
    """Drop the oldest run if all of its sessions lie below ``edge``; return how many rows went."""
    row = await tx.fetch_one(
        "SELECT last_id FROM session_runs WHERE issuer = ? AND last_id < ? ORDER BY last_id LIMIT 1", (issuer, edge)
    )
    if row is None:
        return 0
    await tx.execute("DELETE FROM session_runs WHERE issuer = ? AND last_id = ?", (issuer, row[0]))
    return await tx.execute("DELETE FROM session_owners WHERE issuer = ? AND run = ?", (issuer, row[0]))
