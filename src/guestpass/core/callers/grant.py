"""What an API key may do, and what of that it may hand on: nobody gives a key more than he has himself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from guestpass.core.callers import ip_ranges
from guestpass.core.callers.api_key import ALL_CAN, Can
from guestpass.core.callers.ip_ranges import IpRanges
from guestpass.core.tokens import operations


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a key may do. Without arguments: everything, from anywhere, for good.

    Args:
        can: What it may call.
        ceiling: A scope, the most that tokens it mints may do.
        ip_ranges: Where it may be used from; None: anywhere.
        expires_at: Unix seconds, from which on it works no more; None: never.
    """

    can: frozenset[Can] = frozenset(ALL_CAN)
    ceiling: str = operations.UNRESTRICTED
    ip_ranges: IpRanges | None = None
    expires_at: int | None = None


EVERYTHING = Grant()


class Beyond(NamedTuple):
    """A part of a grant that is more than another has: the field as the API names it, and the rule."""

    field: Literal["can", "operations", "ipRanges", "expiresAt"]
    rule: str


def beyond(gift: Grant, own: Grant) -> Beyond | None:
    """Say what of ``gift`` goes beyond ``own``, or return None.

    Held against a key that is made, and against one that is rotated or edited: before the change, since whoever gets
    its secret can do all that it can, and after it.
    """
    if not gift.can <= own.can:
        return Beyond("can", f"holds more than yours: {', '.join(sorted(gift.can - own.can))}")
    if operations.within(gift.ceiling, own.ceiling) != gift.ceiling:
        return Beyond("operations", "go beyond those that your API key may grant")
    if not ip_ranges.lie_within(gift.ip_ranges, own.ip_ranges):
        return Beyond("ipRanges", "reach beyond those of your API key")
    if own.expires_at is not None and (gift.expires_at is None or gift.expires_at > own.expires_at):
        return Beyond("expiresAt", "is later than the end of your API key")
    return None
