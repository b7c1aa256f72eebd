"""What is wished for an endpoint, read strictly: over HTTP and at the command line alike."""

from __future__ import annotations

from collections.abc import Sequence

from guestpass.core import text
from guestpass.core.tokens.kinds import Environment
from guestpass.core.webhooks import destination, subscriptions
from guestpass.errors import ValidationFailed

DESCRIPTION_LENGTH_MAX = 255


class Wishes:
    """``local_allowed``: endpoints of the test environment may be on this machine."""

    def __init__(self, *, local_allowed: bool) -> None:
        self._local_allowed = local_allowed

    def url_of(self, url: str, environment: Environment) -> str:
        """Raises: ValidationFailed. Where its name leads is asked at each delivery, and not here."""
        try:
            destination.read(url, local_allowed=self._local_allowed and environment == "test")
        except ValueError as fault:
            raise ValidationFailed.of("url", str(fault)) from None
        return url


def events_of(choices: Sequence[str]) -> tuple[str, ...]:
    """Raises: ValidationFailed."""
    fault = subscriptions.fault_of_list(choices)
    if fault:
        raise ValidationFailed.of(f"events{fault[0]}", fault[1])
    return tuple(dict.fromkeys(choices))


def description_of(words: str) -> str:
    """Raises: ValidationFailed."""
    fault = text.fault_of_id(words, length_max=DESCRIPTION_LENGTH_MAX) if words else None
    if fault:
        raise ValidationFailed.of("description", fault)
    return words
