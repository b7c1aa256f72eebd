"""The seams that tests replace: time and randomness."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeAlias

_POOL_BYTES = 16_384

Clock: TypeAlias = Callable[[], float]  # Unix seconds
Entropy: TypeAlias = Callable[[int], bytes]  # that many random bytes

system_clock: Clock = time.time


class EntropyPool:
    """Random bytes of the kernel, fetched many at a time; each is given out once.

    A call to the kernel lets go of the interpreter's lock, and getting it back beside a busy writer costs more
    than the rest of a mint. Not for use across a fork; server processes are spawned.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._given = 0

    def __call__(self, count: int) -> bytes:
        end = self._given + count
        if end > len(self._bytes):
            self._bytes = os.urandom(max(_POOL_BYTES, count))
            self._given, end = 0, count
        given, self._given = self._bytes[self._given : end], end
        return given
