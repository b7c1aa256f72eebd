"""SQLite: one file, one writer that commits what waits in one transaction, readers beside it.

Durability: WAL with ``synchronous=FULL``; an answer is given after the fsync. There is no timer: the writer
takes what waits, so one client alone is answered at once and many share an fsync. Several processes may
open one file; SQLite's lock makes their writers take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from guestpass.errors import Unavailable
from guestpass.server.clock import Clock, system_clock
from guestpass.server.storage.group_commit import GroupCommit, run_now
from guestpass.server.storage.store import Act, Answer, Dialect, Item, Locks, Outcome, Query, Riders, Row
from guestpass.server.tally import Tally

BUSY_TIMEOUT_MS = 2_500  # under the 3 s in which every request has an answer
BUSY_PAUSE_SECONDS = 0.01
READ_SECONDS_MAX = 2.8  # for the same reason
_STEPS_BETWEEN_LOOKS = 10_000  # at the clock, of SQLite's machine: about a millisecond
WAL_CHECKPOINT_PAGES = 8_000  # 32 MB: fewer, larger checkpoints; 5 to 15 % of throughput
WAL_BYTES_KEPT = 64_000_000  # what a burst made longer is given back at the next checkpoint
CACHE_KIB = 16_000  # a connection
READER_THREADS = 2
MEMORY = ":memory:"
_CHUNKS = (64, 32, 16, 8, 4, 2, 1)  # rows of one INSERT: 64 together cost half of 64 alone


def connect(path: str) -> sqlite3.Connection:
    """Open a connection whose transactions are ours to begin and end."""
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=BUSY_TIMEOUT_MS / 1000
    )
    try:
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES_KEPT}")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch; of two processes that do so at once on a new file, SQLite refuses one without waiting."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as fault:
            if not _is_busy(fault) or time.monotonic() > deadline:
                raise
            time.sleep(BUSY_PAUSE_SECONDS)
        else:
            return


def _is_busy(fault: sqlite3.OperationalError) -> bool:
    return fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _make_private(path: str) -> None:
    """Make a new file that only its owner can read; SQLite gives the files beside it the same mode."""
    # Never opened where it exists: closing it again would let go of the locks that this process holds on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


class TurnAmongProcesses:
    """Lets the writers of several processes take turns, each woken when the one before is done.

    SQLite's own lock would do, but who finds it taken sleeps and tries again, up to 100 ms at a time, and under
    load the same process wins it again and again: the others' slowest mint takes seconds. The kernel drops the lock
    of a process that dies. Without the file (a read-only directory) SQLite's lock alone decides.
    """

    def __init__(self, path: str) -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            self._file = None

    def __enter__(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SqliteTransaction:
    """What an act sees of a connection. Nothing here ever suspends; see ``group_commit.run_now``."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection, clock: Clock = system_clock) -> None:
        self._connection = connection
        self._clock = clock

    async def fetch(self, sql: str, parameters: Row = ()) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()

    async def fetch_one(self, sql: str, parameters: Row = ()) -> Row | None:
        row: Row | None = self._connection.execute(sql, parameters).fetchone()
        return row

    async def fetch_among(self, sql: str, parameters: Row, values: Sequence[Any]) -> list[Row]:
        places = f"({', '.join('?' * len(values))})"
        return self._connection.execute(sql.replace("(?*)", places), (*parameters, *values)).fetchall()

    async def ask_together(self, questions: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        return [await question for question in questions]

    async def execute(self, sql: str, parameters: Row = ()) -> int:
        return self._connection.execute(sql, parameters).rowcount

    async def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        start = 0
        for size in _CHUNKS:
            while len(rows) - start >= size:
                values = [value for row in rows[start : start + size] for value in row]
                self._connection.execute(_insert(table, columns, size), values)
                start += size

    def each(self, sql: str, parameters: Row = ()) -> SqliteRows:
        return SqliteRows(self._connection.execute(sql, parameters))

    async def lock(self, what: Locks, numbers: Iterable[int], *, shared: bool = False) -> None:
        """Do nothing: who writes has the whole file."""

    async def try_lock(self, what: Locks, numbers: Iterable[int]) -> set[int]:  # noqa: ARG002
        return set(numbers)

    async def now_ms(self) -> int:
        return int(self._clock() * 1000)


class SqliteRows:
    """A cursor as an asynchronous iterator."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def __aiter__(self) -> SqliteRows:
        return self

    async def __anext__(self) -> Row:
        row: Row | None = self._cursor.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row


@lru_cache
def _insert(table: str, columns: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608 - names of ours


class SqliteStore:
    """A store in the file at ``path``, or in memory where it is ``:memory:`` (for tests).

    In memory there is one connection for all, and a lock: another connection would see another database.
    """

    def __init__(self, path: Path | str, *, clock: Clock = system_clock, tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self._path = str(path)
        self._clock = clock
        self._in_memory = self._path == MEMORY
        self._turn = threading.Lock() if self._in_memory else contextlib.nullcontext()
        try:
            if not self._in_memory:
                _make_private(self._path)
            self._writer_connection = connect(self._path)
            self._point_connection = self._writer_connection if self._in_memory else connect(self._path)
        except (sqlite3.Error, OSError) as fault:
            raise Unavailable(f"The store {self._path} cannot be opened: {_reason(fault)}.") from fault
        self._thread_connections = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="guestpass-reader")
        self._among_processes = None if self._in_memory else TurnAmongProcesses(f"{self._path}-turn")
        self._group_commit = GroupCommit(
            self._writer_connection,
            SqliteTransaction(self._writer_connection, clock),
            self._among_processes or self._turn,
            self.tally,
        )

    @contextlib.contextmanager
    def exclusively(self) -> Iterator[sqlite3.Connection]:
        """Lend the writer's connection before the first write: for migrations at start."""
        with self._turn:
            yield self._writer_connection

    async def write(self, act: Act[Item, Outcome], item: Item, riders: Riders = ()) -> Outcome:
        return await self._group_commit.submit(act, item, riders)

    async def look_up(self, sql: str, parameters: Row = ()) -> list[Row]:
        # On the loop's own thread: a hop to another one costs ten times the read.
        with self._turn:
            try:
                return self._point_connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as fault:
                raise Unavailable(internal=str(fault), retry_after_seconds=1) from fault

    async def read(self, query: Query[Answer]) -> Answer:
        deadline = time.monotonic() + READ_SECONDS_MAX
        reading = asyncio.get_running_loop().run_in_executor(self._readers, self._read_now, query, deadline)
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                return await reading
        except TimeoutError:
            raise Unavailable(internal="the read took too long", retry_after_seconds=1) from None

    def _read_now(self, query: Query[Answer], deadline: float) -> Answer:
        with self._turn:
            try:
                connection = self._connection_of_this_thread()
                tx = SqliteTransaction(connection, self._clock)
                if self._in_memory:
                    return run_now(query(tx))
                # Nobody waits for the answer after that, and others wait for this thread.
                connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
                connection.execute("BEGIN")
                try:
                    return run_now(query(tx))
                finally:
                    connection.set_progress_handler(None, 0)
                    connection.execute("ROLLBACK")
            except sqlite3.Error as fault:
                raise Unavailable(internal=str(fault), retry_after_seconds=1) from fault

    def _connection_of_this_thread(self) -> sqlite3.Connection:
        if self._in_memory:
            return self._writer_connection
        connection: sqlite3.Connection | None = getattr(self._thread_connections, "connection", None)
        if connection is None:
            connection = self._thread_connections.connection = connect(self._path)
            self._reader_connections.append(connection)
        return connection

    async def close(self) -> None:
        """Commit what still waits, then let go of the file."""
        ended = await self._group_commit.close()
        await asyncio.to_thread(self._readers.shutdown, cancel_futures=True)
        connections = {self._point_connection, *self._reader_connections}
        if ended:
            connections.add(self._writer_connection)
            if self._among_processes is not None:
                self._among_processes.close()
        else:
            connections.discard(self._writer_connection)  # to close it would wait for the dead disk, too
        for connection in connections:
            connection.close()


def wait_for_lock(connection: sqlite3.Connection, *, seconds: float) -> None:
    """Begin a write transaction, waiting for other processes up to ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as fault:
            if not _is_busy(fault) or time.monotonic() > deadline:
                raise
        else:
            return


def _reason(fault: sqlite3.Error | OSError) -> str:
    if isinstance(fault, OSError):
        return fault.strerror or str(fault)
    if getattr(fault, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return f"{fault}; this user must be able to write it and to make files beside it"
    return str(fault)
