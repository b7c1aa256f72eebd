"""When a delivery is tried again, and when an endpoint is given up: the schedule of Standard Webhooks, with jitter."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

# Before the second, the third, … attempt. Some three days in all, so that a weekend loses nothing.
PAUSES_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
ATTEMPTS_MAX = len(PAUSES_SECONDS) + 1
JITTER = 0.2  # of a pause is added at most, so that what failed together is not tried together
RETRY_AFTER_SECONDS_MAX = 86_400
DISABLED_AFTER_MS = 5 * 86_400_000  # without one success in between
GONE = 410

_OK = range(200, 300)
_SECONDS = re.compile(r"[0-9]{1,9}")


Why: TypeAlias = Literal["gone", "failing"]


Verdict: TypeAlias = Literal["delivered", "retried", "failed"]


class Outcome(NamedTuple):
    """What comes of an attempt. ``pause_ms``: before the next one; ``disables``: the endpoint gets nothing any more."""

    verdict: Verdict
    pause_ms: int = 0
    disables: Why | None = None


def judge(status: int | None, retry_after: str | None, *, attempts: int, failing_ms: int, chance: float) -> Outcome:
    """Decide what comes of an attempt.

    Args:
        status: The HTTP status that was answered; None: none was. Only 2xx is a success; a redirect is none.
        retry_after: The header, where it was sent. Seconds count, up to a day, and only ever make the pause longer;
            a date is not read, since the clocks may differ.
        attempts: How many there were, this one included.
        failing_ms: For how long the endpoint has answered no attempt with success.
        chance: From 0 up to 1, for the jitter.
    """
    if status in _OK:
        return Outcome("delivered")
    if status == GONE:
        return Outcome("failed", disables="gone")
    disables: Why | None = "failing" if failing_ms >= DISABLED_AFTER_MS else None
    if attempts >= ATTEMPTS_MAX:
        return Outcome("failed", disables=disables)
    pause = PAUSES_SECONDS[max(attempts, 1) - 1] * (1 + JITTER * chance)
    asked = int(retry_after) if retry_after and _SECONDS.fullmatch(retry_after) else 0
    return Outcome("retried", int(max(pause, min(asked, RETRY_AFTER_SECONDS_MAX)) * 1000), disables)
