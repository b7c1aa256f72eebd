"""Token Status Lists: one small number for each token, packed, compressed and signed (IETF draft, sections 4 and 5).

Ours are two bits wide. What others publish may be 1, 2, 4 or 8 bits wide.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import SigningKey
from guestpass.core.revocation import published
from guestpass.core.revocation.published import Published, PublishedRefused
from guestpass.core.strict_struct import StrictCodec
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import STATUS_LIST

VALID = 0
INVALID = 1
SUSPENDED = 2
INVALID_REISSUE = 3  # ended by a revoke with ``reissue``; the draft leaves 3 to the application

BITS: Final = 2
WIDTHS = (1, 2, 4, 8)
PACKED_BYTES_MAX = 128 * 1024  # 2^19 tokens of two bits; a list of ours has 2^16
SEALED_CHARACTERS_MAX = 256 * 1024  # of such a list that does not compress at all, twice base64

_DEFLATE_OVERHEAD_BYTES = 1024  # of PACKED_BYTES_MAX that do not compress: 5 bytes each 16 KiB, and the frame
_LOW_BITS = 0x55  # of each of four statuses in one byte


def pack(statuses: Iterable[int], bits: int = BITS) -> bytearray:
    """Lay statuses beside each other, the first in the least significant bits of the first byte (section 4.1)."""
    listed = list(statuses)
    packed = bytearray((len(listed) * bits + 7) // 8)
    for index, status in enumerate(listed):
        put(packed, index, status, bits)
    return packed


def put(packed: bytearray, index: int, status: int, bits: int = BITS) -> None:
    """Set one status. Raises: IndexError, ValueError for a status that does not fit."""
    if status >> bits:
        raise ValueError(f"status {status} does not fit into {bits} bits")
    byte, shift = divmod(index * bits, 8)
    packed[byte] = packed[byte] & ~(((1 << bits) - 1) << shift) | status << shift


def get(packed: bytes | bytearray, index: int, bits: int = BITS) -> int:
    """Return one status. Raises: IndexError beyond the end of the list."""
    byte, shift = divmod(index * bits, 8)
    return packed[byte] >> shift & ((1 << bits) - 1)


def compress(packed: bytes | bytearray) -> str:
    """Return a packed list as the member ``lst`` carries it: ZLIB (RFC 1950) in base64url."""
    return base64url.encode(zlib.compress(packed, 9))


def decompress(lst: str, *, packed_bytes_max: int = PACKED_BYTES_MAX) -> bytes:
    """Return the packed list behind ``lst``. Never more than the bound is made, however much was compressed.

    Raises: PublishedRefused for a list that is longer, cut, or followed by anything.
    """
    if len(lst) > (packed_bytes_max + _DEFLATE_OVERHEAD_BYTES) * 4 // 3:
        raise PublishedRefused("the list is too long")
    inflating = zlib.decompressobj()
    try:
        packed = inflating.decompress(base64url.decode(lst), packed_bytes_max)
        # The last call may have stopped before the checksum, or before more: one byte tells which.
        rest = b"" if inflating.eof else inflating.decompress(inflating.unconsumed_tail, 1)
    except (ValueError, zlib.error):
        raise PublishedRefused("the list is not ZLIB in base64url") from None
    if rest:
        raise PublishedRefused(f"the list holds more than {packed_bytes_max} bytes")
    if not inflating.eof or inflating.unused_data:
        raise PublishedRefused("the list was cut, or something follows it")
    return packed


class StatusListBody(Struct, frozen=True, kw_only=True):
    bits: Literal[1, 2, 4, 8]
    lst: str


class StatusListClaims(Published, frozen=True, kw_only=True):
    """The payload of a Status List Token (section 5.1)."""

    status_list: StatusListBody


_codec = StrictCodec(StatusListClaims)


class StatusList(Struct, frozen=True, kw_only=True):
    """A list as a verifier keeps it: a byte for four tokens, and a few words."""

    iat: int
    exp: int
    ttl: int
    bits: int
    packed: bytes

    def status_of(self, index: int) -> int:
        """Return VALID, INVALID, SUSPENDED or INVALID_REISSUE. Raises: IndexError beyond the end.

        A status of a wider list that we do not know is invalid.
        """
        status = get(self.packed, index, self.bits)
        return status if status <= INVALID_REISSUE else INVALID


def publish(packed: bytes | bytearray, *, uri: str, iat: int, exp: int, ttl: int, key: SigningKey) -> str:
    """Return the Status List Token of a list of two bits, signed."""
    body = StatusListBody(bits=BITS, lst=compress(packed))
    claims = StatusListClaims(sub=uri, iat=iat, exp=exp, ttl=ttl, status_list=body)
    return published.seal(_codec.encode(claims), STATUS_LIST, key)


def read(text: str, keys: KeySet, *, uri: str, now: int) -> StatusList:
    """Open a Status List Token that was fetched for ``uri``.

    Raises: PublishedRefused (PublishedKeyUnknown) for one that was tampered with, is over, belongs to another
        address, or is larger than it may be.
    """
    payload = published.open_sealed(text, STATUS_LIST, keys, length_max=SEALED_CHARACTERS_MAX)
    try:
        claims = _codec.decode(payload)
    except ValueError:
        raise PublishedRefused("a claim is missing, or not of its type") from None
    published.check_place_and_time(claims, uri=uri, now=now)
    body = claims.status_list
    return StatusList(iat=claims.iat, exp=claims.exp, ttl=claims.ttl, bits=body.bits, packed=decompress(body.lst))


def merged(known: StatusList, fetched: StatusList) -> StatusList:
    """Return ``fetched`` with every ending that ``known`` holds.

    An index is never used twice, so an ending is final: a list that comes late or from a cache revives nobody.
    Of two endings of one token the one without ``reissue`` wins. A suspension is that of the younger list.
    """
    if fetched.bits != BITS or known.bits != BITS or len(known.packed) != len(fetched.packed):
        return fetched
    size = len(fetched.packed)
    every_low = int.from_bytes(bytes((_LOW_BITS,)) * size, "little")
    old, new = int.from_bytes(known.packed, "little"), int.from_bytes(fetched.packed, "little")
    ended = (old | new) & every_low  # the low bit alone tells an ending: 1 and 3 have it, 0 and 2 do not
    not_final = (~old | old >> 1) & (~new | new >> 1) & ended  # each that ended it says reissue
    younger = new if fetched.iat >= known.iat else old
    suspended = younger >> 1 & every_low & ~ended
    packed = (ended | (not_final | suspended) << 1).to_bytes(size, "little")
    return StatusList(iat=max(known.iat, fetched.iat), exp=fetched.exp, ttl=fetched.ttl, bits=BITS, packed=packed)
