"""What the rooms may ask of a store. An engine implements it; ``app.py`` and the commands choose one.

An *act* runs inside a write transaction: it receives the transaction and every item that waits for the same act,
and returns one outcome an item, in order. An outcome that is an exception is raised to the one who waits for it.
What an act decides and what it writes are one transaction. It awaits nothing but its transaction: one engine runs
it in a thread without an event loop.

SQL is written once where both dialects agree, with ``?`` or ``?1`` for parameters; where they do not, a room's
``sql.py`` holds both texts and asks ``tx.dialect``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from enum import IntEnum
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, overload

from guestpass.server.tally import Tally

Dialect = Literal["sqlite", "postgresql"]
Row: TypeAlias = tuple[Any, ...]
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Answer = TypeVar("Answer")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
Act: TypeAlias = Callable[["Transaction", list[Item]], Coroutine[Any, Any, Sequence[Outcome | Exception]]]
Query: TypeAlias = Callable[["Transaction"], Coroutine[Any, Any, Answer]]


class Locks(IntEnum):
    """What transactions of several servers take turns at. An act takes its locks first, in this order.

    Those who ride with it come before it, and so must never wait: see ``Transaction.try_lock``.
    """

    STORE = 1  # number 0: what is made once for the whole store
    ISSUER = 2  # mints share it, a cut has it alone: so no mint commits beside a cut that has not seen it
    SESSION = 3  # number of a session's id, folded: endings of one session, one after the other
    HOUSEKEEPING = 4  # an issuer's purge: one server at a time
    IDEMPOTENCY = 5  # hash of an Idempotency-Key, folded: who does not get it has a twin under way
    SIGNING_KEYS = 6  # an issuer's signing keys: one change after the other
    WEBHOOKS = 9  # number 0: who queues, claims or notes deliveries, or changes endpoints
    MASTER_KEY = 7  # number 0: who seals shares it, who names another key has it alone
    AUDIT = 8  # number 0: one batch of the audit log after the other


class Transaction(Protocol):
    """All or nothing, and over once its act has returned."""

    dialect: Dialect

    async def fetch(self, sql: str, parameters: Row = ()) -> list[Row]:
        """Return every row."""
        ...

    async def fetch_one(self, sql: str, parameters: Row = ()) -> Row | None:
        """Return the first row, or None."""
        ...

    async def fetch_among(self, sql: str, parameters: Row, values: Sequence[Any]) -> list[Row]:
        """Return the rows of which a column is one of ``values``: ``sql`` ends with ``column IN (?*)``."""
        ...

    async def ask_together(self, questions: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Run coroutines that only read, and return what each returns; see ``together``."""
        ...

    async def execute(self, sql: str, parameters: Row = ()) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    async def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        """Insert rows, as many in one statement as the engine does best."""
        ...

    def each(self, sql: str, parameters: Row = ()) -> AsyncIterator[Row]:
        """Yield row after row, for results of which perhaps only the beginning is needed."""
        ...

    async def lock(self, what: Locks, numbers: Iterable[int], *, shared: bool = False) -> None:
        """Wait for a turn that ends with the transaction. A store with one writer has nothing to wait for.

        ``numbers``: taken in ascending order, 31 bits of each; two that fold to one number only wait longer.
        What is read after it is as of then.
        """
        ...

    async def try_lock(self, what: Locks, numbers: Iterable[int]) -> set[int]:
        """Take, without waiting, what nobody else holds; return the numbers that could be had."""
        ...

    async def now_ms(self) -> int:
        """Return Unix milliseconds by the store's own clock, which all of its servers share."""
        ...


@overload
async def together(
    tx: Transaction, first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], /
) -> tuple[A, B]: ...
@overload
async def together(
    tx: Transaction, first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], third: Coroutine[Any, Any, C], /
) -> tuple[A, B, C]: ...
async def together(tx: Transaction, /, *questions: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """Run coroutines that only read of ``tx``; what they ask at the same time takes one round trip, where there are any.

    Raises: what one of them raises; the others are given up.
    """
    try:
        return tuple(await tx.ask_together(questions))
    finally:
        for question in questions:
            question.close()


class Rider(NamedTuple):
    """What rides with an item in its transaction: ``check`` may refuse it, ``note`` records what came of it.

    Of several riders who refuse an item, the first has the word.

    Args:
        check: Runs before the item's act, for all who wait; its outcome is None, or an exception: then the act never
            sees the item.
        item: What ``check`` is given.
        note: Runs after the act, for items whose outcome is no exception, with (``item``, the outcome).
    """

    check: Act[Any, None]
    item: Any
    note: Act[Any, None] | None = None


Riders: TypeAlias = Sequence[Rider]


def noting(riders: Riders, made: Callable[[Any], Any]) -> Riders:
    """Return riders that note ``made(outcome)`` in place of an outcome: where an act does not tell all that was made."""
    return [rider._replace(note=_noting(rider.note, made)) for rider in riders]


def _noting(note: Act[Any, None] | None, made: Callable[[Any], Any]) -> Act[Any, None] | None:
    if note is None:
        return None

    async def note_made(tx: Transaction, noted: list[tuple[Any, Any]]) -> Sequence[Exception | None]:
        return await note(tx, [(item, made(outcome)) for item, outcome in noted])

    return note_made


class Store(Protocol):
    """Durable, shared by several server processes. Every method raises Unavailable where the store does not answer.

    ``tally``: what this process counts; the store counts its acts in it.
    """

    tally: Tally

    async def write(self, act: Act[Item, Outcome], item: Item, riders: Riders = ()) -> Outcome:
        """Run ``act`` for ``item``, with what rides along, and return after its commit is on disk."""
        ...

    async def look_up(self, sql: str, parameters: Row = ()) -> list[Row]:
        """Return a few rows by key, as of the last commit. For reads of microseconds only."""
        ...

    async def read(self, query: Query[Answer]) -> Answer:
        """Run a longer read beside the writer, over one snapshot."""
        ...

    async def close(self) -> None: ...
