"""The tables revocations, cuts and cut_horizons."""

from __future__ import annotations

from collections.abc import Iterable

from guestpass.core import ids
from guestpass.core.revocation.cutoff import Cut, Ending
from guestpass.server.revocation.model import NOBODY_IN_PARTICULAR, Subject, SubjectsOfSession
from guestpass.server.storage import distinct
from guestpass.server.storage.store import Row, Store, Transaction


async def horizon(tx: Transaction, issuer: int) -> int:
    """Return the milliseconds below which a session's id must be for any cut to cover it."""
    row = await tx.fetch_one("SELECT before_ms FROM cut_horizons WHERE issuer = ?", (issuer,))
    return row[0] if row else 0


# One search by primary key a subject; an OR of them would read every cut of the issuer.
_CUTS = " UNION ALL ".join(
    "SELECT before_ms, revoked_at_ms, revoked_by, reissue FROM cuts"  # noqa: S608
    f" WHERE issuer = ?1 AND kind = '{kind}' AND subject = {subject} AND before_ms > ?2"
    for kind, subject in (("all", "?6"), ("user", "?3"), ("api_key", "?4"), ("organization", "?5"))
)


def _parameters(issuer: int, subjects: SubjectsOfSession, minted_ms: int) -> Row:
    return issuer, minted_ms, subjects.customer_id, subjects.api_key_id, subjects.organization_key, NOBODY_IN_PARTICULAR


def _cuts(rows: Iterable[Row]) -> list[Cut]:
    return [Cut(before, Ending(at, by, bool(reissue))) for before, at, by, reissue in rows]


async def cuts_over(tx: Transaction, issuer: int, subjects: SubjectsOfSession, *, minted_ms: int) -> list[Cut]:
    """Return the cuts that cover a session of these subjects, minted then."""
    return _cuts(await tx.fetch(_CUTS, _parameters(issuer, subjects, minted_ms)))


async def look_up_cuts_over(store: Store, issuer: int, subjects: SubjectsOfSession, *, minted_ms: int) -> list[Cut]:
    """Do the same outside a transaction, for the path of every request."""
    return _cuts(await store.look_up(_CUTS, _parameters(issuer, subjects, minted_ms)))


async def cuts_above(tx: Transaction, issuer: int, minted_ms: int, *, most: int) -> list[tuple[Subject, Cut]]:
    """Return up to ``most`` of the cuts that could cover sessions minted from then on."""
    rows = await tx.fetch(
        "SELECT kind, subject, before_ms, revoked_at_ms, revoked_by, reissue FROM cuts"
        " WHERE issuer = ? AND before_ms > ? LIMIT ?",
        (issuer, minted_ms, most),
    )
    return [(Subject(kind, key), cut) for (kind, key, *rest) in rows for cut in _cuts([tuple(rest)])]


async def highest_committed_ms(tx: Transaction, issuer: int) -> int:
    """Return the milliseconds of the highest session id that was committed, 0 where there is none."""
    row = await tx.fetch_one("SELECT id FROM sessions WHERE issuer = ? ORDER BY id DESC LIMIT 1", (issuer,))
    return ids.unix_ms_of(row[0]) if row else 0


async def add_cut(tx: Transaction, issuer: int, subject: Subject, cut: Cut) -> bool:
    """Write a cut; say whether it is new."""
    written = await tx.execute(
        "INSERT INTO cuts (issuer, kind, subject, before_ms, revoked_at_ms, revoked_by, reissue)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (issuer, subject.kind, subject.key, cut.before_ms, *cut.ending),
    )
    await tx.execute(
        "INSERT INTO cut_horizons (issuer, before_ms) VALUES (?, ?)"
        " ON CONFLICT (issuer) DO UPDATE SET before_ms = excluded.before_ms WHERE cut_horizons.before_ms < excluded.before_ms",
        (issuer, cut.before_ms),
    )
    return written > 0


async def add_revocation(tx: Transaction, issuer: int, session_id: bytes, ending: Ending) -> None:
    """Record a session's own ending. Of several the earliest stays, and loses ``reissue`` to one without."""
    await tx.execute(
        "INSERT INTO revocations (issuer, id, revoked_at_ms, revoked_by, reissue) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (issuer, id) DO UPDATE SET reissue = revocations.reissue * excluded.reissue",
        (issuer, session_id, *ending),
    )


async def lease_status_list(tx: Transaction, issuer: int, *, now: int) -> int:
    """Take a new status list for one server process alone; return its number."""
    ((number,),) = await tx.fetch(
        "INSERT INTO status_lists (issuer, leased_at) VALUES (?, ?) RETURNING number", (issuer, now)
    )
    return int(number)


async def issuers_with_endings(tx: Transaction) -> list[int]:
    """Return the issuers that have cuts or revocations, some of them perhaps of sessions that are gone."""
    return sorted({*await distinct.values(tx, "cuts", "issuer"), *await distinct.values(tx, "revocations", "issuer")})


async def forget_older_than(tx: Transaction, issuer: int, edge: bytes, edge_ms: int, *, most: int) -> int:
    """Drop up to ``most`` rows of each kind that only sessions below ``edge`` could need; return how many went."""
    gone = await tx.execute(
        "DELETE FROM revocations WHERE (issuer, id) IN"
        " (SELECT issuer, id FROM revocations WHERE issuer = ? AND id < ? ORDER BY id LIMIT ?)",
        (issuer, edge, most),
    )
    key = "issuer, kind, subject, before_ms, revoked_at_ms, reissue"
    return gone + await tx.execute(
        f"DELETE FROM cuts WHERE ({key}) IN"  # noqa: S608
        f" (SELECT {key} FROM cuts WHERE issuer = ? AND before_ms <= ? ORDER BY before_ms LIMIT ?)",
        (issuer, edge_ms, most),
    )
