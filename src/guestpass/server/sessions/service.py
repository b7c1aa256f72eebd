"""Read and end sessions: get, list, revoke one, revoke many, block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from guestpass.core import ids, times
from guestpass.core.revocation.cutoff import Ending, Status
from guestpass.core.tokens import operations
from guestpass.errors import NotFound, Unavailable
from guestpass.server.api_keys import service as api_keys
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import NOWHERE, AuditEvent, Where
from guestpass.server.clock import Clock
from guestpass.server.customers import service as customers
from guestpass.server.projects.model import environment_of
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation.service import CutMade, Subject
from guestpass.server.sessions import index, recording, sql
from guestpass.server.sessions.api import SessionPage, SessionView
from guestpass.server.sessions.model import WORD, Known
from guestpass.server.storage.store import Riders, Store, Transaction
from guestpass.server.tally import Tally

_NAMES = {"user": "customer", "api_key": "API key"}
COUNT_MAX = 10_000  # living sessions that a revoke counts exactly
CHUNK = 250  # sessions that are read in one statement
EXAMINED_MAX = 50_000  # sessions that a count or a page looks at before it gives up: about half a second


class EndOne(NamedTuple):
    issuer: int
    session_id: bytes
    ending: Ending
    where: Where = NOWHERE


class EndMany(NamedTuple):
    """A cut; ``block``: refuse the customer (the subject) from now on; ``remember``: record that there is one.

    ``external_user_id``: of the subject, where it is a customer and the caller named him so.
    """

    issuer: int
    subject: Subject
    ending: Ending
    issued_before_ms: int | None = None
    block: bool = False
    must_exist: bool = False
    external_user_id: str | None = None
    remember: bool = False
    where: Where = NOWHERE


class Unblock(NamedTuple):
    issuer: int
    customer_id: bytes
    by: str
    where: Where = NOWHERE


class Ended(NamedTuple):
    """``living``: living sessions that the cut ended, None over 10 000."""

    cut: CutMade
    blocked: bool
    living: int | None


class Listing(NamedTuple):
    """Which sessions to list; ``below``: an exclusive upper edge, from a cursor."""

    issuer: int
    owner: bytes | None
    organization: bytes | None
    status: Status | None
    below: bytes
    limit: int


class Sessions:
    def __init__(self, store: Store, clock: Clock, tally: Tally) -> None:
        self._store = store
        self._clock = clock
        self._tally = tally

    def ending(self, by: str, *, reissue: bool = False) -> Ending:
        return Ending(int(self._clock() * 1000), by, reissue)

    async def get(self, issuer: int, session_id: str) -> SessionView:
        """Raises: NotFound, also for another issuer's session."""
        key = ids.decode(WORD, session_id)
        view = await self._store.read(lambda tx: _view_by_id(tx, issuer, key, int(self._clock()))) if key else None
        if view is None:
            raise NotFound("There is no such session.")
        return view

    async def page(self, listing: Listing) -> SessionPage:
        """Return a page, newest first."""
        return await self._store.read(lambda tx: _page(tx, listing, int(self._clock())))

    async def any_living(self, issuer: int) -> bool:
        """Say whether a session of this issuer is active now."""
        return bool((await self.page(Listing(issuer, None, None, "active", index.AFTER_ALL_IDS, 1))).data)

    async def end_one(
        self, issuer: int, session_id: str, ending: Ending, riders: Riders = (), *, where: Where = NOWHERE
    ) -> tuple[int, bool]:
        """End a session; return (its end in Unix ms, whether this call ended it). Raises: NotFound."""
        key = ids.decode(WORD, session_id)
        if key is None:
            raise NotFound("There is no such session.")
        at_ms, ended_now = await self._store.write(_end_each, EndOne(issuer, key, ending, where), riders)
        if ended_now:
            self._tally.revoked("session")
        return at_ms, ended_now

    async def end_many(self, end: EndMany, riders: Riders = ()) -> Ended:
        """Make a cut, and block the customer where that is asked. Raises: NotFound."""
        made, blocked = await self._store.write(_cut_each, end, riders)
        return Ended(made, blocked, await self.count_ended(made))

    async def count_ended(self, made: CutMade) -> int | None:
        """Return how many living sessions a cut that was just made has ended; None over 10 000, or where nobody can tell."""
        self._tally.revoked("cut")
        now = int(self._clock())
        try:
            return await self._store.read(lambda tx: _count_ended_by(tx, made, now))
        except Unavailable:  # the cut is made, whether or not it can be counted
            return None

    def ended_one(self) -> None:
        """Count a session that another room's act has ended."""
        self._tally.revoked("session")

    async def unblock(self, unblock: Unblock, riders: Riders = ()) -> None:
        """Raises: NotFound."""
        await self._store.write(_unblock_each, unblock, riders)


async def _end_each(tx: Transaction, items: list[EndOne]) -> list[tuple[int, bool] | Exception]:
    outcomes: list[tuple[int, bool] | Exception] = []
    events: list[AuditEvent] = []
    await revocation.lock_sessions(tx, [item.session_id for item in items])
    for issuer, session_id, ending, where in items:
        found = await sql.find(tx, issuer, session_id)
        if found is None:
            outcomes.append(NotFound("There is no such session."))
            continue
        before = await _ending(tx, found)
        await revocation.end_one(tx, issuer, session_id, ending, found.row.entry)
        outcomes.append((before.at_ms if before else ending.at_ms, before is None))
        if before is None:
            events.append(recording.session_revoked(found.row, ending.by, where, reissue=ending.reissue))
    await audit.record(tx, events)
    return outcomes


async def _cut_each(tx: Transaction, items: list[EndMany]) -> list[tuple[CutMade, bool] | Exception]:
    outcomes: list[tuple[CutMade, bool] | Exception] = []
    events: list[AuditEvent] = []
    await revocation.lock_issuers(tx, {end.issuer for end in items})
    for end in items:
        if end.must_exist and not await _subject_exists(tx, end.issuer, end.subject):
            outcomes.append(NotFound(f"There is no such {_NAMES[end.subject.kind]}."))
            continue
        now = end.ending.at_ms // 1000
        if end.remember and end.external_user_id is not None:
            await customers.remember(tx, end.issuer, end.subject.key, end.external_user_id, now=now)
        newly_blocked = end.block and await customers.block(tx, end.issuer, end.subject.key, now=now, by=end.ending.by)
        made = await revocation.cut(tx, end.issuer, end.subject, end.ending, issued_before_ms=end.issued_before_ms)
        blocked = end.subject.kind == "user" and await customers.is_blocked(tx, end.issuer, end.subject.key)
        outcomes.append((made, blocked))
        events += _events_of(end, made, newly_blocked=newly_blocked)
    await audit.record(tx, events)
    return outcomes


def _events_of(end: EndMany, made: CutMade, *, newly_blocked: bool) -> list[AuditEvent]:
    """Of a cut and a block, tell what is new. Of one who was blocked before there was nothing to end."""
    events: list[AuditEvent] = []
    if made.is_new and (newly_blocked or not end.block):
        events.append(recording.sessions_revoked(made, end.where, end.external_user_id))
    if newly_blocked:
        events.append(recording.customer_blocked(made, end.where, end.external_user_id))
    return events


async def _unblock_each(tx: Transaction, items: list[Unblock]) -> list[Exception | None]:
    outcomes: list[Exception | None] = []
    events: list[AuditEvent] = []
    for issuer, customer_id, by, where in items:
        if not await _customer_exists(tx, issuer, customer_id):
            outcomes.append(NotFound("There is no such customer."))
            continue
        if await customers.unblock(tx, issuer, customer_id):
            events.append(recording.customer_unblocked(issuer, customer_id, by, where))
        outcomes.append(None)
    await audit.record(tx, events)
    return outcomes


async def _subject_exists(tx: Transaction, issuer: int, subject: Subject) -> bool:
    if subject.kind == "api_key":
        return await api_keys.is_of(tx, issuer, subject.key)
    return await _customer_exists(tx, issuer, subject.key)


async def _customer_exists(tx: Transaction, issuer: int, customer_id: bytes) -> bool:
    return (
        await customers.is_recorded(tx, issuer, customer_id)
        or await customers.is_blocked(tx, issuer, customer_id)
        or await anext(index.newest_first(tx, issuer, customer_id, below=index.AFTER_ALL_IDS), None) is not None
    )


async def _ending(tx: Transaction, found: sql.Found) -> Ending | None:
    row = found.row
    return await revocation.ending_in(tx, row.issuer, row.id, row.subjects, found.own, found.horizon)


async def _count_ended_by(tx: Transaction, made: CutMade, now: int) -> int | None:
    """Count the living sessions that ``made``, and nothing before it, has ended."""
    count = 0
    subject = made.subject
    owner = subject.key if subject.kind in ("user", "organization") else None
    oldest_living = ids.first_of(max(0, (now - await index.longest_life(tx, made.issuer)) * 1000))
    below = ids.first_of(made.before_ms)
    candidates = (
        sql.minted_with(tx, made.issuer, subject.key, above=oldest_living, below=below)
        if subject.kind == "api_key"
        else index.newest_first(tx, made.issuer, owner, above=oldest_living, below=below)
    )
    by_this_cut = await revocation.EndedBy.of(tx, made, oldest_ms=ids.unix_ms_of(oldest_living))
    examined = 0
    async for some in _in_chunks(candidates, CHUNK):
        examined += len(some)
        if count > COUNT_MAX or examined > EXAMINED_MAX:
            return None
        for row, own in await sql.find_living(tx, made.issuer, some, now=now):
            count += await by_this_cut.ended(row.id, row.subjects, own)
    return count if count <= COUNT_MAX else None


async def _in_chunks(session_ids: AsyncIterator[bytes], size: int) -> AsyncIterator[list[bytes]]:
    some: list[bytes] = []
    async for session_id in session_ids:
        some.append(session_id)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


async def _page(tx: Transaction, listing: Listing, now: int) -> SessionPage:
    """Return up to ``limit`` views; fewer, with a cursor, where hardly any session has the status asked for."""
    shown: list[Known] = []
    last = None
    examined = 0
    candidates = index.newest_first(tx, listing.issuer, listing.owner, below=listing.below)
    async for some in _in_chunks(candidates, listing.limit + 1 if listing.status is None else CHUNK):
        for known in await known_among(tx, listing.issuer, some):
            fits = listing.organization in (None, known.row.organization_key)
            if examined == EXAMINED_MAX or (fits and len(shown) == listing.limit):
                return SessionPage(await _views(tx, listing.issuer, shown, now), last)
            examined += 1
            last = ids.encode("page", known.row.id)
            if fits and listing.status in (None, known.status(now)):
                shown.append(known)
    return SessionPage(await _views(tx, listing.issuer, shown, now), None)


async def known_among(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> list[Known]:
    """Read those sessions that there are, in few statements; in the order of their ids."""
    found = await sql.find_each(tx, issuer, session_ids)
    horizon = found[0].horizon if found else 0
    asked = [(each.row.id, each.row.subjects, each.own) for each in found]
    endings = await revocation.endings_in(tx, issuer, asked, horizon)
    uses = await sql.uses_of_each(tx, issuer, [each.row.id for each in found if each.row.max_uses is not None])
    return [
        Known(each.row, ending, each.row.is_used_up(uses.get(each.row.id, 0)), each.renewal, each.suspended)
        for each, ending in zip(found, endings, strict=True)
    ]


async def _views(tx: Transaction, issuer: int, shown: Sequence[Known], now: int) -> list[SessionView]:
    metadata = await sql.metadata_of_each(tx, issuer, [known.row.id for known in shown])
    return [view_of(known, now, metadata=metadata.get(known.row.id)) for known in shown]


async def _view_by_id(tx: Transaction, issuer: int, key: bytes, now: int) -> SessionView | None:
    views = await _views(tx, issuer, await known_among(tx, issuer, [key]), now)
    return views[0] if views else None


def view_of(known: Known, now: int, *, metadata: str | UnsetType | None = UNSET) -> SessionView:
    """Show a session. ``metadata``: the JSON as it was sent, None where there is none, absent to leave it out."""
    row, ending, renewal = known.row, known.ending, known.renewal
    refreshed_at_ms = None if renewal is None else renewal.last_refreshed_at_ms
    return SessionView(
        id=row.public_id,
        environment=environment_of(row.issuer),
        status=known.status(now),
        renewable=renewal is not None,
        format=row.format,
        customer_id=ids.encode_again(customers.WORD, row.customer_id),
        external_user_id=row.external_user_id,
        external_organization_id=row.external_organization_id,
        allowed_operations=operations.names_of(row.scope),
        metadata=msgspec.Raw(metadata.encode()) if isinstance(metadata, str) else metadata,
        api_key_id=api_keys.public_id(row.api_key_id),
        issued_at=times.of_seconds(row.issued_at),
        not_before=None if row.not_before is None else times.of_seconds(row.not_before),
        expires_at=times.of_seconds(known.ends_at),
        last_refreshed_at=None if refreshed_at_ms is None else times.of_milliseconds(refreshed_at_ms),
        revoked_at=None if ending is None else times.of_milliseconds(ending.at_ms),
        revoked_by=None if ending is None else ending.by,
    )
