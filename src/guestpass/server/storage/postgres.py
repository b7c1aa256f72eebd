"""PostgreSQL 15 or newer: any number of servers on one store, or on a primary and its synchronous standbys.

Only transactions are relied upon, and nothing that lasts as long as a session: no LISTEN, no session locks, no
settings beyond SET LOCAL. So PgBouncer may stand between in transaction mode (ADR 0008).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias
from zlib import crc32

import asyncpg

from guestpass.errors import Unavailable
from guestpass.server.clock import Clock
from guestpass.server.storage.acts import HANG_SECONDS, Waiting, run_together
from guestpass.server.storage.connections import BROKEN, Connections, Hosts
from guestpass.server.storage.lanes import LANES, Lanes
from guestpass.server.storage.store import Act, Answer, Dialect, Item, Locks, Outcome, Query, Riders, Row, Transaction
from guestpass.server.tally import Tally

READERS = 6  # connections of one process, beside those of its lanes
READ_SECONDS_MAX = HANG_SECONDS
ATTEMPTS = 4  # of a transaction that lost against another one
ROWS_AHEAD = 200  # of a cursor

# A server of ours that freezes in the middle of a transaction must not hold the others for long, nor a statement
# whose client is gone.
_BEGIN = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 2500;"
    " SET LOCAL idle_in_transaction_session_timeout = 5000"
)
_BEGIN_READING = (
    f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {READ_SECONDS_MAX * 1000:.0f}"
)
_LOCK_CLASS = 0x4750_0000  # so that we share no lock with another application in the same database
_31_BITS = 0x7FFF_FFFF
_LOST_AGAINST_ANOTHER = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

# Faults of the store, not of what it was asked: gone, starting, stopping, full, no longer the primary, too slow.
_FAULTS = (
    *BROKEN,
    TimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TargetServerAttributeNotMatched,
    *_LOST_AGAINST_ANOTHER,
)
_PARAMETER = re.compile(r"\?(\d*)")

Inserts: TypeAlias = dict[tuple[str, tuple[str, ...]], str]  # by table and columns: the statement that inserts rows


@lru_cache(maxsize=1024)
def to_postgres(sql: str) -> str:
    """Write ``?`` and ``?1`` as ``$1``; our SQL has no other question marks."""
    count = 0

    def numbered(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"${found[1] or count}"

    return _PARAMETER.sub(numbered, sql)


class PostgresTransaction:
    """What an act sees of a connection inside a transaction."""

    dialect: Dialect = "postgresql"

    def __init__(self, connection: asyncpg.Connection, clock: Clock | None, inserts: Inserts) -> None:
        self._connection = connection
        self._clock = clock
        self._inserts = inserts
        self._cursors = 0

    async def fetch(self, sql: str, parameters: Row = ()) -> list[Row]:
        return [tuple(record) for record in await self._connection.fetch(to_postgres(sql), *parameters)]

    async def fetch_one(self, sql: str, parameters: Row = ()) -> Row | None:
        record = await self._connection.fetchrow(to_postgres(sql), *parameters)
        return None if record is None else tuple(record)

    async def fetch_among(self, sql: str, parameters: Row, values: Sequence[Any]) -> list[Row]:
        # One array, whatever their number: a list of parameters is compared one by one with every row that is read.
        return await self.fetch(sql.replace("IN (?*)", "= ANY (?)"), (*parameters, list(values)))

    async def execute(self, sql: str, parameters: Row = ()) -> int:
        status: str = await self._connection.execute(to_postgres(sql), *parameters)
        return int(status.rpartition(" ")[2])

    async def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        """One array a column, taken apart by the server: a hundred rows are one short statement."""
        if rows:
            statement = self._inserts.get((table, columns))
            if statement is None:
                statement = await self._insert_into(table, columns)
                self._inserts[table, columns] = statement
            await self._connection.execute(statement, *zip(*rows, strict=True))

    async def _insert_into(self, table: str, columns: tuple[str, ...]) -> str:
        """Return the statement that inserts rows; the server is asked for the columns' types, which takes two more trips."""
        one_row = await self._connection.prepare(_one_row(table, columns))
        types = [parameter.name for parameter in one_row.get_parameters()]
        arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
        return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - names of ours

    async def each(self, sql: str, parameters: Row = ()) -> AsyncIterator[Row]:
        self._cursors += 1
        # A FETCH is kept prepared under its text, with the shape of its rows: one name for each query, and for no other.
        cursor = f"rows_{self._cursors}_{crc32(sql.encode())}"
        await self._connection.execute(f"DECLARE {cursor} NO SCROLL CURSOR FOR {to_postgres(sql)}", *parameters)
        while records := await self._connection.fetch(f"FETCH {ROWS_AHEAD} FROM {cursor}"):
            for record in records:
                yield tuple(record)
            if len(records) < ROWS_AHEAD:
                break

    async def lock(self, what: Locks, numbers: Iterable[int], *, shared: bool = False) -> None:
        """Queue for a lock that the transaction holds to its end; unlike a row's, its queue starves nobody."""
        folded = sorted({number & _31_BITS for number in numbers})
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        await self._connection.execute(
            f"SELECT {function}($1, number) FROM unnest($2::int[]) AS number",  # noqa: S608
            _LOCK_CLASS + what,
            folded,
        )

    async def try_lock(self, what: Locks, numbers: Iterable[int]) -> set[int]:
        folded = {number: number & _31_BITS for number in numbers}
        records = await self._connection.fetch(
            "SELECT number FROM unnest($2::int[]) AS number WHERE pg_try_advisory_xact_lock($1, number)",
            _LOCK_CLASS + what,
            list(set(folded.values())),
        )
        taken = {record[0] for record in records}
        return {number for number, fold in folded.items() if fold in taken}

    async def now_ms(self) -> int:
        if self._clock is not None:
            return int(self._clock() * 1000)
        return int(
            await self._connection.fetchval("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
        )


@lru_cache
def _one_row(table: str, columns: tuple[str, ...]) -> str:
    values = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 - names of ours


class PostgresStore:
    """A store in the database at ``url``, ``postgresql://user@host:5432/name``; several hosts stand for one primary.

    Args:
        clock: For tests, where all servers of a store share a clock that is moved by hand; else PostgreSQL's own.
        prepared_statements: Off behind a PgBouncer older than 1.21 in transaction mode.
    """

    def __init__(
        self, url: str, *, clock: Clock | None = None, prepared_statements: bool = True, tally: Tally | None = None
    ) -> None:
        self.tally = tally or Tally()
        self._clock = clock
        self._inserts: Inserts = {}
        self._hosts = Hosts(url, statement_cache_size=512 if prepared_statements else 0)
        self._lanes = Lanes(self._commit, self.tally)
        self._writers = Connections(self._hosts.connect, LANES)
        self._readers = Connections(self._hosts.connect, READERS)

    async def write(self, act: Act[Item, Outcome], item: Item, riders: Riders = ()) -> Outcome:
        return await self._lanes.submit(act, item, riders)

    async def look_up(self, sql: str, parameters: Row = ()) -> list[Row]:
        statement = to_postgres(sql)
        with _answered():
            async with asyncio.timeout(READ_SECONDS_MAX):
                return [tuple(record) for record in await self._fetch(statement, parameters)]

    async def _fetch(self, statement: str, parameters: Row) -> list[asyncpg.Record]:
        try:
            async with self._readers.lent() as connection:
                return list(await connection.fetch(statement, *parameters))
        except BROKEN:
            # It was cut off while it lay idle, and reading twice harms nobody.
            async with self._readers.lent() as connection:
                return list(await connection.fetch(statement, *parameters))

    async def read(self, query: Query[Answer]) -> Answer:
        with _answered():
            async with asyncio.timeout(READ_SECONDS_MAX), self._readers.lent(_BEGIN_READING) as connection:
                return await _ended(connection, query(PostgresTransaction(connection, self._clock, self._inserts)))

    async def run_script(
        self, choose: Callable[[Transaction], Coroutine[Any, Any, str | None]], *, seconds: float
    ) -> None:
        """Run the statements that ``choose`` returns, in the transaction in which it chose them: for migrations.

        Raises: Unavailable.
        """
        try:
            async with asyncio.timeout(seconds), _alone(self._hosts.connect) as connection:
                script = await choose(PostgresTransaction(connection, self._clock, self._inserts))
                if script:
                    await connection.execute(script)
        except (asyncpg.PostgresError, *_FAULTS) as fault:
            raise Unavailable(f"The store cannot be migrated: {fault or type(fault).__name__}.") from fault

    async def close(self) -> None:
        """Commit what still waits, then let go of the connections."""
        await self._lanes.close()
        await self._writers.close()
        await self._readers.close()

    async def _commit(self, group: list[Waiting]) -> list[Any]:
        try:
            for _ in range(ATTEMPTS - 1):
                with contextlib.suppress(*_LOST_AGAINST_ANOTHER):
                    return await self._in_transaction(group)
            return await self._in_transaction(group)
        except _FAULTS as fault:
            why = f"{type(fault).__name__}: {fault}"
            return [Unavailable(internal=why, retry_after_seconds=1) for _ in group]
        except Exception as fault:  # noqa: BLE001 - of one of the items; alone, only that one is refused
            if len(group) == 1:
                return [fault]
        return [outcome for waiting in group for outcome in await self._commit([waiting])]

    async def _in_transaction(self, group: list[Waiting]) -> list[Any]:
        async with asyncio.timeout(HANG_SECONDS), self._writers.lent(_BEGIN) as connection:
            return await _ended(
                connection, run_together(PostgresTransaction(connection, self._clock, self._inserts), group)
            )


@contextlib.asynccontextmanager
async def _alone(connect: Callable[[], Any]) -> AsyncIterator[asyncpg.Connection]:
    """A transaction on a connection of its own."""
    connection = await connect()
    try:
        async with connection.transaction():
            yield connection
    finally:
        connection.terminate()


async def _ended(connection: asyncpg.Connection, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Do ``work`` in the transaction that was begun: it is committed, or rolled back where it raises."""
    try:
        answer = await work
    except Exception:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
    return answer


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    """Say of every fault of the store that it does not answer."""
    try:
        yield
    except _FAULTS as fault:
        raise Unavailable(internal=f"{type(fault).__name__}: {fault}", retry_after_seconds=1) from fault
