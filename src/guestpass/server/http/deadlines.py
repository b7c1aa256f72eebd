"""Every request is answered in time, whatever it waits for: a store that hangs, one that is slow at each of its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from guestpass.errors import Unavailable, ValidationFailed
from guestpass.server.http.exchange import Exchange

ANSWER_SECONDS_MAX = 2.85  # with a look at the clock now and then, under the 3 s that are promised
BODY_SECONDS_MAX = 10.0  # for a client to finish sending what it began
WATCH_SECONDS = 0.1

Answered = TypeVar("Answered")


class Deadlines:
    """Ends what takes too long. One timer looks after all requests: one for each would cost a tenth of a mint."""

    def __init__(self, *, answer_seconds: float = ANSWER_SECONDS_MAX, body_seconds: float = BODY_SECONDS_MAX) -> None:
        self._answer_seconds = answer_seconds
        self._body_seconds = body_seconds
        self._under_way: dict[Exchange, asyncio.Task[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watches = False

    async def hold(self, call: Exchange, work: Coroutine[Any, Any, Answered]) -> Answered:
        """Return what ``work`` does for ``call``. Raises: Unavailable; ValidationFailed while its body is waited for."""
        task = self._begin(call)
        try:
            return await work
        except asyncio.CancelledError:
            if not call.is_late or task.uncancel():
                raise  # it is somebody else who ends it
            raise self._too_late(call) from None
        finally:
            del self._under_way[call]

    def _begin(self, call: Exchange) -> asyncio.Task[Any]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a request is served in a task
        if loop is not self._loop:
            self._loop, self._watches = loop, False
        if not self._watches:
            self._watches = True
            loop.call_later(WATCH_SECONDS, self._look, loop)
        call.working_since = loop.time()
        self._under_way[call] = task
        return task

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for call, task in self._under_way.items():
            if call.reading_since is None:
                is_late = now - call.working_since > self._answer_seconds
            else:
                is_late = now - call.reading_since > self._body_seconds
            if is_late and not call.is_late:
                call.is_late = True
                task.cancel()
        self._watches = bool(self._under_way)
        if self._watches:
            loop.call_later(WATCH_SECONDS, self._look, loop)

    def _too_late(self, call: Exchange) -> Exception:
        if call.reading_since is not None:
            return ValidationFailed(f"The body did not arrive within {self._body_seconds:g} seconds.")
        return Unavailable(
            "The store did not answer in time, so it is not known whether this was done. "
            "Try again after Retry-After seconds.",
            internal="the request took too long",
            retry_after_seconds=1,
        )
