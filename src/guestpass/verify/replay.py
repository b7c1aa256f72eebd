"""Replay guards: they accept a token as often as it may be used, and no more often.

A guard refuses what it cannot know: a token that was issued before the guard began to count, since it may have been
used by then, and one whose count the guard may have dropped already. So neither a restart, nor an emptied store, nor
a clock that was set back gives a used token a second life. Memory is bounded: a count dies with its token.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from guestpass.errors import Unavailable

ENTRIES_MAX = 1_000_000
_SWEEP_FIRST = 1024  # entries


class Use(NamedTuple):
    """One use of one token.

    Attributes:
        key: Names the token; 64 hexadecimal characters.
        uses: How often it may be used, 1 or more.
        issued_at, expires_at: Unix seconds; the verifier's leeway is in the latter.
        now: Unix seconds.
    """

    key: str
    uses: int
    issued_at: int
    expires_at: int
    now: int


class ReplayGuard(Protocol):
    """What a Verifier asks before it accepts a token with ``max_uses``; safe over threads."""

    def use(self, use: Use) -> bool:
        """Count one use, durably, and say whether it was among those allowed.

        Raises: Unavailable where that cannot be known; the token is then not accepted.
        """
        ...


class MemoryReplayGuard:
    """Counts in this process alone. A restart refuses tokens issued before it: their browsers fetch new ones.

    Args:
        entries_max: Living tokens at once, some 200 bytes each; beyond it nothing is accepted.
        clock: Unix seconds; when the guard began.
    """

    def __init__(self, *, entries_max: int = ENTRIES_MAX, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._used: dict[str, tuple[int, int]] = {}  # key: uses, expires_at
        self._since = int(clock())
        self._dropped_up_to = 0
        self._entries_max = entries_max
        self._sweep_at = _SWEEP_FIRST
        self._first_end = 0  # before it a sweep would drop nothing

    def use(self, use: Use) -> bool:
        """Count one use. Raises: Unavailable while ``entries_max`` tokens are alive."""
        with self._lock:
            if use.issued_at < self._since or use.expires_at <= self._dropped_up_to:
                return False
            used, expires_at = self._used.get(use.key, (0, use.expires_at))
            if used >= use.uses:
                return False
            if not used:
                self._make_room(use.now)
            self._used[use.key] = used + 1, expires_at
            return True

    def _make_room(self, now: int) -> None:
        """Drop what has ended, so seldom that a use costs the same however many there are."""
        if len(self._used) < min(self._sweep_at, self._entries_max):
            return
        if now >= self._first_end:
            dead = [(key, expires_at) for key, (_, expires_at) in self._used.items() if expires_at <= now]
            for key, expires_at in dead:
                del self._used[key]
                self._dropped_up_to = max(self._dropped_up_to, expires_at)
            self._first_end = min((expires_at for _, expires_at in self._used.values()), default=0)
            self._sweep_at = max(_SWEEP_FIRST, 2 * len(self._used))
        if len(self._used) >= self._entries_max:
            raise Unavailable("The replay guard is full of living tokens.", retry_after_seconds=5)

    def __len__(self) -> int:
        return len(self._used)
