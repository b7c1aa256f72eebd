"""Limits over several servers: what each has counted is added up in Redis or Valkey.

Nobody asks Redis for every request. A server counts in memory, and tells when it owes a hundredth of a limit; what it
then hears of the others' counts it goes on with. So servers together let at most a hundredth each through beyond a
limit, and nothing where the limit is under 100.

Redis holds nothing that must be true. Where it does not answer, each server limits by what it knows itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from guestpass.core.sliding_window import PERIOD_SECONDS, seconds_to_wait
from guestpass.server.clock import Clock
from guestpass.server.http.counting import Counter

if TYPE_CHECKING:
    from redis.asyncio import Redis

ANSWER_SECONDS_MAX = 0.25
PAUSE_SECONDS = 5.0  # without Redis, before it is tried again
CONNECTIONS_MAX = 32
SHARES = 100  # of a limit, one of which a server may owe
_KEPT_SECONDS = 3 * PERIOD_SECONDS  # two minutes count, and the servers' clocks may differ

# KEYS: this minute's count, the one before. ARGV: one and what else is owed, limit, seconds left of the minute, its
# length, seconds to keep. What is owed was let through; the one is counted where there is room for it.
_ADD = """
local current = tonumber(redis.call('INCRBY', KEYS[1], ARGV[1] - 1))
local before = tonumber(redis.call('GET', KEYS[2]) or 0)
local room = before * ARGV[3] <= (ARGV[2] - 1 - current) * ARGV[4]
if room then current = redis.call('INCR', KEYS[1]) end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return {current, before, room and 1 or 0}
"""

log = structlog.get_logger("guestpass")


class SharedCounts:
    """Adds up counters of several servers. ``name``: of the installation, so that two may share one Redis."""

    def __init__(self, redis: Redis, name: str, clock: Clock) -> None:
        self._redis = redis
        self._add: Any = redis.register_script(_ADD)
        self._name = name
        self._clock = clock
        self._next_try: float | None = None  # Unix seconds, while Redis is away
        self._reports: set[asyncio.Task[int]] = set()

    @classmethod
    def at(cls, url: str, name: str, clock: Clock) -> SharedCounts:
        """Connect when the first count is told. Raises: ImportError without the package; ValueError, which may quote ``url``."""
        # It costs half a second, and most servers are alone.
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        pool = BlockingConnectionPool.from_url(
            url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
            max_connections=CONNECTIONS_MAX,
            timeout=ANSWER_SECONDS_MAX,
            socket_timeout=ANSWER_SECONDS_MAX,
            socket_connect_timeout=ANSWER_SECONDS_MAX,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # what every version speaks
        )
        return cls(Redis.from_pool(pool), name, clock)

    async def seconds_to_wait(self, counter: Counter, subject: str, limit: int) -> int:
        """Tell of one that was just counted, and of all else that is owed.

        Returns 0 where all servers together have room for the one, or where Redis does not answer. Else the one is taken
        back, and whole seconds until there is room are returned.
        """
        return await self._tell(counter, subject, limit, counter.take_owed(subject))

    def report(self, counter: Counter, subject: str, limit: int) -> None:
        """Tell without being waited for."""
        report = asyncio.create_task(self._tell(counter, subject, limit, counter.take_owed(subject)))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)

    async def settled(self) -> None:
        """Wait for the reports under way."""
        await asyncio.gather(*self._reports)

    async def close(self) -> None:
        await self.settled()
        await self._redis.aclose()

    async def _tell(self, counter: Counter, subject: str, limit: int, owed: int) -> int:
        now, minute = self._clock(), counter.minute
        elapsed = min(max(now - minute * PERIOD_SECONDS, 0), PERIOD_SECONDS)
        if not self._may_try(now):
            return 0
        keys = [f"guestpass:{self._name}:{counter.name}:{each}:{subject}" for each in (minute, minute - 1)]
        values = [owed, limit, repr(PERIOD_SECONDS - elapsed), PERIOD_SECONDS, _KEPT_SECONDS]
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                current, before, has_room = await self._add(keys, values)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the request is answered
            self._is_away(fault)
            return 0
        self._is_there()
        counter.learn(minute, subject, current=current, before=before, has_room=bool(has_room))
        return 0 if has_room else seconds_to_wait(before, current, limit=limit, elapsed=elapsed)

    def _may_try(self, now: float) -> bool:
        """While Redis is away one request tries it every few seconds; the others do not wait."""
        if self._next_try is None:
            return True
        if now < self._next_try <= now + PAUSE_SECONDS:  # the clock may have been set back
            return False
        self._next_try = now + PAUSE_SECONDS
        return True

    def _is_away(self, fault: Exception) -> None:
        if self._next_try is None:
            log.warning("limits_not_shared", internal=f"Redis: {type(fault).__name__}: {fault}")
        self._next_try = self._clock() + PAUSE_SECONDS

    def _is_there(self) -> None:
        if self._next_try is not None:
            log.info("limits_shared_again")
        self._next_try = None
