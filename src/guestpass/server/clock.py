"""The seams that tests replace: time and randomness."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]  # Unix seconds
Entropy: TypeAlias = Callable[[int], bytes]  # that many random bytes

system_clock: Clock = time.time
system_entropy: Entropy = os.urandom
