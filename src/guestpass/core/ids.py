"""Ids: a word, an underscore, and 128 bits in 26 Crockford base-32 characters.

Session, key and request ids are UUIDv7 (RFC 9562 section 5.7): their first 48 bits are Unix
milliseconds, so ids sort by time as bytes and as text. Time and entropy are passed in.
"""

from __future__ import annotations

from functools import lru_cache

ENTROPY_BYTES = 10
ENCODED_MAX = 8192  # entries of some 200 bytes
ID_BYTES = 16
ID_CHARACTERS = 26
AFTER_ALL = b"\xff" * ID_BYTES  # an upper edge for ranges of ids

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_TO_PYTHON_BASE_32 = str.maketrans(_ALPHABET + "ilou", "0123456789abcdefghijklmnopqrstuv" + "!!!!")
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_BITS = ~((0xF << 76) | (0b11 << 62)) & ((1 << 80) - 1)


def time_ordered(unix_ms: int, entropy: bytes) -> bytes:
    """Return 16 bytes that sort by ``unix_ms``; ``entropy`` is 10 random bytes (74 bits of them are used)."""
    random = int.from_bytes(entropy, "big") & _RANDOM_BITS
    return (unix_ms << 80 | random | _VERSION_7 | _VARIANT).to_bytes(ID_BYTES, "big")


def unix_ms_of(id_bytes: bytes) -> int:
    """Return the milliseconds that a time-ordered id carries."""
    return int.from_bytes(id_bytes[:6], "big")


def first_of(unix_ms: int) -> bytes:
    """Return the smallest 16 bytes of that millisecond: the lower edge for a range of ids."""
    return unix_ms.to_bytes(6, "big") + bytes(10)


def encode(word: str, id_bytes: bytes) -> str:
    """Return the public text of an id, like ``sess_01jd…``."""
    n = int.from_bytes(id_bytes, "big")
    pairs = _PAIRS
    return (
        f"{word}_{pairs[n >> 120]}{pairs[n >> 110 & 1023]}{pairs[n >> 100 & 1023]}{pairs[n >> 90 & 1023]}"
        f"{pairs[n >> 80 & 1023]}{pairs[n >> 70 & 1023]}{pairs[n >> 60 & 1023]}{pairs[n >> 50 & 1023]}"
        f"{pairs[n >> 40 & 1023]}{pairs[n >> 30 & 1023]}{pairs[n >> 20 & 1023]}{pairs[n >> 10 & 1023]}{pairs[n & 1023]}"
    )


# The ids that are shown again and again: a key's, a customer's, those of sessions in use.
encode_again = lru_cache(maxsize=ENCODED_MAX)(encode)


def decode(word: str, text: str) -> bytes | None:
    """Return the 16 bytes behind ``text``, or None where it is not an id of that word.

    One text per id: upper case, the look-alikes i l o u, and a 27th bit are refused.
    """
    body = text[len(word) + 1 :]
    if len(body) != ID_CHARACTERS or not text.startswith(word + "_") or not text.isascii():
        return None
    digits = body.translate(_TO_PYTHON_BASE_32)
    if not digits.isalnum() or (not body.islower() and not body.isdigit()) or body[0] > "7":
        return None
    return int(digits, 32).to_bytes(ID_BYTES, "big")
