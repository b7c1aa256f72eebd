"""What the server does by itself, beside answering."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from guestpass.errors import GuestpassError
from guestpass.server.sessions.cleaning import Cleaning
from guestpass.server.signing_keys.rotation import Rotation

FEED_SECONDS = 1.0
PURGE_SECONDS = 60.0
SEAL_SECONDS = 0.5  # between two looks, so that what is done is in the audit log's chain within a second

log = structlog.get_logger("guestpass")


class Jobs:
    """Runs until stopped; a store that does not answer is tried again at the next turn.

    Args:
        feeds: Each writes every second what is due, or brings up to date what is derived from what was written.
        write_uses: Called every minute: when API keys were used last.
        purges: Each drops what nobody can ask for any more, in bounded batches, and returns how many rows went.
        seal: Called every half second, whatever the others do: chains what is new in the audit log.
    """

    def __init__(
        self,
        cleaning: Cleaning,
        rotation: Rotation,
        feeds: Sequence[Callable[[], Awaitable[None]]],
        write_uses: Callable[[], Awaitable[None]],
        purges: Sequence[Callable[[], Awaitable[int]]],
        seal: Callable[[], Awaitable[int]],
    ) -> None:
        self.cleaning = cleaning
        self.rotation = rotation
        self.write_uses = write_uses
        self._feeds = feeds
        self._purges = purges
        self._seal = seal
        self._follows_setting = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._keep_sealing())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _keep_sealing(self) -> None:
        while True:
            try:
                await self._seal()
            except GuestpassError as error:
                log.warning("sealing_waits", code=error.code, internal=error.internal)
            except Exception:
                log.exception("sealing_failed")
            await asyncio.sleep(SEAL_SECONDS)

    async def _run(self) -> None:
        seconds_to_purge = 0.0
        while True:
            try:
                await self.feed()
                if seconds_to_purge <= 0:
                    seconds_to_purge = PURGE_SECONDS
                    await self.write_uses()
                    await self.purge()
                    await self._keep_signing_keys()
            except GuestpassError as error:
                log.warning("housekeeping_waits", code=error.code, internal=error.internal)
            except Exception:
                log.exception("housekeeping_failed")  # a fault of ours must not end it for good
            seconds_to_purge -= FEED_SECONDS
            await asyncio.sleep(FEED_SECONDS)

    async def feed(self) -> None:
        for feed in (*self._feeds, self.cleaning.feed_index):
            await feed()
        await self.cleaning.list_cuts()

    async def purge(self) -> None:
        purged = 0
        for purge in self._purges:
            purged += await purge()
        if purged:
            log.info("purged", rows=purged)

    async def _keep_signing_keys(self) -> None:
        """Do what is due; the first time, also what the settings of this start ask for."""
        async for change in self.rotation.keep(algorithm=not self._follows_setting):
            if change.made is not None:
                log.info("signing_key_published", kid=change.made.kid, algorithm=change.made.algorithm)
        self._follows_setting = True
