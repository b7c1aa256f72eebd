"""End sessions, one or any number, and say whether one has ended. Decided inside the transaction that writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from guestpass.core import ids
from guestpass.core.bounds import LEEWAY_SECONDS_MAX, LIFE_SECONDS_MAX
from guestpass.core.revocation import cut_list
from guestpass.core.revocation.cutoff import Cut, Ending, cut_before, ending_of
from guestpass.server.revocation import sql
from guestpass.server.revocation.model import ALL, CutMade, Subject, SubjectsOfSession
from guestpass.server.revocation.status_lists import LIST_SECONDS, Entry, LeasedList
from guestpass.server.storage import distinct
from guestpass.server.storage.store import Locks, Store, Transaction

__all__ = [
    "ALL",
    "CutMade",
    "EndedBy",
    "Entry",
    "LeasedList",
    "Subject",
    "SubjectsOfSession",
    "cut",
    "cut_everything",
    "cuts_to_list",
    "end_one",
    "ending_in",
    "endings_in",
    "floors",
    "forget_older_than",
    "issuers_with_cuts_due",
    "issuers_with_endings",
    "lease_status_list",
    "lock_issuers",
    "lock_sessions",
    "look_up_ending",
    "mark_ended",
    "retire_cuts",
    "retire_lists",
    "set_listed",
    "skip_status_lists",
    "suspend",
    "suspended_of",
    "tag_of",
]  # fmt: skip

TOLD_AS_CUT_MS = 60_000  # before a user's cut goes over into status lists, and after: many polls of any verifier
TAGS_REMEMBERED = 4096  # an API key mints again and again, and so do users
LISTS_SKIPPED = 1_000_000  # of 65,536 tokens each: more than any server mints between two backups
CUTS_HELD_MAX = 10_000  # while one cut's sessions are counted; with more of them each session is asked about


async def lock_issuers(tx: Transaction, issuers: Iterable[int], *, shared: bool = False) -> None:
    """Take a turn at issuers before anything of theirs is read: mints share it, whatever makes a cut has it alone.

    So a mint either commits before a cut, and is below it, or sees the cut and takes a later id.
    """
    await tx.lock(Locks.ISSUER, issuers, shared=shared)


async def lock_sessions(tx: Transaction, session_ids: Iterable[bytes]) -> None:
    """Take a turn at sessions before it is read whether they live: who ends one, and who renews it, take turns."""
    await tx.lock(Locks.SESSION, [int.from_bytes(session_id[-4:], "big") for session_id in session_ids])


async def floors(tx: Transaction, issuer: int, minted: Iterable[tuple[SubjectsOfSession, int]]) -> list[int]:
    """Return for each (subjects, milliseconds of the id) the milliseconds that its id must at least carry.

    What is minted after a cut's answer lives: a mint whose id lies below a cut that covers it needs a later id.
    """
    horizon = await sql.horizon(tx, issuer)
    return [
        0 if ms >= horizon else _floor(await sql.cuts_over(tx, issuer, subjects, minted_ms=ms))
        for subjects, ms in minted
    ]


def _floor(cuts: list[Cut]) -> int:
    return max((cut.before_ms for cut in cuts), default=0)


async def end_one(tx: Transaction, issuer: int, session_id: bytes, ending: Ending, entry: Entry) -> None:
    """End one session; ending it again changes nothing but may take back an earlier ``reissue``."""
    await sql.add_revocation(tx, issuer, session_id, ending)
    await sql.add_status_entry(tx, entry, reissue=ending.reissue)


async def suspend(
    tx: Transaction, issuer: int, session_id: bytes, customer_id: bytes, entry: Entry, *, at_ms: int
) -> bool:
    """Suspend a session until it ends; say whether it was not. Verifiers that check alone hear of it by its status list."""
    return await sql.add_suspension(tx, issuer, session_id, customer_id, entry, at_ms=at_ms)


async def suspended_of(tx: Transaction, issuer: int, customer_ids: Sequence[bytes]) -> list[bytes]:
    """Return the ids of the suspended sessions of customers, less those that were ended one by one since."""
    return await sql.suspended_of(tx, issuer, customer_ids) if await sql.has_suspended(tx, issuer) else []


@lru_cache(maxsize=TAGS_REMEMBERED)
def tag_of(subject: Subject) -> str:
    """Return what stands for a subject in tokens and in the cut list."""
    return cut_list.tag_of(subject.kind, subject.key)


async def cut(
    tx: Transaction, issuer: int, subject: Subject, ending: Ending, *, issued_before_ms: int | None = None
) -> CutMade:
    """End every session of ``subject`` that was minted until now, or before ``issued_before_ms``, in one row."""
    before_ms = issued_before_ms
    if before_ms is None:
        highest_ms = await sql.highest_committed_ms(tx, issuer)
        before_ms = cut_before(store_clock_ms=await tx.now_ms(), highest_committed_ms=highest_ms)
    is_new = await sql.add_cut(tx, issuer, subject, Cut(before_ms, ending))
    return CutMade(issuer, subject, before_ms, ending, is_new)


async def cut_everything(tx: Transaction, issuers: Sequence[int], by: str, *, clock_ms: int, margin_ms: int) -> int:
    """End every session of all issuers, also those that this store has never seen; return the cut's milliseconds.

    For a store that was put back: servers have gone on issuing since it was copied. Their ids lie below the larger of
    the store's clock, ``clock_ms`` and the highest id that is known, and ``margin_ms`` on top.
    """
    await lock_issuers(tx, issuers)
    highest = [await sql.highest_committed_ms(tx, issuer) for issuer in issuers]
    now_ms = await tx.now_ms()
    before_ms = max(now_ms, clock_ms, *highest) + margin_ms
    for issuer in issuers:
        await sql.add_cut(tx, issuer, ALL, Cut(before_ms, Ending(now_ms, by, reissue=True)))
    return before_ms


class EndedBy:
    """Says of session after session whether one cut, and nothing before it, ended it."""

    def __init__(self, tx: Transaction, made: CutMade, known: dict[Subject, list[Cut]] | None) -> None:
        self._tx = tx
        self._made = made
        self._known = known

    @classmethod
    async def of(cls, tx: Transaction, made: CutMade, *, oldest_ms: int) -> EndedBy:
        """``oldest_ms``: no session that will be asked about was minted before."""
        cuts = await sql.cuts_above(tx, made.issuer, oldest_ms, most=CUTS_HELD_MAX + 1)
        if len(cuts) > CUTS_HELD_MAX:
            return cls(tx, made, None)
        by_subject: dict[Subject, list[Cut]] = {}
        for subject, cut_made in cuts:
            by_subject.setdefault(subject, []).append(cut_made)
        return cls(tx, made, by_subject)

    async def ended(self, session_id: bytes, subjects: SubjectsOfSession, own: Ending | None) -> bool:
        if own is not None or not self._made.is_new:
            return False
        return await self._over(subjects, ids.unix_ms_of(session_id)) == [Cut(self._made.before_ms, self._made.ending)]

    async def _over(self, subjects: SubjectsOfSession, minted_ms: int) -> list[Cut]:
        known = self._known
        if known is None:
            return await sql.cuts_over(self._tx, self._made.issuer, subjects, minted_ms=minted_ms)
        return [cut for each in subjects.each() for cut in known.get(each, ()) if minted_ms < cut.before_ms]


async def ending_in(
    tx: Transaction, issuer: int, session_id: bytes, subjects: SubjectsOfSession, own: Ending | None, horizon: int
) -> Ending | None:
    """Say how a session was ended, inside a transaction."""
    minted_ms = ids.unix_ms_of(session_id)
    cuts = [] if minted_ms >= horizon else await sql.cuts_over(tx, issuer, subjects, minted_ms=minted_ms)
    return ending_of(minted_ms, own, cuts)


async def endings_in(
    tx: Transaction, issuer: int, sessions: Sequence[tuple[bytes, SubjectsOfSession, Ending | None]], horizon: int
) -> list[Ending | None]:
    """Do the same for many sessions, (id, subjects, its own ending) each, in a few statements."""
    covered = [(ids.unix_ms_of(one), subjects) for one, subjects, _ in sessions if ids.unix_ms_of(one) < horizon]
    asked = {subject for _, subjects in covered for subject in subjects.each()}
    cuts = await sql.cuts_of(tx, issuer, asked, minted_ms=min((ms for ms, _ in covered), default=horizon))
    return [
        ending_of(ids.unix_ms_of(one), own, [cut for subject in subjects.each() for cut in cuts.get(subject, ())])
        for one, subjects, own in sessions
    ]


async def look_up_ending(
    store: Store, issuer: int, session_id: bytes, subjects: SubjectsOfSession, own: Ending | None, horizon: int
) -> Ending | None:
    """Do the same for the path of every request."""
    minted_ms = ids.unix_ms_of(session_id)
    cuts = [] if minted_ms >= horizon else await sql.look_up_cuts_over(store, issuer, subjects, minted_ms=minted_ms)
    return ending_of(minted_ms, own, cuts)


async def lease_status_list(tx: Transaction, issuer: int, *, now: int, life_seconds: int = LIFE_SECONDS_MAX) -> int:
    """Take a new status list for this process alone, for sessions of at most that life; return its number.

    A list counts as leased so much later as its sessions live longer than fixed ones, so that all are kept as long.
    """
    return await sql.lease_status_list(tx, issuer, now=now + life_seconds - LIFE_SECONDS_MAX)


async def mark_ended(tx: Transaction, entry: Entry, *, reissue: bool) -> None:
    """Say in a status list what a cut said."""
    await sql.add_status_entry(tx, entry, reissue=reissue)


async def issuers_with_cuts_due(tx: Transaction, *, now_ms: int) -> list[int]:
    """Return those for which ``cuts_to_list`` or ``retire_cuts`` has work."""
    issuers = await distinct.values(tx, "published_cuts", "issuer")
    edges = {"made_before_ms": now_ms - TOLD_AS_CUT_MS, **_retired(now_ms)}
    return [issuer for issuer in issuers if await sql.cuts_are_due(tx, issuer, **edges)]


async def cuts_to_list(tx: Transaction, issuer: int, *, now_ms: int, most: int) -> list[tuple[bytes, int, bool]]:
    """Return (customer id, before_ms, reissue) of users' cuts that are due to go over into status lists."""
    return await sql.cuts_to_list(tx, issuer, made_before_ms=now_ms - TOLD_AS_CUT_MS, most=most)


async def set_listed(
    tx: Transaction, issuer: int, customer_id: bytes, before_ms: int, *, reissue: bool, now_ms: int
) -> None:
    """Note that all living sessions below a user's cut are in their status lists."""
    await sql.set_listed(tx, issuer, customer_id, before_ms, reissue=reissue, now_ms=now_ms)


async def retire_cuts(tx: Transaction, issuer: int, *, now_ms: int) -> int:
    """Stop telling of cuts that no living token can be below, or whose sessions have long been in their lists."""
    return await sql.retire_cuts(tx, issuer, **_retired(now_ms))


def _retired(now_ms: int) -> dict[str, int]:
    return {
        "ended_before_ms": now_ms - (LIFE_SECONDS_MAX + LEEWAY_SECONDS_MAX) * 1000,
        "listed_before_ms": now_ms - TOLD_AS_CUT_MS,
    }


async def retire_lists(tx: Transaction, *, now: int, most: int) -> int:
    """Forget up to ``most`` lists whose last token has ended; return how many went."""
    return await sql.retire_lists(tx, leased_before=now - LIST_SECONDS, most=most)


async def skip_status_lists(tx: Transaction, issuer: int, *, now: int) -> None:
    """Leave out so many numbers of lists that none comes again which was leased after the store was copied."""
    await sql.skip_status_lists(tx, issuer, LISTS_SKIPPED, now=now)


async def issuers_with_endings(tx: Transaction) -> list[int]:
    """Return the issuers whose endings may have to be forgotten some day."""
    return await sql.issuers_with_endings(tx)


async def forget_older_than(tx: Transaction, issuer: int, edge: bytes, *, most: int) -> int:
    """Drop up to ``most`` endings that only sessions below ``edge`` could need; return how many rows went."""
    await sql.forget_suspensions(tx, issuer, edge)
    return await sql.forget_older_than(tx, issuer, edge, ids.unix_ms_of(edge), most=most)
