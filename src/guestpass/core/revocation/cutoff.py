"""When a session has ended: by its own revocation, or by a cut that covers it.

A cut is one cheap write that ends any number of sessions: every session of its subject whose id carries
milliseconds below ``before_ms``. The second of ``iat`` is never compared: two mints in one second must differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

CutKind = Literal["all", "user", "organization", "api_key"]
Status = Literal["scheduled", "active", "expired", "revoked", "suspended"]


class Ending(NamedTuple):
    """How a session was ended before its time. ``reissue``: its browser is asked to fetch a new token."""

    at_ms: int
    by: str
    reissue: bool


class Cut(NamedTuple):
    before_ms: int
    ending: Ending


def ending_of(minted_ms: int, own: Ending | None, cuts: Iterable[Cut]) -> Ending | None:
    """Return how a session minted at ``minted_ms`` was ended, or None while it lives.

    The earliest ending dates it. Of several, one without ``reissue`` wins: a user who was thrown out
    for good is not invited back by another, kinder revoke.
    """
    endings = [cut.ending for cut in cuts if minted_ms < cut.before_ms]
    if own is not None:
        endings.append(own)
    if not endings:
        return None
    first = min(endings)
    return first._replace(reissue=all(ending.reissue for ending in endings))


def cut_before(*, store_clock_ms: int, highest_committed_ms: int) -> int:
    """Return the first millisecond that a cut made now leaves alive: above every id that was committed."""
    return max(store_clock_ms, highest_committed_ms) + 1


def status_of(
    *, ended: bool, suspended: bool, not_before: int | None, expires_at: int, now: int, used_up: bool = False
) -> Status:
    """Name a session's status; revoked before expired before suspended before scheduled."""
    if ended:
        return "revoked"
    if used_up or now >= expires_at:
        return "expired"
    if suspended:
        return "suspended"
    if not_before is not None and now < not_before:
        return "scheduled"
    return "active"
