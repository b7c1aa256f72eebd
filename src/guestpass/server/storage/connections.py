"""Connections to PostgreSQL: to whichever of its hosts is written to, lent to one transaction at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg

CONNECT_SECONDS = 2.4  # to ask all hosts, within the time of one request
_CLOSE_SECONDS = 2.0

# The connection is of no more use, whatever it was asked.
BROKEN = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_NOT_TO_BE_WRITTEN_TO = (
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientResourcesError,
)


class Hosts:
    """The hosts that a URL names, of which one is written to; the one that last was is asked first.

    Each has its share of the time: one that hangs, or whose packets are lost, must not stand before the one that took
    over from it.
    """

    def __init__(self, url: str, *, statement_cache_size: int) -> None:
        self._urls = urls_of_each(url)
        self._seconds = CONNECT_SECONDS / len(self._urls)
        self._statement_cache_size = statement_cache_size

    async def connect(self) -> asyncpg.Connection:
        """Open a connection to the primary. Raises: what the host that was asked last said."""
        for place, url in enumerate(tuple(self._urls), 1):
            try:
                connection = await asyncpg.connect(
                    url,
                    timeout=self._seconds,
                    statement_cache_size=self._statement_cache_size,
                    target_session_attrs="read-write",
                )
            except (*BROKEN, *_NOT_TO_BE_WRITTEN_TO):
                if place == len(self._urls):
                    raise
            else:
                self._urls.sort(key=lambda one, found=url: one != found)  # type: ignore[misc]
                return connection
        raise AssertionError("a URL names at least one host")


def urls_of_each(url: str) -> list[str]:
    """Return a URL for each of the hosts ``one:5432,other:5432`` that ``url`` names."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    return [parts._replace(netloc=user + at + host).geturl() for host in hosts.split(",")]


class Connections:
    """Up to ``most`` connections, opened when they are needed.

    One that broke is not lent again, and neither are those that lay idle beside it: they may lead to the same host.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]], most: int) -> None:
        self._connect = connect
        self._turns = asyncio.Semaphore(most)
        self._idle: list[asyncpg.Connection] = []

    @contextlib.asynccontextmanager
    async def lent(self, begin: str = "") -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection on which the statements ``begin`` were run. Raises: whatever asyncpg raises."""
        async with self._turns:
            connection = await self._begun(begin)
            try:
                yield connection
            except asyncpg.PostgresError as fault:
                if isinstance(fault, asyncpg.ReadOnlySQLTransactionError) or fault.severity_en in ("FATAL", "PANIC"):
                    self._discard(connection)
                else:
                    self._take_back(connection)  # refused, but in good order
                raise
            except BaseException:
                self._discard(connection)  # of one that was left in the middle nobody knows what it would answer next
                raise
            self._take_back(connection)

    async def _begun(self, begin: str) -> asyncpg.Connection:
        """A connection may have been cut off while it lay idle: who finds that out takes a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_closed():
                continue
            try:
                return await self._run(connection, begin)
            except asyncpg.QueryCanceledError:  # it waited for a lock too long, and would on any other
                raise
            except BROKEN:
                continue
        return await self._run(await self._connect(), begin)

    async def _run(self, connection: asyncpg.Connection, begin: str) -> asyncpg.Connection:
        try:
            if begin:
                await connection.execute(begin)
        except asyncpg.QueryCanceledError:
            connection.terminate()
            raise
        except BaseException:
            self._discard(connection)
            raise
        return connection

    def _take_back(self, connection: asyncpg.Connection) -> None:
        if connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append(connection)

    def _discard(self, connection: asyncpg.Connection) -> None:
        for broken in (connection, *self._idle):
            broken.terminate()
        self._idle.clear()

    async def close(self) -> None:
        for connection in self._idle:
            with contextlib.suppress(*BROKEN):
                await connection.close(timeout=_CLOSE_SECONDS)
        self._idle.clear()
