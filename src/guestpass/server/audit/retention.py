"""How long the log is kept: the oldest batches go, whole, and what is left verifies from the oldest head that is kept."""

from __future__ import annotations

from guestpass.core import ids
from guestpass.server.audit import batches, sql
from guestpass.server.audit import service as audit
from guestpass.server.audit.model import STORE
from guestpass.server.audit.packed import split
from guestpass.server.storage.batches import batch_by_batch
from guestpass.server.storage.store import Store, Transaction

_DAY_MS = 24 * 3600 * 1000


class Retention:
    """Args: ``days``: how long a batch is kept after it was sealed, at least. The last one is always kept."""

    def __init__(self, store: Store, *, days: int) -> None:
        self._store = store
        self._days = days

    async def purge(self) -> int:
        """Drop what is older, one batch an act, with its events; return how many rows went."""
        return await batch_by_batch(self._store, self._drop_each, None)

    async def _drop_each(self, tx: Transaction, items: list[None]) -> list[int]:
        await audit.lock_chain(tx)
        edge_ms = await tx.now_ms() - self._days * _DAY_MS
        return [await _drop_oldest(tx, edge_ms) for _ in items]


async def _drop_oldest(tx: Transaction, edge_ms: int) -> int:
    oldest, last = await batches.first(tx), await batches.last(tx)
    if oldest is None or last is None or oldest.number == last.number or oldest.sealed_at_ms >= edge_ms:
        return 0
    parts = await batches.parts_of(tx, oldest)
    gone = await batches.drop(tx, oldest, parts)
    for part in parts:
        some = split(part.ids, ids.ID_BYTES)
        gone += await (sql.drop(tx, some) if part.source == STORE else sql.drop_commitments(tx, part.source, some))
    return gone
