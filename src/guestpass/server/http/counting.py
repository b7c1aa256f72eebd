"""How often each subject (a client address, an API key) was counted in the last minute: in memory, bounded.

Written here and not taken from the library ``limits``: its memory storage costs 6 us a hit and a task for each, reads
its own clock, and grows with every address that an attacker has (see the ADR on limits).
"""

from __future__ import annotations

from guestpass.core.sliding_window import PERIOD_SECONDS, seconds_to_wait
from guestpass.server.clock import Clock

SUBJECTS_MAX = 20_000  # of one minute; some 2 MB


class Counter:
    """Counts of one kind. Where more subjects come than fit, those of the minute before are forgotten: limits fail open."""

    __slots__ = ("_before", "_began", "_clock", "_current", "_owed", "minute", "name")

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.minute = 0  # since 1970
        self._began = 0
        self._clock = clock
        self._current: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._owed: dict[str, int] = {}  # counted here, and not yet told to the other servers

    def seconds_to_wait(self, subject: str, limit: int) -> int:
        """Return 0 where there is room for one more within ``limit`` a minute, else whole seconds until there is."""
        elapsed = self._turn()
        current, before = self._current.get(subject, 0), self._before.get(subject, 0)
        return seconds_to_wait(before, current, limit=limit, elapsed=elapsed)

    def add(self, subject: str) -> int:
        """Count one, and return how many are owed to the other servers."""
        self._turn()
        self._set_current(subject, self._current.get(subject, 0) + 1)
        owed = self._owed[subject] = self._owed.get(subject, 0) + 1
        return owed

    def take_owed(self, subject: str) -> int:
        """Return what is owed, and owe it no more."""
        return self._owed.pop(subject, 0)

    def learn(self, minute: int, subject: str, *, current: int, before: int, has_room: bool) -> None:
        """Take over what all servers counted together; where that is less than is known here, someone forgot.

        ``has_room``: False takes back the one that was counted last, since the others have used up the limit.
        """
        if minute != self.minute:
            return
        own = self._current.get(subject, 0) - (not has_room)
        self._set_current(subject, max(current, own))
        if before and len(self._before) < SUBJECTS_MAX:
            self._before[subject] = max(before, self._before.get(subject, 0))

    def __len__(self) -> int:
        return len(self._current) + len(self._before)

    def _set_current(self, subject: str, count: int) -> None:
        if len(self._current) >= SUBJECTS_MAX and subject not in self._current:
            self._before, self._current, self._owed = self._current, {}, {}
        self._current[subject] = count

    def _turn(self) -> float:
        """Begin a new minute where one has begun; return the seconds that have passed of it."""
        now = self._clock()
        elapsed = now - self._began
        if not 0 <= elapsed < PERIOD_SECONDS:
            minute = int(now // PERIOD_SECONDS)
            self._before = self._current if minute == self.minute + 1 else {}
            self._current, self._owed = {}, {}
            self.minute, self._began = minute, minute * PERIOD_SECONDS
            elapsed = now - self._began
        return elapsed
