"""What the server does by itself, beside answering."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from guestpass.errors import GuestpassError
from guestpass.server.sessions.cleaning import Cleaning

FEED_SECONDS = 1.0
PURGE_SECONDS = 60.0

log = structlog.get_logger("guestpass")


class Jobs:
    """Runs until stopped; a store that does not answer is tried again at the next turn."""

    def __init__(self, cleaning: Cleaning) -> None:
        self.cleaning = cleaning
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        seconds_to_purge = 0.0
        while True:
            try:
                await self.cleaning.feed_index()
                if seconds_to_purge <= 0:
                    seconds_to_purge = PURGE_SECONDS
                    purged = await self.cleaning.purge()
                    if purged:
                        log.info("purged", rows=purged)
            except GuestpassError as error:
                log.warning("housekeeping_waits", code=error.code, internal=error.internal)
            except Exception:
                log.exception("housekeeping_failed")  # a fault of ours must not end it for good
            seconds_to_purge -= FEED_SECONDS
            await asyncio.sleep(FEED_SECONDS)
