"""Secrets as text: 256 random bits in 43 base-62 characters, and a checksum that catches typing errors.

The checksum proves nothing about who wrote the text; it saves a look-up for one that was cut or mistyped.
"""

from __future__ import annotations

import re
import zlib

ENTROPY_BYTES = 32
SECRET_CHARACTERS = 43  # 62**43 > 2**256
CHECKSUM_CHARACTERS = 6  # 62**6 > 2**32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Eight digits at once: what a processor divides in one step, and few divisions of a long number.
_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]
_PAIR = 62**2
_GROUP_CHARACTERS = 8
_GROUP = 62**_GROUP_CHARACTERS
_TEXT = re.compile(r"[0-9A-Za-z_]+")


def encode(entropy: bytes) -> str:
    """Return the 43 characters of 32 bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a secret is made of {ENTROPY_BYTES} bytes")
    return base_62(int.from_bytes(entropy, "big"), SECRET_CHARACTERS)


def with_checksum(text: str) -> str:
    return text + _checksum(text)


def checksum_holds(text: str) -> bool:
    """Say whether ``text`` ends with the checksum of what stands before it."""
    if not _TEXT.fullmatch(text):
        return False
    return _checksum(text[:-CHECKSUM_CHARACTERS]) == text[-CHECKSUM_CHARACTERS:]


def _checksum(text: str) -> str:
    return base_62(zlib.crc32(text.encode()), CHECKSUM_CHARACTERS)


def base_62(number: int, characters: int) -> str:
    """Write a number in so many characters, the highest first; more digits than that are lost."""
    groups = []
    for _ in range(0, characters, _GROUP_CHARACTERS):
        number, group = divmod(number, _GROUP)
        upper, lower = divmod(group, _PAIR * _PAIR)
        groups.append(f"{_PAIRS[upper // _PAIR]}{_PAIRS[upper % _PAIR]}{_PAIRS[lower // _PAIR]}{_PAIRS[lower % _PAIR]}")
    return "".join(reversed(groups))[-characters:]


def number_of(text: str) -> int:
    """Return the number that ``base_62`` wrote. Raises: ValueError for another character."""
    number = 0
    for character in text:
        number = number * 62 + _DIGITS.index(character)
    return number
