"""The one writer of a process: it takes every act that waits and commits them in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from itertools import groupby
from typing import Any, NamedTuple

from guestpass.errors import GuestpassError, Unavailable
from guestpass.server.storage.store import Act, Item, Outcome

GROUP_MAX = 512  # acts after which a transaction takes no more
HANG_SECONDS = 2.8  # a commit that takes longer is answered 503, so that no request waits over 3 s
WATCH_SECONDS = 0.1


class _Waiting(NamedTuple):
    act: Act[Any, Any]
    item: Any
    future: asyncio.Future[Any]


class GroupCommit:
    """A thread that owns the write connection. ``turn`` is held during each transaction.

    What arrives within one turn of the event loop is handed over at its end, together: the thread is woken once
    for all of it, and no timer makes a lone client wait.
    """

    def __init__(self, connection: sqlite3.Connection, turn: contextlib.AbstractContextManager[Any]) -> None:
        self._connection = connection
        self._turn = turn
        self._arrived: list[_Waiting] = []  # in this turn of the loop
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()  # None ends the thread
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._group: list[_Waiting] = []
        self._began: float | None = None  # monotonic seconds at which the group under way began
        self._hangs = False
        self._thread = threading.Thread(target=self._run, name="guestpass-writer", daemon=True)
        self._thread.start()

    async def submit(self, act: Act[Item, Outcome], item: Item) -> Outcome:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._look_for_a_hang()
        if self._hangs:
            raise _unavailable("the writer hangs")
        future: asyncio.Future[Outcome] = self._loop.create_future()
        if not self._arrived:
            self._loop.call_soon(self._hand_over)
        self._arrived.append(_Waiting(act, item, future))
        return await future

    def close(self) -> None:
        """Commit what waits and end the thread; blocks up to ``HANG_SECONDS``."""
        self._hand_over()
        self._queue.put(None)
        self._thread.join(HANG_SECONDS)
        if self._watch is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._watch.cancel)

    def _hand_over(self) -> None:
        if self._arrived:
            self._queue.put(self._arrived)
            self._arrived = []

    def _run(self) -> None:
        ended = False
        while not ended:
            group: list[_Waiting] = []
            arrived = self._queue.get()
            while arrived is not None:
                group += arrived
                if len(group) >= GROUP_MAX or self._queue.empty():
                    break
                arrived = self._queue.get()
            ended = arrived is None
            if group:
                self._group, self._began = group, time.monotonic()
                outcomes = self._commit(group)
                self._began = None
                self._deliver(group, outcomes)

    def _commit(self, group: list[_Waiting]) -> list[Any]:
        outcomes: list[Any] = []
        with self._turn:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for act, run in groupby(group, key=_act_of):
                    outcomes.extend(self._run_act(act, [waiting.item for waiting in run]))
                self._connection.execute("COMMIT")
            except sqlite3.Error as fault:
                # Disk full, read-only, locked too long: nothing of the group was written.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                return [_unavailable(str(fault))] * len(group)
        return outcomes

    def _run_act(self, act: Act[Any, Any], items: list[Any]) -> list[Any]:
        """Run one act in a savepoint, so that what it breaks is its own alone."""
        self._connection.execute("SAVEPOINT act")
        try:
            outcomes = list(act(self._connection, items))
        except sqlite3.OperationalError:
            raise
        except Exception as fault:  # noqa: BLE001 - delivered to the one who waits
            self._connection.execute("ROLLBACK TO act")
            outcomes = [fault] * len(items)
        self._connection.execute("RELEASE act")
        return outcomes

    def _deliver(self, group: list[_Waiting], outcomes: list[Any]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self._loop.call_soon_threadsafe(_resolve, group, outcomes)

    def _look_for_a_hang(self) -> None:
        """Answer the waiting when a commit hangs (a dead disk, a lock held elsewhere); the thread itself may be stuck."""
        assert self._loop is not None  # noqa: S101
        began = self._began
        self._hangs = began is not None and time.monotonic() - began > HANG_SECONDS
        if self._hangs:
            stuck = list(self._group)
            with contextlib.suppress(queue.Empty):
                while (arrived := self._queue.get_nowait()) is not None:
                    stuck += arrived
            _resolve(stuck, [_unavailable("the writer hangs")] * len(stuck))
        self._watch = self._loop.call_later(WATCH_SECONDS, self._look_for_a_hang)


def _act_of(waiting: _Waiting) -> Act[Any, Any]:
    return waiting.act


def _unavailable(why: str) -> GuestpassError:
    return Unavailable(internal=why, retry_after_seconds=1)


def _resolve(group: list[_Waiting], outcomes: list[Any]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        if waiting.future.done():
            continue  # the request was cancelled, or answered while the writer hung
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
