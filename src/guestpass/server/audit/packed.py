"""Ids packed one behind the other, in order: what a batch keeps of its leaves, searched as it lies."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from guestpass.core.ids import ID_BYTES


class PackedIds:
    """A sorted run of ids, 16 bytes each."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed) // ID_BYTES

    def __getitem__(self, place: int) -> bytes:
        return self._packed[place * ID_BYTES : (place + 1) * ID_BYTES]

    def from_(self, low: bytes) -> list[bytes]:
        """Return those from ``low`` on."""
        return [self[place] for place in range(self._place(low), len(self))]

    def count(self, low: bytes, high: bytes) -> int:
        """Return how many lie from ``low`` to below ``high``."""
        return self._place(high) - self._place(low)

    def find(self, found: bytes) -> int | None:
        """Return where an id stands, or None."""
        place = self._place(found)
        return place if place < len(self) and self[place] == found else None

    def _place(self, low: bytes) -> int:
        return bisect_left(range(len(self)), low, key=self.__getitem__)


def split(packed: bytes, size: int) -> list[bytes]:
    """Take apart what was packed in pieces of ``size`` bytes."""
    return [packed[start : start + size] for start in range(0, len(packed), size)]


class SealedIds:
    """All ids of a source from some edge on that batches hold: sorted runs that overlap."""

    def __init__(self, runs: Iterable[bytes]) -> None:
        self._runs: Sequence[PackedIds] = [PackedIds(run) for run in runs]

    def count(self, low: bytes, high: bytes) -> int:
        return sum(run.count(low, high) for run in self._runs)

    def from_(self, low: bytes) -> set[bytes]:
        return {found for run in self._runs for found in run.from_(low)}
