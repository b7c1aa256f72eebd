"""What an issuer publishes, as it was last fetched: how fresh it is, and when to look again. No IO.

A document is looked for again by whoever needs it, a little before it is due, so that nobody waits; no timer runs.

    0          fresh - ahead        fresh                fresh + stale
    |── used ──|── used, and fetched beside it ──|── fetched first ──|── not used ──
"""

from __future__ import annotations

import enum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

AHEAD_SECONDS = 1.0  # before it is due; a fifth of its freshness where that is less
RACE_SECONDS = 1.0  # by which a thread's moment may lie before what another thread has written by then
RETRY_SECONDS = 5.0  # after a failure; meanwhile nobody waits for another


class Need(enum.Enum):
    """What to do before a document is used."""

    NOTHING = enum.auto()
    FETCH_BESIDE = enum.auto()  # and use what is there
    FETCH_FIRST = enum.auto()

    @property
    def is_fetch(self) -> bool:
        return self is not Need.NOTHING


class Copy(NamedTuple, Generic[T]):
    """One fetched state of a document; replaced whole, so that many threads may read it.

    Attributes:
        under: The keys it was opened with, if any; with others it has to be fetched whole.
        at: When the fetch began.
        quiet_from, quiet_until: Between the two it is used without another thought.
    """

    value: T
    etag: str | None
    under: object
    at: float
    fresh_seconds: float
    quiet_from: float
    quiet_until: float


class Document(Generic[T]):
    """One published document.

    Args:
        stale_seconds: How long a copy counts beyond its freshness while no newer one can be fetched.
    """

    __slots__ = ("copy", "fault", "stale_seconds", "tried_at", "url")

    def __init__(self, url: str, stale_seconds: float) -> None:
        self.url = url
        self.stale_seconds = stale_seconds
        self.copy: Copy[T] | None = None
        self.tried_at: float | None = None
        self.fault: str | None = None  # why the last fetch failed

    def is_quiet(self, now: float) -> bool:
        """Say whether the copy can be used without another thought; the same as a ``need`` of nothing, but fast."""
        copy = self.copy
        return copy is not None and copy.quiet_from <= now < copy.quiet_until

    def need(self, now: float) -> Need:
        """Say what to do first. ``now`` is of the clock that ``tried`` and ``arrived`` were given."""
        copy = self.copy
        if self.is_quiet(now) or not self._may_try(now):
            return Need.NOTHING
        if copy is not None and age_of(copy.at, now) < copy.fresh_seconds:
            return Need.FETCH_BESIDE
        return Need.FETCH_FIRST

    def usable(self, now: float) -> bool:
        """Say whether the copy, fresh or stale, still counts."""
        return self.copy is not None and age_of(self.copy.at, now) <= self.copy.fresh_seconds + self.stale_seconds

    def stale(self, now: float) -> bool:
        """Say whether the copy is older than it is meant to be, since no newer one could be fetched."""
        return self.fault is not None and (self.copy is None or age_of(self.copy.at, now) >= self.copy.fresh_seconds)

    def tried(self, now: float) -> None:
        self.tried_at = now

    def arrived(self, value: T, *, etag: str | None, at: float, fresh_seconds: float, under: object = None) -> None:
        quiet_seconds = fresh_seconds - min(AHEAD_SECONDS, fresh_seconds / 5)
        self.copy = Copy(value, etag, under, at, fresh_seconds, at - RACE_SECONDS, at + quiet_seconds)
        self.fault = None

    def unchanged(self, *, at: float) -> None:
        """The issuer says that the copy is still what it publishes."""
        copy = self.copy
        if copy is not None:
            self.arrived(copy.value, etag=copy.etag, at=at, fresh_seconds=copy.fresh_seconds, under=copy.under)

    def failed(self, fault: str) -> None:
        self.fault = fault

    def _may_try(self, now: float) -> bool:
        return self.fault is None or age_of(self.tried_at, now) >= RETRY_SECONDS


def age_of(moment: float | None, now: float) -> float:
    """Return the seconds since ``moment``; endless without one, or where the clock was set back: then nobody knows."""
    return max(now - moment, 0.0) if moment is not None and now >= moment - RACE_SECONDS else float("inf")
