"""The one writer of a process: it takes every act that waits and commits them in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Coroutine
from itertools import groupby
from typing import Any, TypeVar

from guestpass.errors import Unavailable
from guestpass.server.storage.acts import GROUP_MAX, HANG_SECONDS, Patience, Waiting, deliver, run_together
from guestpass.server.storage.store import Act, Item, Outcome, Riders, Transaction
from guestpass.server.tally import Tally

Result = TypeVar("Result")

# What an act did wrong by itself. Every other fault is the store's (full, locked, read-only, torn), and may have
# rolled the whole transaction back: https://www.sqlite.org/lang_transaction.html, section 3.
_FAULTS_OF_AN_ACT = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG}
)  # fmt: skip
_PRIMARY_CODE = 0xFF


def run_now(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that awaits nothing but a transaction on SQLite, which never suspends."""
    try:
        work.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    work.close()
    raise RuntimeError("an act may await its transaction, and nothing else")


class GroupCommit:
    """A thread that owns the write connection. ``turn`` is held during each transaction.

    What arrives within one turn of the event loop is handed over at its end, together: the thread is woken once
    for all of it, and no timer makes a lone client wait. It serves one event loop at a time; all but ``_run``
    and what that calls belongs to the loop's thread.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        tx: Transaction,
        turn: contextlib.AbstractContextManager[Any],
        tally: Tally,
        *,
        hang_seconds: float = HANG_SECONDS,
    ) -> None:
        self._connection = connection
        self._tx = tx
        self._turn = turn
        self._patience = Patience(tally, hang_seconds)
        self._tally = tally
        self._arrived: list[Waiting] = []  # in this turn of the loop
        self._queue: queue.SimpleQueue[list[Waiting] | None] = queue.SimpleQueue()  # None ends the thread
        self._began: float | None = None  # monotonic seconds at which the group under way began
        self._closes = False
        self._thread = threading.Thread(target=self._run, name="guestpass-writer", daemon=True)
        self._thread.start()

    async def submit(self, act: Act[Item, Outcome], item: Item, riders: Riders) -> Outcome:
        loop = asyncio.get_running_loop()
        if self._patience.adopt(loop):
            self._arrived = []
        began = self._began
        if self._closes:
            raise Unavailable(internal="the store was closed")
        if began is not None and time.monotonic() - began > self._patience.hang_seconds:
            self._tally.store_failed()
            raise Unavailable(internal="the writer hangs", retry_after_seconds=1)
        future: asyncio.Future[Outcome] = loop.create_future()
        self._patience.begin(future)
        if not self._arrived:
            loop.call_soon(self._hand_over)
        self._arrived.append(Waiting(act, item, riders, future))
        try:
            return await future
        finally:
            self._patience.end(future)

    async def close(self) -> bool:
        """Take no more, commit what waits, end the thread; say whether it ended, which a dead disk may prevent."""
        if not self._closes:
            self._closes = True
            self._hand_over()
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join, self._patience.hang_seconds)
        return not self._thread.is_alive()

    def _hand_over(self) -> None:
        if self._arrived:
            self._queue.put(self._arrived)
            self._arrived = []

    def _run(self) -> None:
        ends = False
        while not ends:
            group: list[Waiting] = []
            arrived = self._queue.get()
            while arrived is not None:
                # Not those who were cancelled, or told that they waited too long: of theirs nothing is written.
                group += [waiting for waiting in arrived if not waiting.future.done()]
                if len(group) >= GROUP_MAX or self._queue.empty():
                    break
                arrived = self._queue.get()
            ends = arrived is None
            if group:
                self._began = time.monotonic()
                outcomes = self._commit(group)
                self._began = None
                self._deliver(group, outcomes)

    def _deliver(self, group: list[Waiting], outcomes: list[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            group[-1].future.get_loop().call_soon_threadsafe(deliver, group, outcomes, self._tally)

    def _commit(self, group: list[Waiting]) -> list[Any]:
        outcomes: list[Any] = []
        with self._turn:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for _, run in groupby(group, key=_act_of):
                    outcomes.extend(self._run_act(list(run)))
                self._connection.execute("COMMIT")
            except Exception as fault:  # noqa: BLE001 - the one thread of all writers must outlive every fault
                # Disk full, read-only, locked too long: nothing of the group was written.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                why = f"{type(fault).__name__}: {fault}"
                return [Unavailable(internal=why, retry_after_seconds=1) for _ in group]
        return outcomes

    def _run_act(self, run: list[Waiting]) -> list[Any]:
        """Run one act; where it breaks, run it for each item alone, so that only the one it broke on is refused."""
        try:
            return self._in_savepoint(run)
        except Exception as fault:
            if not self._connection.in_transaction or (isinstance(fault, sqlite3.Error) and _is_of_the_store(fault)):
                raise
            if len(run) == 1:
                return [fault]
        return [outcome for waiting in run for outcome in self._run_act([waiting])]

    def _in_savepoint(self, run: list[Waiting]) -> list[Any]:
        self._connection.execute("SAVEPOINT act")
        try:
            outcomes = run_now(run_together(self._tx, run))
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO act")
                self._connection.execute("RELEASE act")
            raise
        self._connection.execute("RELEASE act")
        return outcomes


def _is_of_the_store(fault: sqlite3.Error) -> bool:
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # absent where the module, not SQLite, refused
    return (code & _PRIMARY_CODE) not in _FAULTS_OF_AN_ACT


def _act_of(waiting: Waiting) -> Act[Any, Any]:
    return waiting.act
