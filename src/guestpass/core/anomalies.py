"""What is odd about a refresh, from what is kept of those before it. Each is told with what it was seen by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from guestpass.core import times
from guestpass.core.recent_refreshes import Refresh, last, reaches, read

Kind: TypeAlias = Literal["reuse", "rate", "origin", "pause"]

RATE_MAX = 10  # refreshes in RATE_MS that are not odd yet
RATE_MS = 60_000
PAUSE_MS = 72 * 3_600_000


class Anomaly(NamedTuple):
    """``evidence``: in JSON's types, by names of the API."""

    kind: Kind
    evidence: Mapping[str, object]


def anomalies_of(recent: bytes, refresh: Refresh, *, last_ms: int) -> list[Anomaly]:
    """Return what is odd about ``refresh``, by those before it that are kept.

    ``last_ms``: when the token that was shown was made: by the refresh before, or by the login.
    """
    found = (_rate(recent, refresh), _origin(last(recent), refresh), _pause(refresh, last_ms))
    return [anomaly for anomaly in found if anomaly is not None]


def _rate(recent: bytes, refresh: Refresh) -> Anomaly | None:
    """One in a row of too many: the first that is over. Tabs that get the same successor do not count."""
    since = refresh.at_ms - RATE_MS
    if not refresh.rotated or not reaches(recent, RATE_MAX, since) or reaches(recent, RATE_MAX + 1, since):
        return None  # too few; or so many that it was told before
    counted = [one.at_ms for one in read(recent) if one.rotated and one.at_ms > since]
    if len(counted) != RATE_MAX:
        return None
    return Anomaly("rate", {"refreshes": RATE_MAX + 1, "since": times.of_milliseconds(counted[0])})


def _origin(before: Refresh | None, refresh: Refresh) -> Anomaly | None:
    """Another network and another agent at once. One of the two changes all the time, as phones move and browsers update."""
    if before is None:
        return None
    was, now = before.origin, refresh.origin
    if was.agent == now.agent or was.network == now.network or None in (was.network_text, now.network_text):
        return None
    return Anomaly(
        "origin",
        {
            "network": now.network_text,
            "agent": now.agent.hex(),
            "networkBefore": was.network_text,
            "agentBefore": was.agent.hex(),
            "refreshedBefore": times.of_milliseconds(before.at_ms),
        },
    )


def _pause(refresh: Refresh, last_ms: int) -> Anomaly | None:
    if not refresh.rotated or refresh.at_ms - last_ms < PAUSE_MS:
        return None
    evidence = {"refreshedBefore": times.of_milliseconds(last_ms), "hours": (refresh.at_ms - last_ms) // 3_600_000}
    return Anomaly("pause", evidence)
