"""Who is asked to wait: failed credentials of an address, mints of a key, requests of pages from an address.

A credential is always looked at first. One that fails is counted against its address; a good one passes however many
failed beside it, since behind one address there may be a whole office, or a proxy with everybody.
"""

from __future__ import annotations

from typing import NamedTuple

from guestpass.core.callers.client_address import ClientAddress
from guestpass.errors import GuestpassError, RateLimited
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.clock import Clock
from guestpass.server.http.counting import Counter
from guestpass.server.http.exchange import Answer, Exchange
from guestpass.server.http.routes import Bucket, Handler, Route
from guestpass.server.http.shared_counts import SHARES, SharedCounts
from guestpass.server.projects.service import Issuers

# What a genuine credential earns at its end, or a page without one. Nobody guesses with these, so they do not count as
# failed; there may be as many of them as there may be good requests.
_HARMLESS = frozenset(
    {
        "TOKEN_MISSING", "TOKEN_EXPIRED", "TOKEN_NOT_YET_VALID", "TOKEN_TOO_OLD", "TOKEN_REVOKED", "TOKEN_REPLAYED",
        "SESSION_SUSPENDED", "REFRESH_TOKEN_EXPIRED", "REFRESH_TOKEN_REVOKED", "REFRESH_TOKEN_REUSED",
    }
)  # fmt: skip
_UNAUTHENTICATED = 401


class Limits(NamedTuple):
    """How many in a minute; 0: any number."""

    failures: int  # failed credentials of one client address
    mints: int  # of one API key
    browser: int  # requests of pages, from one client address
    refresh: int  # refreshes, from one client address


class RateLimits:
    """Counts, and refuses beyond ``limits``. ``shared``: the counts of several servers; None: each counts for itself."""

    def __init__(self, limits: Limits, issuers: Issuers, clock: Clock, shared: SharedCounts | None = None) -> None:
        self._limits = limits
        self._issuers = issuers
        self._shared = shared
        self._failures = Counter("failures", clock)
        self._mints = Counter("mints", clock)
        self._requests = {
            "browser": (Counter("browser", clock), limits.browser),
            "refresh": (Counter("refresh", clock), limits.refresh),
        }
        self._harmless = {
            "browser": (Counter("browser-harmless", clock), limits.browser),
            "refresh": (Counter("refresh-harmless", clock), limits.refresh),
        }

    async def answer(self, bucket: Bucket, call: Exchange, handler: Handler) -> Answer:
        """Let ``handler`` answer where there is room in ``bucket``. Raises: RateLimited, and what the handler raises."""
        if bucket == "mints":
            await self._take_mint(call.key)
            return await handler(call)
        counter, limit = self._requests[bucket]
        if not limit:
            return await handler(call)
        subject = _subject(call.client_address)
        wait = counter.seconds_to_wait(subject, limit)
        if wait:
            raise RateLimited(retry_after_seconds=wait, internal=f"{bucket} of {subject}")
        try:
            reply = await handler(call)
        except Exception as fault:
            if not _is_failed_credential(fault):  # or a good one could be refused for the failures of others
                self._count(counter, subject, limit)
            raise
        self._count(counter, subject, limit)
        return reply

    async def held_against(self, error: GuestpassError, call: Exchange, route: Route | None) -> GuestpassError:
        """Count a failed credential against its address; return what to answer: ``error``, or that it is one too many."""
        if route is None or not route.limits_failures or not _is_failed_credential(error):
            return error
        counter, limit = self._failures, self._limits.failures
        if error.code in _HARMLESS and route.bucket in self._harmless:
            counter, limit = self._harmless[route.bucket]
        subject = _subject(call.client_address)
        wait = await self._take(counter, subject, limit) if limit else 0
        if not wait:
            return error
        return RateLimited(
            "What was sent as a credential was refused, as were too many before it from the same address. "
            "Wait for Retry-After seconds; a good one is accepted meanwhile.",
            retry_after_seconds=wait,
            internal=f"{counter.name} of {subject}; {error.code}",
        )

    async def mints_per_minute(self, key: ApiKey) -> int:
        """Return how often a key may mint in a minute, as its project says, else the server; 0: any number of times."""
        of_project = (await self._issuers.by_number(key.issuer)).settings.mints_per_minute
        return self._limits.mints if of_project is None else of_project

    async def settled(self) -> None:
        """Wait until what was to be told to the other servers is told."""
        if self._shared is not None:
            await self._shared.settled()

    async def close(self) -> None:
        if self._shared is not None:
            await self._shared.close()

    async def _take_mint(self, key: ApiKey) -> None:
        limit = await self.mints_per_minute(key)
        if limit:
            wait = await self._take(self._mints, key.id.hex(), limit)
            if wait:
                raise RateLimited(
                    f"This API key may mint {limit} times a minute. Wait for Retry-After seconds.",
                    retry_after_seconds=wait,
                    internal="mints",
                )

    async def _take(self, counter: Counter, subject: str, limit: int) -> int:
        """Count one and return 0 where there is room for it; else return whole seconds until there is."""
        wait = counter.seconds_to_wait(subject, limit)
        if wait:
            return wait
        owed = counter.add(subject)
        if self._shared is None or owed <= limit // SHARES:
            return 0
        return await self._shared.seconds_to_wait(counter, subject, limit)

    def _count(self, counter: Counter, subject: str, limit: int) -> None:
        owed = counter.add(subject)
        if self._shared is not None and owed > limit // SHARES:
            self._shared.report(counter, subject, limit)


def _is_failed_credential(error: Exception) -> bool:
    return isinstance(error, GuestpassError) and error.status == _UNAUTHENTICATED


def _subject(address: ClientAddress | None) -> str:
    return address.group if address is not None else "unknown"
