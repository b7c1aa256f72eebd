"""A replay guard in a SQLite file, for the processes of one machine."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from guestpass.errors import Unavailable
from guestpass.verify.replay import Use

BUSY_SECONDS = 2.0
DROPPED_AT_ONCE = 100  # counts of tokens that ended; with each use, so that the file stays as small as it can be

_TABLES = """
CREATE TABLE IF NOT EXISTS began (one INTEGER PRIMARY KEY CHECK (one = 1), since INTEGER, dropped_up_to INTEGER);
CREATE TABLE IF NOT EXISTS uses (key TEXT PRIMARY KEY, used INTEGER, expires_at INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uses_by_end ON uses (expires_at);
"""
_COUNT = """
INSERT INTO uses (key, used, expires_at) SELECT ?1, 1, ?2 FROM began WHERE since <= ?3 AND dropped_up_to < ?2
ON CONFLICT (key) DO UPDATE SET used = used + 1 WHERE used < ?4
"""
_DROP = """
DELETE FROM uses WHERE key IN (SELECT key FROM uses WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
RETURNING expires_at
"""


class SqliteReplayGuard:
    """Counts in a file that all processes of a machine share; a use is on disk before it is accepted.

    A new file counts from now on: tokens issued before are refused, and their browsers fetch new ones. Never put an
    old copy of the file back: what was used since would count as unused.

    Args:
        path: On a local disk; made where it is missing.
        clock: Unix seconds; when a new file began.

    Raises: Unavailable where the file cannot be opened.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._opened_by = 0
        self._connection: sqlite3.Connection | None = None
        try:
            self._open()
        except sqlite3.Error as fault:
            raise _unavailable(fault) from None

    def use(self, use: Use) -> bool:
        """Count one use, on disk. Raises: Unavailable."""
        if self._opened_by != os.getpid():  # a connection must not be carried over a fork, nor a held lock
            self._lock = threading.Lock()
        with self._lock:
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                with connection:
                    ended = connection.execute(_DROP, (use.now, DROPPED_AT_ONCE)).fetchall()
                    if ended:
                        connection.execute("UPDATE began SET dropped_up_to = max(dropped_up_to, ?)", max(ended))
                    counted = connection.execute(_COUNT, (use.key, use.expires_at, use.issued_at, use.uses))
                    return counted.rowcount == 1
            except sqlite3.Error as fault:
                raise _unavailable(fault) from None

    def close(self) -> None:
        with self._lock:
            if self._connection is not None and self._opened_by == os.getpid():
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._opened_by != os.getpid():
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_TABLES)
            connection.execute("INSERT OR IGNORE INTO began VALUES (1, ?, 0)", (int(self._clock()),))
            self._connection, self._opened_by = connection, os.getpid()
        return self._connection


def _unavailable(fault: sqlite3.Error) -> Unavailable:
    return Unavailable(f"The replay guard's file cannot be used: {fault}.", retry_after_seconds=1)
