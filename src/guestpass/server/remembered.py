"""What the store said a moment ago. Servers tell each other nothing: each asks again (ADR 0014)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from guestpass.server.clock import Clock

REMEMBERED_MAX = 10_000  # entries; beyond it everything is forgotten, and asked for once more

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """Answers of ``ask`` by key, each for ``seconds`` from when it was asked for: that late may another's change be seen.

    An answer that equals the one before is the same object; None is asked for each time.
    """

    def __init__(
        self, ask: Callable[[Key], Awaitable[Value | None]], clock: Clock, seconds: float, *, most: int = REMEMBERED_MAX
    ) -> None:
        self._most = most
        self._ask = ask
        self._clock = clock
        self._seconds = seconds
        self._values: dict[Key, tuple[Value, float]] = {}
        self._forgotten = 0

    def young(self, key: Key) -> Value | None:
        """Return what is remembered and young enough, or None. A clock that was stepped back makes nothing young."""
        known = self._values.get(key)
        return known[0] if known is not None and 0 <= self._clock() - known[1] < self._seconds else None

    async def get(self, key: Key) -> Value | None:
        """Raises: whatever ``ask`` raises; what is too old is never an answer."""
        young = self.young(key)
        if young is not None:
            return young
        asked_at, forgotten = self._clock(), self._forgotten
        value = await self._ask(key)
        known = self._values.pop(key, None)
        if value is not None and forgotten == self._forgotten:  # else it may be older than what was forgotten for
            if known is not None and known[0] == value:
                value = known[0]
            if len(self._values) >= self._most:
                self._values.clear()
            self._values[key] = (value, asked_at)
        return value

    def forget(self) -> None:
        """Forget everything, since this server has changed some of it."""
        self._values.clear()
        self._forgotten += 1
