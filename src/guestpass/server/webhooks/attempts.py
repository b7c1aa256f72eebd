"""What is handed to whoever posts a delivery, and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from guestpass.core.webhooks.destination import Destination

Error: TypeAlias = Literal[
    "timeout", "unknown_host", "refused_address", "connection_failed", "tls_failed", "bad_answer"
]
Headers: TypeAlias = Sequence[tuple[str, str]]


class Received(NamedTuple):
    """What a receiver answered: ``status`` and ``retry_after`` as they came, or ``error``, why nothing did."""

    status: int | None
    retry_after: str | None = None
    error: Error | None = None


Post: TypeAlias = Callable[[Destination, Headers, bytes], Awaitable[Received]]
