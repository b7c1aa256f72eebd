"""Who is at the other end of the connection, without believing what a header says of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

_FORWARDED = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port",
     b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip", b"x-envoy-external-address"}
)  # fmt: skip


def is_this_machine(peer: str | None, headers: Iterable[tuple[bytes, bytes]], base_url: str) -> bool:
    """Say whether the client runs on the server's own machine, and nobody stands between.

    A proxy on this machine has an address of this machine, too, and may well add no header that betrays it. So where
    the world knows the server by another name than this machine's, nobody is taken for a neighbour.
    """
    if not is_loopback(urlsplit(base_url).hostname) or not is_loopback(peer):
        return False
    return not any(name in _FORWARDED for name, _ in headers)


def is_loopback(host: str | None) -> bool:
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
