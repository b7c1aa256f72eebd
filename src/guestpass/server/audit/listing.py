"""Read what was recorded, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guestpass.server.audit import sql
from guestpass.server.audit.model import EventRow
from guestpass.server.storage.store import Store


class Wanted(NamedTuple):
    """Which events. ``issuers``: of these; None: of all, and of the store as a whole. ``below``: an upper edge."""

    issuers: Sequence[int] | None
    below: bytes
    limit: int
    action: str | None = None
    target: str | None = None


class Listing:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, wanted: Wanted) -> list[EventRow]:
        """Return up to ``limit`` events below ``below``, newest first. Raises: Unavailable."""
        return await self._store.read(lambda tx: sql.newest(tx, *wanted))
