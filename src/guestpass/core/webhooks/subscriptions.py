"""Which events an endpoint gets: names, and families like ``api_key.*``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FAMILIES = ("session", "api_key", "signing_key", "customer")
SESSION_EVENTS = (
    "session.created",
    "session.revoked",
    "session.suspended",
    "session.reuse_detected",
    "session.anomaly",
)
EVENTS = (
    *SESSION_EVENTS,
    "api_key.created", "api_key.rotated", "api_key.updated", "api_key.revoked",
    "signing_key.created", "signing_key.activated", "signing_key.retired", "signing_key.revoked",
    "customer.blocked", "customer.unblocked", "customer.erased",
)  # fmt: skip
# Not session.created: a busy host mints thousands a second, and knows of each.
DEFAULT_EVENTS = (*SESSION_EVENTS[1:], *(f"{family}.*" for family in FAMILIES[1:]))
CHOICES_MAX = 32


def fault_of_list(choices: Sequence[str]) -> tuple[str, str] | None:
    """Return (path suffix, rule) of the first broken rule of a choice of events, or None."""
    allowed = [*EVENTS, *(f"{family}.*" for family in FAMILIES[1:])]
    if not choices:
        return "", "must hold at least one event"
    if len(choices) > CHOICES_MAX:
        return "", f"has {len(choices)} events; at most {CHOICES_MAX} are allowed"
    for position, choice in enumerate(choices):
        if choice not in allowed:
            return f"[{position}]", f"must be one of {', '.join(allowed)}"
    return None


def wants(choices: Iterable[str], event: str) -> bool:
    """Say whether an endpoint that made these choices gets ``event``."""
    family = f"{event.partition('.')[0]}.*"
    return any(choice in (event, family) for choice in choices)
