"""Do two sets of times differ? Welch's t-test, as in tests for leaks: |t| over 4.5 says that they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

T_MAX = 4.5
KEPT = 0.9  # of the times; the slowest are the machine's, and hide the rest


def t_of(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Welch's t of two samples, positive where ``one`` is slower."""
    spread = math.sqrt(variance(one) / len(one) + variance(other) / len(other))
    return (fmean(one) - fmean(other)) / spread if spread else 0.0


def cropped(samples: dict[str, list[int]]) -> dict[str, list[int]]:
    """Leave out of each set what is above one common bound, under which 90 % of all times are."""
    together = sorted(time for times in samples.values() for time in times)
    bound = together[int(len(together) * KEPT)]
    return {name: [time for time in times if time < bound] for name, times in samples.items()}
