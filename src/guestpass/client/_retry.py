"""When to try again, and after how long. Pure: chance and clock are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestpass.client._outcome import Answer, Lost

if TYPE_CHECKING:
    from collections.abc import Callable

BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_MAX_SECONDS = 8.0
RETRY_AFTER_MAX_SECONDS = 10  # a longer wait is the caller's to plan; it is told in the error
MAX_RETRIES_MAX = 10

REQUEST_TIMEOUT, TOO_MANY_REQUESTS, SERVER_ERRORS = 408, 429, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a call is tried again.

    Attributes:
        max_retries: Tries after the first, 0 to 10.
        chance: Uniform in [0, 1); spreads the retries of many callers.
        now: Unix time in seconds; only for a Retry-After that is a date.
    """

    max_retries: int
    chance: Callable[[], float]
    now: Callable[[], float]

    def wait_before_next(self, outcome: Answer | Lost, *, tries: int) -> float | None:
        """Return the seconds to wait before the next try; None when this outcome is the last word.

        ``tries`` counts those made so far, 1 or more.
        """
        if tries > self.max_retries or not may_pass(outcome):
            return None
        backoff = min(BACKOFF_MAX_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** (tries - 1)) * (0.5 + self.chance() / 2)
        asked = retry_after_seconds(outcome, self.now()) if isinstance(outcome, Answer) else None
        if asked is None:
            return backoff
        if asked > RETRY_AFTER_MAX_SECONDS:
            return None
        # All who were refused in one second would return in one second: a little later each.
        return max(asked + BACKOFF_FIRST_SECONDS * self.chance(), backoff)


def may_pass(outcome: Answer | Lost) -> bool:
    """Whether the same request could fare better later."""
    if isinstance(outcome, Lost):
        return outcome.may_pass
    return outcome.status in {REQUEST_TIMEOUT, TOO_MANY_REQUESTS} or outcome.status >= SERVER_ERRORS


def retry_after_seconds(answer: Answer, now: float) -> int | None:
    """Return what Retry-After asks for, in whole seconds; None when absent or unreadable. RFC 9110 section 10.2.3."""
    text = answer.header("retry-after").strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= len("31536000") else None
    due = unix_time(text)
    if due is None:
        return None
    # The answer's own Date, where there is one: the two clocks may differ.
    sent = unix_time(answer.header("date"))
    return max(0, round(due - (now if sent is None else sent)))


def unix_time(http_date: str) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  only a proxy sends dates; it costs 10 ms

    try:
        return parsedate_to_datetime(http_date).timestamp()
    except (ValueError, OverflowError):
        return None
