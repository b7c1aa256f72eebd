"""What becomes of a refresh token that was shown: decided from what the store holds, and nothing else. See ADR 0018."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from guestpass.core.bounds import GRACE_SECONDS_MAX
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens.refresh_token import GENERATION_LAST, RefreshToken
from guestpass.errors import (
    CustomerBlocked,
    GuestpassError,
    RefreshTokenExpired,
    RefreshTokenInvalid,
    RefreshTokenReused,
    RefreshTokenRevoked,
)

SALT_MS = 10_000  # in which all refreshes share one salt
SALT_BYTES = 32


class Held(NamedTuple):
    """What the store holds of a renewable session, read in the transaction that decides.

    Attributes:
        generation: Of the current token. ``token_hash``: its SHA-256.
        rotated_at_ms: When it took the place of the one before, by the store's clock.
        ends_at: Unix seconds: the earlier of the idle and the absolute end.
    """

    generation: int
    token_hash: bytes
    rotated_at_ms: int
    ends_at: int
    ending: Ending | None
    blocked: bool


@dataclass(frozen=True, slots=True)
class Rotate:
    """The current token was shown: it is used up, and has a successor of this generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The token before was shown once more: its answer was lost, or two asked at once. They get the same successor."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Refused. ``ends_session``: it may be stolen, so thief and owner are signed out alike (RFC 9700 section 4.14.2)."""

    error: type[GuestpassError]
    ends_session: bool = False


Decision: TypeAlias = Rotate | Replay | Deny


def decide_refresh(
    used: RefreshToken, held: Held, *, now_ms: int, grace_seconds: int, derives_current: bool | None
) -> Decision:
    """Decide about a token whose tag holds, so that it was ours.

    ``derives_current``: whether the successor that is derived from it is the current token; None where it cannot be derived any
    more, since the salt is gone.
    """
    behind = held.generation - used.generation
    if behind < 0 or derives_current is False or (behind == 0 and not hmac.compare_digest(used.hash, held.token_hash)):
        return Deny(RefreshTokenInvalid)  # a backup was put back, or the tag's key is out: nothing may end by that
    over = refusal_of(held, now_ms)
    if over is not None:
        return Deny(over)
    if behind == 0:
        return Rotate(held.generation + 1) if held.generation < GENERATION_LAST else Deny(RefreshTokenExpired)
    if behind == 1 and derives_current and now_ms - held.rotated_at_ms < grace_seconds * 1000:
        return Replay()
    return Deny(RefreshTokenReused, ends_session=True)


def refusal_of(held: Held, now_ms: int) -> type[GuestpassError] | None:
    """Say why nobody gets a token of a session any more, whatever he shows; None while it lives."""
    if held.blocked:
        return CustomerBlocked
    if held.ending is not None:
        return RefreshTokenRevoked
    return RefreshTokenExpired if now_ms >= held.ends_at * 1000 else None


def salt_number(now_ms: int, grace_seconds: int) -> int:
    """Name the salt of refreshes now: one for each ten seconds and each length of the grace."""
    return now_ms // SALT_MS * (GRACE_SECONDS_MAX + 1) + grace_seconds


def salt_ends_at_ms(now_ms: int, grace_seconds: int) -> int:
    """Return when that salt must be gone: when the grace of the last that could share it is over."""
    return (now_ms // SALT_MS + 1) * SALT_MS + grace_seconds * 1000
