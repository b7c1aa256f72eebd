"""Entries in status lists: each token's place, drawn at random from a list that this process leased whole.

No two processes share a list, so many mint without a hot counter; within a list the order is random, so a
place says nothing about when a token was made (Token Status List, section 13.2).
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

from guestpass.core.bounds import LEEWAY_SECONDS_MAX, LIFE_SECONDS_MAX

LIST_ENTRIES = 65_536
LEASE_SECONDS = 86_400  # in which places are drawn; then the list goes on only until its last token has ended
LIST_SECONDS = LEASE_SECONDS + LIFE_SECONDS_MAX + LEEWAY_SECONDS_MAX
_DRAW_BYTES = 4  # 2^32 over 2^16: the bias of a modulo is below 2^-16


class Entry(NamedTuple):
    """A token's place: the number of the list, and the place in it."""

    number: int
    place: int


class LeasedList:
    """The entries of one list that are still free; drawn without repetition (Fisher and Yates)."""

    __slots__ = ("_free", "_leased_at", "_number")

    draw_bytes = _DRAW_BYTES

    def __init__(self, number: int, leased_at: int) -> None:
        self._number = number
        self._leased_at = leased_at
        self._free = array("H", range(LIST_ENTRIES))

    def draw(self, entropy: bytes, *, now: int) -> Entry | None:
        """Return a free entry chosen by 4 bytes of ``entropy``, or None when the list is used up, or too old."""
        free = self._free
        if not free or not 0 <= now - self._leased_at < LEASE_SECONDS:
            return None
        place = int.from_bytes(entropy, "big") % len(free)
        index = free[place]
        free[place] = free[-1]
        free.pop()
        return Entry(self._number, index)
