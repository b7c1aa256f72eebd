"""A customer who logs in again gets a new session, and the suspended ones end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from guestpass.core.revocation.cutoff import Ending
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import NOWHERE
from guestpass.server.revocation import service as revocation
from guestpass.server.sessions import sql
from guestpass.server.sessions.recording import session_revoked
from guestpass.server.storage.store import Transaction

LOGIN = "login"  # revokedBy of a suspended session whose customer has logged in again


async def end_suspended(tx: Transaction, customers: Iterable[tuple[int, bytes]]) -> None:
    """End what is suspended of customers, (issuer, id) each, in the transaction that opens their new sessions."""
    by_issuer: defaultdict[int, set[bytes]] = defaultdict(set)
    for issuer, customer_id in customers:
        by_issuer[issuer].add(customer_id)
    for issuer, customer_ids in sorted(by_issuer.items()):
        suspended = await revocation.suspended_of(tx, issuer, sorted(customer_ids))
        if suspended:
            await _end(tx, issuer, suspended)


async def _end(tx: Transaction, issuer: int, session_ids: list[bytes]) -> None:
    await revocation.lock_sessions(tx, session_ids)
    now_ms = await tx.now_ms()
    ending = Ending(now_ms, LOGIN, reissue=False)
    events = []
    for found in await sql.find_each(tx, issuer, session_ids):
        if found.own is None:
            await revocation.end_one(tx, issuer, found.row.id, ending, found.row.entry)
            events.append(session_revoked(found.row, LOGIN, NOWHERE, reissue=False))
    await audit.record(tx, events)
