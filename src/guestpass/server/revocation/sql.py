"""The tables of endings and of suspensions: revocations, cuts, what is published of them, suspensions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guestpass.core import ids
from guestpass.core.revocation.cutoff import Cut, CutKind, Ending
from guestpass.server.revocation.model import NOBODY_IN_PARTICULAR, Subject, SubjectsOfSession
from guestpass.server.revocation.status_lists import Entry
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


async def cuts_of(
    tx: Transaction, issuer: int, subjects: Iterable[Subject], *, minted_ms: int
) -> dict[Subject, list[Cut]]:
    """Return the cuts of any of the subjects that could cover sessions minted from then on."""
    keys: dict[CutKind, list[bytes]] = {}
    for subject in subjects:
        keys.setdefault(subject.kind, []).append(subject.key)
    found: dict[Subject, list[Cut]] = {}
    for kind, some in keys.items():
        rows = await tx.fetch_among(
            "SELECT subject, before_ms, revoked_at_ms, revoked_by, reissue FROM cuts"
            " WHERE issuer = ? AND kind = ? AND before_ms > ? AND subject IN (?*)",
            (issuer, kind, minted_ms),
            some,
        )
        for key, *rest in rows:
            found.setdefault(Subject(kind, key), []).extend(_cuts([tuple(rest)]))
    return found


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
        "INSERT INTO published_cuts (issuer, kind, subject, before_ms, reissue, made_at_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (issuer, subject.kind, subject.key, cut.before_ms, int(cut.ending.reissue), cut.ending.at_ms),
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


async def add_status_entry(tx: Transaction, entry: Entry, *, reissue: bool) -> None:
    """Mark a place as ended. Of several endings one without ``reissue`` wins."""
    await tx.execute(
        "INSERT INTO status_entries (list, place, reissue) VALUES (?, ?, ?)"
        " ON CONFLICT (list, place) DO UPDATE SET reissue = status_entries.reissue * excluded.reissue",
        (entry.number, entry.place, int(reissue)),
    )


async def add_suspension(
    tx: Transaction, issuer: int, session_id: bytes, customer_id: bytes, entry: Entry, *, at_ms: int
) -> bool:
    """Note that a session is suspended; say whether it was not."""
    added = await tx.execute(
        "INSERT INTO suspensions (issuer, id, customer_id, list, place, suspended_at_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (issuer, session_id, customer_id, entry.number, entry.place, at_ms),
    )
    return added > 0


async def suspended_of(tx: Transaction, issuer: int, customer_ids: Sequence[bytes]) -> list[bytes]:
    """Return the ids of what is suspended of customers and was not ended one by one."""
    rows = await tx.fetch_among(
        "SELECT s.id FROM suspensions s LEFT JOIN revocations r ON r.issuer = s.issuer AND r.id = s.id"
        " WHERE s.issuer = ? AND r.id IS NULL AND s.customer_id IN (?*)",
        (issuer,),
        customer_ids,
    )
    return [row[0] for row in rows]


async def has_suspended(tx: Transaction, issuer: int) -> bool:
    return await tx.fetch_one("SELECT 1 FROM suspensions WHERE issuer = ? LIMIT 1", (issuer,)) is not None


async def suspended_in(tx: Transaction, number: int) -> list[int]:
    """Return the places of a list whose sessions are suspended, whether or not they have ended since."""
    return [row[0] for row in await tx.fetch("SELECT place FROM suspensions WHERE list = ? ORDER BY place", (number,))]


async def forget_suspensions(tx: Transaction, issuer: int, edge: bytes) -> None:
    await tx.execute("DELETE FROM suspensions WHERE issuer = ? AND id < ?", (issuer, edge))


async def list_of(tx: Transaction, issuer: int, number: int, *, leased_from: int) -> list[tuple[int, bool]] | None:
    """Return (place, reissue) of all that ended in a list; None where there is no such list, or no more."""
    row = await tx.fetch_one("SELECT issuer, leased_at FROM status_lists WHERE number = ?", (number,))
    if row is None or row[0] != issuer or row[1] < leased_from:
        return None
    rows = await tx.fetch("SELECT place, reissue FROM status_entries WHERE list = ? ORDER BY place", (number,))
    return [(place, bool(reissue)) for place, reissue in rows]


async def retire_lists(tx: Transaction, *, leased_before: int, most: int) -> int:
    """Drop lists, oldest first, but never the newest: its number must not be given out again."""
    rows = await tx.fetch(
        "SELECT number FROM status_lists WHERE leased_at < ?"
        " AND number < (SELECT max(number) FROM status_lists) ORDER BY leased_at LIMIT ?",
        (leased_before, most),
    )
    for (number,) in rows:
        await tx.execute("DELETE FROM status_entries WHERE list = ?", (number,))
        await tx.execute("DELETE FROM status_lists WHERE number = ?", (number,))
    return len(rows)


async def published_cuts(tx: Transaction, issuer: int) -> list[tuple[Subject, int, bool]]:
    """Return (subject, before_ms, reissue) of all that verifiers are told of."""
    rows = await tx.fetch("SELECT kind, subject, before_ms, reissue FROM published_cuts WHERE issuer = ?", (issuer,))
    return [(Subject(kind, key), before_ms, bool(reissue)) for kind, key, before_ms, reissue in rows]


# A renewable session may be much older than its token: what covers it is told of until what was made before has ended.
_RETIRED = "(before_ms < ? AND made_at_ms < ?) OR listed_at_ms < ?"


async def cuts_to_list(
    tx: Transaction, issuer: int, *, made_before_ms: int, most: int
) -> list[tuple[bytes, int, bool]]:
    """Return (customer id, before_ms, reissue) of users' cuts that are not in status lists yet."""
    rows = await tx.fetch(
        "SELECT subject, before_ms, reissue FROM published_cuts"
        " WHERE issuer = ? AND kind = 'user' AND listed_at_ms IS NULL AND made_at_ms < ? LIMIT ?",
        (issuer, made_before_ms, most),
    )
    return [(subject, before_ms, bool(reissue)) for subject, before_ms, reissue in rows]


async def cuts_are_due(
    tx: Transaction, issuer: int, *, made_before_ms: int, ended_before_ms: int, listed_before_ms: int
) -> bool:
    """Say whether ``cuts_to_list`` or ``retire_cuts`` would find anything."""
    row = await tx.fetch_one(
        f"SELECT 1 FROM published_cuts WHERE issuer = ? AND ({_RETIRED}"  # noqa: S608
        " OR (kind = 'user' AND listed_at_ms IS NULL AND made_at_ms < ?)) LIMIT 1",
        (issuer, ended_before_ms, ended_before_ms, listed_before_ms, made_before_ms),
    )
    return row is not None


async def set_listed(
    tx: Transaction, issuer: int, customer_id: bytes, before_ms: int, *, reissue: bool, now_ms: int
) -> None:
    await tx.execute(
        "UPDATE published_cuts SET listed_at_ms = ?"
        " WHERE issuer = ? AND kind = 'user' AND subject = ? AND before_ms = ? AND reissue = ?",
        (now_ms, issuer, customer_id, before_ms, int(reissue)),
    )


async def retire_cuts(tx: Transaction, issuer: int, *, ended_before_ms: int, listed_before_ms: int) -> int:
    """Drop cuts that no living token can be below, and those whose sessions all verifiers have in their lists."""
    return await tx.execute(
        f"DELETE FROM published_cuts WHERE issuer = ? AND ({_RETIRED})",  # noqa: S608
        (issuer, ended_before_ms, ended_before_ms, listed_before_ms),
    )


async def skip_status_lists(tx: Transaction, issuer: int, count: int, *, now: int) -> None:
    """Go on with the number that is ``count`` above the next one; a row holds its place."""
    number = await lease_status_list(tx, issuer, now=now) + count
    await tx.execute("INSERT INTO status_lists (number, issuer, leased_at) VALUES (?, ?, ?)", (number, issuer, now))
    if tx.dialect == "postgresql":  # SQLite goes on after the highest number by itself
        await tx.fetch("SELECT setval(pg_get_serial_sequence('status_lists', 'number'), ?)", (number,))


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
