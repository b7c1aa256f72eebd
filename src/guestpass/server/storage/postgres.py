"""PostgreSQL 15 or newer: any number of servers on one store, or on a primary and its synchronous standbys.

Only transactions are relied upon, and nothing that lasts as long as a session: no LISTEN, no session locks, no
settings beyond SET LOCAL. So PgBouncer may stand between in transaction mode (ADR 0008).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import asyncpg

from guestpass.errors import Unavailable
from guestpass.server.clock import Clock
from guestpass.server.storage.acts import HANG_SECONDS, Waiting, run_together
from guestpass.server.storage.connections import BROKEN, Connections, Hosts
from guestpass.server.storage.lanes import LANES, Lanes
from guestpass.server.storage.postgres_transaction import Inserts, PostgresTransaction, to_postgres
from guestpass.server.storage.store import Act, Answer, Item, Outcome, Query, Riders, Row, Transaction
from guestpass.server.tally import Tally

READERS = 6  # connections of one process, beside those of its lanes
READ_SECONDS_MAX = HANG_SECONDS
ATTEMPTS = 4  # of a transaction that lost against another one

# A server of ours that freezes in the middle of a transaction must not hold the others for long, nor a statement
# whose client is gone.
_BEGIN = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 2500;"
    " SET LOCAL idle_in_transaction_session_timeout = 5000"
)
_BEGIN_READING = (
    f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {READ_SECONDS_MAX * 1000:.0f}"
)
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
            async with asyncio.timeout(READ_SECONDS_MAX), self._transaction(self._readers, _BEGIN_READING) as tx:
                return await query(tx)

    async def run_script(
        self, choose: Callable[[Transaction], Coroutine[Any, Any, str | None]], *, seconds: float
    ) -> None:
        """Run the statements that ``choose`` returns, in the transaction in which it chose them: for migrations.

        Raises: Unavailable.
        """
        try:
            async with asyncio.timeout(seconds), _alone(self._hosts.connect) as connection:
                script = await choose(PostgresTransaction(_lending(connection), "", self._clock, self._inserts))
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
        async with asyncio.timeout(HANG_SECONDS), self._transaction(self._writers, _BEGIN) as tx:
            return await run_together(tx, group)

    @contextlib.asynccontextmanager
    async def _transaction(self, connections: Connections, begin: str) -> AsyncIterator[PostgresTransaction]:
        """A transaction that is committed, or rolled back where what is done in it raises."""
        async with contextlib.AsyncExitStack() as lent:
            tx = PostgresTransaction(
                lambda first: lent.enter_async_context(connections.lent(first)), begin, self._clock, self._inserts
            )
            try:
                yield tx
            except Exception:
                await tx.end("ROLLBACK")
                raise
            await tx.end("COMMIT")


@contextlib.asynccontextmanager
async def _alone(connect: Callable[[], Any]) -> AsyncIterator[asyncpg.Connection]:
    """A transaction on a connection of its own."""
    connection = await connect()
    try:
        async with connection.transaction():
            yield connection
    finally:
        connection.terminate()


def _lending(connection: asyncpg.Connection) -> Callable[[str], Coroutine[Any, Any, asyncpg.Connection]]:
    """Lend a connection in whose transaction statements may come first."""

    async def lend(first: str) -> asyncpg.Connection:
        if first:
            await connection.execute(first)
        return connection

    return lend


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    """Say of every fault of the store that it does not answer."""
    try:
        yield
    except _FAULTS as fault:
        raise Unavailable(internal=f"{type(fault).__name__}: {fault}", retry_after_seconds=1) from fault
