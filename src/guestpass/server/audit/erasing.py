"""Forget a person: what rows say of him and the salts of what was committed to. The chain stays whole without them."""

from __future__ import annotations

from typing import NamedTuple

from guestpass.core import ids
from guestpass.server.audit import batches, sql
from guestpass.server.audit import service as audit
from guestpass.server.audit.packed import PackedIds
from guestpass.server.audit.service import AuditEvent
from guestpass.server.audit.sources import NO_SALTS, SALTS_BYTES, commitments_of
from guestpass.server.customers import service as customers
from guestpass.server.refresh import service as refresh
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation.service import Subject
from guestpass.server.sessions import minted
from guestpass.server.sessions.model import WORD as SESSION_WORD
from guestpass.server.sessions.model import SessionRow
from guestpass.server.sessions.service import EndMany, Sessions
from guestpass.server.storage.store import Store, Transaction

SESSIONS_AT_ONCE = 50  # of one act: each may rewrite the salts of a batch, a hundred kilobytes


class Erased(NamedTuple):
    """How many sessions and events say nothing of him any more."""

    sessions: int
    events: int


class _Some(NamedTuple):
    """Erase the next sessions of a customer, those below ``below``, and what was recorded of them."""

    issuer: int
    customer_id: bytes
    below: bytes


class _Rest(NamedTuple):
    """Erase what is left, and record that something was erased. ``before``: how much already."""

    issuer: int
    customer_id: bytes
    by: str
    before: int


class Erasing:
    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions

    async def erase(self, issuer: int, customer_id: bytes, *, by: str) -> Erased:
        """End a customer's sessions, and forget what names him in them, in their metadata and in the log.

        He is not blocked: whoever mints for him again makes him known again. A block that is there stays. It may be
        broken off anywhere, and called again.

        Raises: NotFound, Unavailable.
        """
        subject = Subject("user", customer_id)
        ended = await self._sessions.end_many(EndMany(issuer, subject, self._sessions.ending(by), must_exist=True))
        sessions, events, below = 0, 0, ids.first_of(ended.cut.before_ms)  # what is minted after it lives
        while below:
            some, gone, below = await self._store.write(_erase_some, _Some(issuer, customer_id, below))
            sessions, events = sessions + some, events + gone
        rest = _Rest(issuer, customer_id, by, sessions + events)
        return Erased(sessions, events + await self._store.write(_erase_rest, rest))


async def _erase_some(tx: Transaction, items: list[_Some]) -> list[tuple[int, int, bytes]]:
    each = [
        await minted.ids_of_customer(tx, issuer, customer_id, below=below, most=SESSIONS_AT_ONCE)
        for issuer, customer_id, below in items
    ]
    # Whoever refreshes one of them meanwhile would write again from where.
    await revocation.lock_sessions(tx, (one for some in each for one in some))
    await audit.note_erasure(tx)
    outcomes = []
    for (issuer, _, _), session_ids in zip(items, each, strict=True):
        rows = await minted.rows(tx, issuer, session_ids)
        left = [row for row in rows.values() if not minted.is_erased(row)]
        for row in left:
            await _forget_salts(tx, row)
        await minted.erase(tx, issuer, [row.id for row in left])
        await refresh.forget_evidence(tx, issuer, session_ids)
        events = 0
        for session_id in session_ids:
            named = await sql.with_target(tx, issuer, ids.encode(SESSION_WORD, session_id))
            events += await sql.erase(tx, named)
        is_full = len(session_ids) == SESSIONS_AT_ONCE
        outcomes.append((len(left), events, session_ids[-1] if is_full else b""))
    return outcomes


async def _forget_salts(tx: Transaction, row: SessionRow) -> None:
    """Let the commitments of a session that is sealed stand for themselves. One that is not is sealed without him."""
    part = await batches.part_with(tx, row.issuer, row.id)
    place = None if part is None else PackedIds(part.ids).find(row.id)
    if part is None or place is None:
        return
    start = place * SALTS_BYTES
    salts = part.salts[start : start + SALTS_BYTES]
    await sql.keep_commitments(tx, row.issuer, row.id, commitments_of(row, salts))
    await batches.put_salts(tx, part, part.salts[:start] + NO_SALTS + part.salts[start + SALTS_BYTES :])


async def _erase_rest(tx: Transaction, items: list[_Rest]) -> list[int]:
    outcomes = []
    for issuer, customer_id, by, before in items:
        public_id = ids.encode(customers.WORD, customer_id)
        events = await sql.erase(tx, await sql.with_target(tx, issuer, public_id))
        was_recorded = await customers.erase(tx, issuer, customer_id)
        outcomes.append(events)
        if before or events or was_recorded:
            event = AuditEvent(issuer=issuer, action="customer.erased", actor=by, targets=(public_id,))
            await audit.record(tx, [event])
    return outcomes
