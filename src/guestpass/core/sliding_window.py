"""How many in a minute, whenever the minute begins: two counters, of this minute and of the one before.

The minute before counts as much as is left of it within the last 60 s. A log of every request would be exact, and cost
memory for each of them; one counter alone lets twice the limit pass around the full minute.
"""

from __future__ import annotations

PERIOD_SECONDS = 60


def seconds_to_wait(before: int, current: int, *, limit: int, elapsed: float) -> int:
    """Return 0 where there is room for one more, else whole seconds after which there is.

    Args:
        before: Counted in the minute before.
        current: Counted in this minute.
        limit: At least 1.
        elapsed: Seconds of this minute that have passed, from 0 to below ``PERIOD_SECONDS``.
    """
    room = limit - 1 - current
    left = PERIOD_SECONDS - elapsed
    if before * left <= room * PERIOD_SECONDS:
        return 0
    if room >= 0:  # as soon as enough of the minute before lies back
        return int(left - PERIOD_SECONDS * room / before) + 1
    return int(left + PERIOD_SECONDS - PERIOD_SECONDS * (limit - 1) / current) + 1  # this minute is then the one before
