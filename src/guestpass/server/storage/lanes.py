"""The writers of a process on PostgreSQL: lanes, each of which takes what waits and commits it in one transaction.

Two lanes hide each other's round trips. Unlike SQLite's one writer they run beside each other, and beside those of
other servers: whoever decides by what he read takes a lock first (``Transaction.lock``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from guestpass.errors import Unavailable
from guestpass.server.storage.acts import GROUP_MAX, Patience, Waiting, deliver
from guestpass.server.storage.store import Act, Item, Outcome, Riders
from guestpass.server.tally import Tally

LANES = 2


class Lanes:
    """``commit`` runs one act for a group in one transaction and returns an outcome each; it raises nothing."""

    def __init__(self, commit: Callable[[list[Waiting]], Awaitable[list[Any]]], tally: Tally) -> None:
        self._commit = commit
        self._tally = tally
        self._patience = Patience(tally)
        self._waiting: deque[Waiting] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._closes = False

    async def submit(self, act: Act[Item, Outcome], item: Item, riders: Riders) -> Outcome:
        loop = asyncio.get_running_loop()
        if self._patience.adopt(loop):
            self._waiting.clear()
            self._lanes.clear()
        if self._closes:
            raise Unavailable(internal="the store was closed")
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append(Waiting(act, item, riders, future))
        if len(self._lanes) < LANES:  # it starts in the loop's next turn, and finds all that came in this one
            lane = loop.create_task(self._run())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        self._patience.begin(future)
        try:
            return await future
        finally:
            self._patience.end(future)

    async def close(self) -> None:
        """Take no more, and commit what waits."""
        self._closes = True
        while self._lanes:
            await asyncio.wait(self._lanes, timeout=self._patience.hang_seconds)

    async def _run(self) -> None:
        while group := self._take():
            deliver(group, await self._commit(group), self._tally)

    def _take(self) -> list[Waiting]:
        """Take all who wait for the same act as the one who waits longest."""
        group: list[Waiting] = []
        others: deque[Waiting] = deque()
        while self._waiting and len(group) < GROUP_MAX:
            waiting = self._waiting.popleft()
            if waiting.future.done():
                continue  # cancelled, or told that it waited too long: of theirs nothing is written
            if group and waiting.act != group[0].act:
                others.append(waiting)
            else:
                group.append(waiting)
        self._waiting.extendleft(reversed(others))
        return group
