"""What is wished for a key, read strictly: over HTTP and at the command line alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from guestpass.core import text, times
from guestpass.core.callers import ip_ranges
from guestpass.core.callers.api_key import ALL_CAN, Can
from guestpass.core.callers.ip_ranges import IpRanges
from guestpass.core.tokens import operations
from guestpass.errors import ValidationFailed


def name_of(name: str) -> str:
    """Return a name as it is. Raises: ValidationFailed."""
    fault = text.fault_of_id(name)
    if fault:
        raise ValidationFailed.of("name", fault)
    return name


def can_of(words: Iterable[str]) -> frozenset[Can]:
    """Raises: ValidationFailed."""
    wanted = set(words)
    unknown = wanted.difference(ALL_CAN)
    if unknown:
        raise ValidationFailed.of("can", f"knows {', '.join(ALL_CAN)}; not {', '.join(sorted(unknown))}")
    return frozenset(word for word in ALL_CAN if word in wanted)


def ceiling_of(names: Sequence[str]) -> str:
    """Return the scope of a list of operations. Raises: ValidationFailed."""
    fault = operations.fault_of_list(names)
    if fault:
        raise ValidationFailed.of(f"operations{fault[0]}", fault[1])
    return operations.scope_of(names)


def ip_ranges_of(networks: Sequence[str] | None) -> IpRanges | None:
    """Raises: ValidationFailed."""
    if networks is None:
        return None
    fault = ip_ranges.fault_of_list(networks)
    if fault:
        raise ValidationFailed.of(f"ipRanges{fault[0]}", fault[1])
    return ip_ranges.read(networks)


def expires_at_of(moment: str | None, now: float) -> int | None:
    """Return Unix seconds of RFC 3339; a part of a second is cut off. Raises: ValidationFailed."""
    if moment is None:
        return None
    try:
        seconds = math.floor(times.parse(moment))
    except ValueError as fault:
        raise ValidationFailed.of("expiresAt", str(fault)) from None
    if seconds <= now:
        raise ValidationFailed.of(
            "expiresAt", f"must be in the future; the server's clock says {times.of_seconds(int(now))}"
        )
    return seconds
