"""What the rooms may ask of a store. An engine implements it; ``app.py`` and the commands choose one.

An *act* is a function that runs inside a write transaction: it receives the transaction and every item that
waits for the same act, and returns one outcome an item, in order. An outcome that is an exception is raised
to the one who waits for it. What an act decides and what it writes are one transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

Transaction: TypeAlias = sqlite3.Connection
Row: TypeAlias = tuple[Any, ...]
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Answer = TypeVar("Answer")
Act: TypeAlias = Callable[[Transaction, list[Item]], Sequence[Outcome | Exception]]
Query: TypeAlias = Callable[[Transaction], Answer]


class Store(Protocol):
    """Durable, shared by several server processes. Every method raises Unavailable where the store does not answer."""

    async def write(self, act: Act[Item, Outcome], item: Item) -> Outcome:
        """Run ``act`` for ``item`` and return after its commit is on disk."""
        ...

    async def look_up(self, sql: str, parameters: Row = ()) -> list[Row]:
        """Return a few rows by key, as of the last commit. For reads of microseconds only."""
        ...

    async def read(self, query: Query[Answer]) -> Answer:
        """Run a longer read beside the writer, over one snapshot."""
        ...

    async def close(self) -> None: ...
