"""A clock for tests."""

from __future__ import annotations

START = 1_893_456_000.0  # 2030-01-01T00:00:00Z


class FakeClock:
    """Unix seconds, moved by hand."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, *, seconds: float) -> None:
        """Move on; a negative number sets the clock back."""
        self.now += seconds
