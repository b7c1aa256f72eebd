"""Where the last refreshes of a session came from: a few, of one length each, so that a session's row does not grow.

A refresh is kept with its time, its client's network without the part that names a machine, and a hash of its user agent.
"""

from __future__ import annotations

import hashlib
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from guestpass.core.callers.client_address import NETWORK_BITS, IpAddress

RECENT_MAX = 11  # one more than may be made in the time that is watched
_IPV4 = 4
_AGENT_BYTES = 6
_NETWORK_BYTES = 7  # the version of the protocol, and the first bytes of the address
_TIME_BYTES = 8
_RECORD = struct.Struct(f">Q?{_NETWORK_BYTES}s{_AGENT_BYTES}s")


class Origin(NamedTuple):
    """Where a refresh came from, as it is kept: both of a fixed length."""

    network: bytes
    agent: bytes

    @classmethod
    def of(cls, address: IpAddress | None, agent: str | None) -> Origin:
        network = b""
        if address is not None:
            network = bytes([address.version]) + address.packed[: NETWORK_BITS[address.version] // 8]
        digest = hashlib.blake2b((agent or "").encode(errors="replace"), digest_size=_AGENT_BYTES).digest()
        return cls(network.ljust(_NETWORK_BYTES, b"\0"), digest)

    @property
    def network_text(self) -> str | None:
        """The network, like ``203.0.113.0/24``; None where the address was not known."""
        version, prefix = self.network[0], self.network[1:]
        if version not in NETWORK_BITS:
            return None
        whole = IPv4Address(prefix[:4]) if version == _IPV4 else IPv6Address(prefix.ljust(16, b"\0"))
        return f"{whole}/{NETWORK_BITS[version]}"


class Refresh(NamedTuple):
    """``rotated``: False where it got the same successor again."""

    at_ms: int
    rotated: bool
    origin: Origin


def read(recent: bytes) -> list[Refresh]:
    """Return the refreshes that are kept, the oldest first."""
    return [Refresh(at, rotated, Origin(network, agent)) for at, rotated, network, agent in _RECORD.iter_unpack(recent)]


def last(recent: bytes) -> Refresh | None:
    """Return the newest refresh that is kept."""
    return read(recent[-_RECORD.size :])[0] if recent else None


def reaches(recent: bytes, count: int, since_ms: int) -> bool:
    """Say whether the last ``count`` that are kept all came after ``since_ms``, at a look at one of them."""
    start = len(recent) - count * _RECORD.size
    return start >= 0 and int.from_bytes(recent[start : start + _TIME_BYTES], "big") > since_ms


def with_one_more(recent: bytes, refresh: Refresh) -> bytes:
    """Return ``recent`` with a refresh at its end, and the oldest gone where there would be too many.

    One that got the same successor again says nothing new unless it came from elsewhere than the one before.
    """
    record = _RECORD.pack(refresh.at_ms, refresh.rotated, *refresh.origin)
    if not refresh.rotated and recent[-_RECORD.size :][-_NETWORK_BYTES - _AGENT_BYTES :] == b"".join(refresh.origin):
        return recent
    return (recent + record)[-RECENT_MAX * _RECORD.size :]
