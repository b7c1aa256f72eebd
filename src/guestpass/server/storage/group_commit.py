"""The one writer of a process: it takes every act that waits and commits them in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from guestpass.errors import Unavailable
from guestpass.server.storage.store import Act, Item, Outcome

GROUP_MAX = 512  # acts after which a transaction takes no more
HANG_SECONDS = 2.8  # what waits longer is answered 503, so that no request waits over 3 s
WATCH_SECONDS = 0.1

# What an act did wrong by itself. Every other fault is the store's (full, locked, read-only, torn), and may have
# rolled the whole transaction back: https://www.sqlite.org/lang_transaction.html, section 3.
_FAULTS_OF_AN_ACT = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG}
)  # fmt: skip
_PRIMARY_CODE = 0xFF


class _Waiting(NamedTuple):
    act: Act[Any, Any]
    item: Any
    future: asyncio.Future[Any]


class GroupCommit:
    """A thread that owns the write connection. ``turn`` is held during each transaction.

    What arrives within one turn of the event loop is handed over at its end, together: the thread is woken once
    for all of it, and no timer makes a lone client wait. It serves one event loop at a time; all but ``_run``
    and what that calls belongs to the loop's thread.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        turn: contextlib.AbstractContextManager[Any],
        *,
        hang_seconds: float = HANG_SECONDS,
    ) -> None:
        self._connection = connection
        self._turn = turn
        self._hang_seconds = hang_seconds
        self._arrived: list[_Waiting] = []  # in this turn of the loop
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()  # None ends the thread
        self._deadlines: dict[asyncio.Future[Any], float] = {}  # monotonic seconds; the oldest first
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._began: float | None = None  # monotonic seconds at which the group under way began
        self._closes = False
        self._thread = threading.Thread(target=self._run, name="guestpass-writer", daemon=True)
        self._thread.start()

    async def submit(self, act: Act[Item, Outcome], item: Item) -> Outcome:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._adopt(loop)
        now, began = time.monotonic(), self._began
        if self._closes:
            raise Unavailable(internal="the store was closed")
        if began is not None and now - began > self._hang_seconds:
            raise Unavailable(internal="the writer hangs", retry_after_seconds=1)
        future: asyncio.Future[Outcome] = loop.create_future()
        self._deadlines[future] = now + self._hang_seconds
        if self._watch is None:
            self._watch = loop.call_later(WATCH_SECONDS, self._answer_what_waits_too_long)
        if not self._arrived:
            loop.call_soon(self._hand_over)
        self._arrived.append(_Waiting(act, item, future))
        try:
            return await future
        finally:
            self._deadlines.pop(future, None)

    async def close(self) -> bool:
        """Take no more, commit what waits, end the thread; say whether it ended, which a dead disk may prevent."""
        if not self._closes:
            self._closes = True
            self._hand_over()
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join, self._hang_seconds)
        return not self._thread.is_alive()

    def _hand_over(self) -> None:
        if self._arrived:
            self._queue.put(self._arrived)
            self._arrived = []

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a store serves one event loop at a time")
        for future in self._deadlines:  # nobody waits in a loop that no longer runs
            with contextlib.suppress(RuntimeError):
                future.cancel()
        self._deadlines, self._arrived = {}, []
        self._loop = loop
        self._watch = None

    def _answer_what_waits_too_long(self) -> None:
        """Answer for a writer that may itself be stuck: a dead disk, a lock held elsewhere."""
        assert self._loop is not None  # noqa: S101
        now = time.monotonic()
        for future, deadline in self._deadlines.items():
            if deadline > now:
                break
            if not future.done():
                future.set_exception(_out_of_time())
        self._watch = (
            self._loop.call_later(WATCH_SECONDS, self._answer_what_waits_too_long) if self._deadlines else None
        )

    def _run(self) -> None:
        ends = False
        while not ends:
            group: list[_Waiting] = []
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
                _deliver(group, outcomes)

    def _commit(self, group: list[_Waiting]) -> list[Any]:
        outcomes: list[Any] = []
        with self._turn:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for act, run in groupby(group, key=_act_of):
                    outcomes.extend(self._run_act(act, [waiting.item for waiting in run]))
                self._connection.execute("COMMIT")
            except Exception as fault:  # noqa: BLE001 - the one thread of all writers must outlive every fault
                # Disk full, read-only, locked too long: nothing of the group was written.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                why = f"{type(fault).__name__}: {fault}"
                return [Unavailable(internal=why, retry_after_seconds=1) for _ in group]
        return outcomes

    def _run_act(self, act: Act[Any, Any], items: list[Any]) -> list[Any]:
        """Run one act; where it breaks, run it for each item alone, so that only the one it broke on is refused."""
        try:
            return self._in_savepoint(act, items)
        except Exception as fault:
            if not self._connection.in_transaction or (isinstance(fault, sqlite3.Error) and _is_of_the_store(fault)):
                raise
            if len(items) == 1:
                return [fault]
        return [outcome for item in items for outcome in self._run_act(act, [item])]

    def _in_savepoint(self, act: Act[Any, Any], items: list[Any]) -> list[Any]:
        self._connection.execute("SAVEPOINT act")
        try:
            outcomes: Sequence[Any] = act(self._connection, items)
            if len(outcomes) != len(items):
                raise RuntimeError(f"{act} gave {len(outcomes)} outcomes for {len(items)} items")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO act")
                self._connection.execute("RELEASE act")
            raise
        self._connection.execute("RELEASE act")
        return list(outcomes)


def _is_of_the_store(fault: sqlite3.Error) -> bool:
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # absent where the module, not SQLite, refused
    return (code & _PRIMARY_CODE) not in _FAULTS_OF_AN_ACT


def _act_of(waiting: _Waiting) -> Act[Any, Any]:
    return waiting.act


def _out_of_time() -> Unavailable:
    return Unavailable(
        "The store did not answer in time, so it is not known whether this was done. "
        "Try again after Retry-After seconds.",
        internal="the writer hangs",
        retry_after_seconds=1,
    )


def _deliver(group: list[_Waiting], outcomes: list[Any]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
        group[-1].future.get_loop().call_soon_threadsafe(_resolve, group, outcomes)


def _resolve(group: list[_Waiting], outcomes: list[Any]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.future.done():
            continue  # the request was cancelled, or answered while the writer hung
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
