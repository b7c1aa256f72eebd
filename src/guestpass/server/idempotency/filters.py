"""Which generations of the index may hold a hash. Says yes for less than one in a hundred that they do not hold.

A filter spares look-ups, and decides nothing: where there is none, the index is asked. Each hash sets four bits of
one word (a Bloom filter of blocks), so a look is one step, and a million hashes take 2 MB.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from guestpass.server.idempotency.model import GENERATION_BITS

_WORD_BITS = 64
_WORDS_BITS = GENERATION_BITS - 2  # four hashes a word
_BITS_SET = 4


class Place(NamedTuple):
    """Where a hash leaves its mark: the same in every filter."""

    word: int
    mask: int


def place_of(hashed: bytes) -> Place:
    number = int.from_bytes(hashed[:8], "little")
    word = number & ((1 << _WORDS_BITS) - 1)
    number >>= _WORDS_BITS
    mask = 0
    for _ in range(_BITS_SET):
        mask |= 1 << (number & (_WORD_BITS - 1))
        number >>= 6
    return Place(word, mask)


class Filter:
    """Remembers the hashes of one generation."""

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words = array("Q", bytes(8 << _WORDS_BITS))

    def add(self, hashes: Iterable[bytes]) -> None:
        words = self._words
        for hashed in hashes:
            word, mask = place_of(hashed)
            words[word] |= mask

    def may_hold(self, place: Place) -> bool:
        return self._words[place.word] & place.mask == place.mask
