"""What was odd about refreshes, for the host to look at: a list, newest first, kept as long as sessions are."""

from __future__ import annotations

import msgspec

from guestpass.core import ids, times
from guestpass.server.clock import Clock
from guestpass.server.customers import service as customers
from guestpass.server.http import paging
from guestpass.server.refresh import sql
from guestpass.server.refresh.api import AnomalyPage, AnomalyView
from guestpass.server.refresh.model import AnomalyRow
from guestpass.server.sessions import service as sessions
from guestpass.server.sessions.model import WORD as SESSION_WORD
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage.batches import batch_by_batch
from guestpass.server.storage.store import Locks, Store, Transaction

WORD = "anom"
PURGE_BATCH = 500
_DAY_SECONDS = 86_400


class Anomalies:
    def __init__(self, store: Store, clock: Clock, *, retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._retention_days = retention_days

    async def page(self, issuer: int, *, below: bytes, limit: int) -> AnomalyPage:
        """Return a page, newest first."""

        async def query(tx: Transaction) -> AnomalyPage:
            found = await sql.anomalies_page(tx, issuer, below=below, limit=limit + 1)
            session_ids = sorted({row.session_id for row in found})
            known = {one.row.id: one.row for one in await sessions.known_among(tx, issuer, session_ids)}
            cursor = paging.cursor(found[limit - 1].id) if len(found) > limit else None
            return AnomalyPage([_view(row, known.get(row.session_id)) for row in found[:limit]], cursor)

        return await self._store.read(query)

    async def purge(self) -> int:
        """Delete those that are older than ended sessions are kept; return how many went."""
        edge = ids.first_of(max(0, int((self._clock() - self._retention_days * _DAY_SECONDS) * 1000)))

        async def act(tx: Transaction, issuers: list[int]) -> list[int]:
            await tx.lock(Locks.HOUSEKEEPING, issuers)
            return [await sql.forget_anomalies(tx, issuer, edge, most=PURGE_BATCH) for issuer in issuers]

        having = await self._store.read(sql.issuers_with_anomalies)
        return sum([await batch_by_batch(self._store, act, issuer) for issuer in having])


def _view(row: AnomalyRow, session: SessionRow | None) -> AnomalyView:
    return AnomalyView(
        id=ids.encode(WORD, row.id),
        kind=row.kind,
        at=times.of_milliseconds(ids.unix_ms_of(row.id)),
        session_id=ids.encode_again(SESSION_WORD, row.session_id),
        customer_id=None if session is None else ids.encode_again(customers.WORD, session.customer_id),
        external_user_id=None if session is None else session.external_user_id,
        outcome=row.outcome,
        evidence=msgspec.Raw(row.evidence.encode()),
    )
