"""A transaction on PostgreSQL, in as few round trips as it can do with: each is a turn of a loop that others keep busy.

It begins with its first statement, and the locks that come before it travel with ``BEGIN``. What several coroutines
ask together is one statement.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

import asyncpg

from guestpass.server.clock import Clock
from guestpass.server.storage.store import Dialect, Locks, Row

ROWS_AHEAD = 200  # of a cursor
_LOCK_CLASS = 0x4750_0000  # so that we share no lock with another application in the same database
_31_BITS = 0x7FFF_FFFF
_PARAMETER = re.compile(r"\?(\d*)")

Inserts: TypeAlias = dict[tuple[str, tuple[str, ...]], str]  # by table and columns: the statement that inserts rows
Open: TypeAlias = Callable[[str], Awaitable[asyncpg.Connection]]  # runs statements on a connection, and lends it


def to_postgres(sql: str) -> str:
    """Write ``?`` and ``?1`` as ``$1``; our SQL has no other question marks."""
    return _all_of((sql,))


@lru_cache(maxsize=1024)
def _all_of(questions: tuple[str, ...]) -> str:
    """Return one statement for several, which answers with an array of rows each."""
    numbered, count = [], 0
    for sql in questions:
        text, count = _numbered(sql, after=count)
        numbered.append(text)
    if len(numbered) == 1:
        return numbered[0]
    arrays = [f"ARRAY(SELECT q FROM ({text}) AS q)" for text in numbered]  # noqa: S608 - statements of ours
    return f"SELECT {', '.join(arrays)}"


def _numbered(sql: str, *, after: int) -> tuple[str, int]:
    count, highest = after, after

    def place(found: re.Match[str]) -> str:
        nonlocal count, highest
        count += 1
        number = after + int(found[1]) if found[1] else count
        highest = max(highest, number)
        return f"${number}"

    return _PARAMETER.sub(place, sql), highest


class _Question(NamedTuple):
    sql: str
    parameters: Row


class _Asked:
    """Awaited, questions are handed to whoever drives the coroutine, and the rows of each come back."""

    def __init__(self, questions: Sequence[_Question]) -> None:
        self._questions = questions

    def __await__(self) -> Generator[Sequence[_Question], list[list[Row]], list[list[Row]]]:
        return (yield self._questions)


class PostgresTransaction:
    """What an act sees of a connection inside a transaction.

    Args:
        open_with: Called once, with the statements that come first.
        begin: The statement that begins the transaction; empty where it has begun.
    """

    dialect: Dialect = "postgresql"

    def __init__(self, open_with: Open, begin: str, clock: Clock | None, inserts: Inserts) -> None:
        self._open = open_with
        self._first = [begin] if begin else []  # what is sent before the next statement
        self._connection: asyncpg.Connection | None = None
        self._clock = clock
        self._inserts = inserts
        self._cursors = 0
        self._asks_together = False

    async def fetch(self, sql: str, parameters: Row = ()) -> list[Row]:
        if self._asks_together:
            return (await _Asked([_Question(sql, parameters)]))[0]
        connection = await self._ready()
        return [tuple(record) for record in await connection.fetch(to_postgres(sql), *parameters)]

    async def fetch_one(self, sql: str, parameters: Row = ()) -> Row | None:
        if self._asks_together:
            return next(iter(await self.fetch(sql, parameters)), None)
        record = await (await self._ready()).fetchrow(to_postgres(sql), *parameters)
        return None if record is None else tuple(record)

    async def fetch_among(self, sql: str, parameters: Row, values: Sequence[Any]) -> list[Row]:
        # One array, whatever their number: a list of parameters is compared one by one with every row that is read.
        return await self.fetch(sql.replace("IN (?*)", "= ANY (?)"), (*parameters, list(values)))

    async def ask_together(self, questions: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Drive each coroutine until it asks, ask for all of them in one trip, and go on until all have returned."""
        answers: list[Any] = [None] * len(questions)
        going: dict[int, list[list[Row]] | None] = dict.fromkeys(range(len(questions)))  # place: what it is told next
        while going:
            asked: dict[int, Sequence[_Question]] = {}
            for place, told in going.items():
                try:
                    asked[place] = self._drive(questions[place], told)
                except StopIteration as end:
                    answers[place] = end.value
            rows = iter(await self._ask([question for some in asked.values() for question in some]))
            going = {place: list(islice(rows, len(some))) for place, some in asked.items()}
        return answers

    def _drive(self, question: Coroutine[Any, Any, Any], told: list[list[Row]] | None) -> Sequence[_Question]:
        before, self._asks_together = self._asks_together, True
        try:
            asked: Sequence[_Question] = question.send(told)
        finally:
            self._asks_together = before
        return asked

    async def _ask(self, questions: Sequence[_Question]) -> list[list[Row]]:
        if not questions:
            return []
        if self._asks_together:  # within what somebody else drives
            return await _Asked(questions)
        connection = await self._ready()
        statement = _all_of(tuple(question.sql for question in questions))
        parameters = [parameter for question in questions for parameter in question.parameters]
        if len(questions) == 1:
            return [[tuple(record) for record in await connection.fetch(statement, *parameters)]]
        record = await connection.fetchrow(statement, *parameters)
        return [[tuple(row) for row in rows] for rows in record]

    async def execute(self, sql: str, parameters: Row = ()) -> int:
        status: str = await (await self._ready()).execute(to_postgres(sql), *parameters)
        return int(status.rpartition(" ")[2])

    async def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        """One array a column, taken apart by the server: a hundred rows are one short statement."""
        if rows:
            connection = await self._ready()
            statement = self._inserts.get((table, columns))
            if statement is None:
                statement = await _insert_into(connection, table, columns)
                self._inserts[table, columns] = statement
            await connection.execute(statement, *zip(*rows, strict=True))

    async def each(self, sql: str, parameters: Row = ()) -> AsyncIterator[Row]:
        self._cursors += 1
        # A FETCH is kept prepared under its text, with the shape of its rows: one name for each query, and for no other.
        cursor = f"rows_{self._cursors}_{crc32(sql.encode())}"
        connection = await self._ready()
        await connection.execute(f"DECLARE {cursor} NO SCROLL CURSOR FOR {to_postgres(sql)}", *parameters)
        while records := await connection.fetch(f"FETCH {ROWS_AHEAD} FROM {cursor}"):
            for record in records:
                yield tuple(record)
            if len(records) < ROWS_AHEAD:
                break

    async def lock(self, what: Locks, numbers: Iterable[int], *, shared: bool = False) -> None:
        """Queue for a lock that the transaction holds to its end; unlike a row's, its queue starves nobody.

        It is sent with the next statement, and waits there: nothing is read or written before it is had.
        """
        folded = sorted({number & _31_BITS for number in numbers})
        if folded:
            function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            array = ", ".join(map(str, folded))
            self._first.append(
                f"SELECT {function}({_LOCK_CLASS + what}, number) FROM unnest(ARRAY[{array}]) AS number"  # noqa: S608 - whole numbers
            )

    async def try_lock(self, what: Locks, numbers: Iterable[int]) -> set[int]:
        folded = {number: number & _31_BITS for number in numbers}
        records = await (await self._ready()).fetch(
            "SELECT number FROM unnest($2::int[]) AS number WHERE pg_try_advisory_xact_lock($1, number)",
            _LOCK_CLASS + what,
            list(set(folded.values())),
        )
        taken = {record[0] for record in records}
        return {number for number, fold in folded.items() if fold in taken}

    async def now_ms(self) -> int:
        if self._clock is not None:
            return int(self._clock() * 1000)
        row = await self.fetch_one("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        return int(row[0]) if row else 0

    async def end(self, how: str) -> None:
        """``COMMIT`` or ``ROLLBACK`` what was begun; where nothing was asked, nothing was."""
        if self._connection is not None:
            await self._connection.execute(how)

    async def _ready(self) -> asyncpg.Connection:
        """Send what comes first, and return the connection."""
        if self._asks_together:
            raise RuntimeError("those who ask together only read")
        first, self._first = "; ".join(self._first), []
        if self._connection is None:
            self._connection = await self._open(first)
        elif first:
            await self._connection.execute(first)
        return self._connection


async def _insert_into(connection: asyncpg.Connection, table: str, columns: tuple[str, ...]) -> str:
    """Return the statement that inserts rows; the server is asked for the columns' types, which takes two more trips."""
    names, values = ", ".join(columns), ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    one_row = await connection.prepare(f"INSERT INTO {table} ({names}) VALUES ({values})")  # noqa: S608 - names of ours
    types = [parameter.name for parameter in one_row.get_parameters()]
    arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
    return f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - names of ours
