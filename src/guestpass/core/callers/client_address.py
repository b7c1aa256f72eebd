"""Where a request came from: the other end of the connection, or what proxies that are trusted say of it.

Every proxy writes, at the right of ``X-Forwarded-For``, the address that it was called from. What stands further left
was sent to it and may be anything. So the header is read from the right, and only as long as the one who wrote is
trusted: the first address that is none of the proxies' is the client's.

``Forwarded`` (RFC 7239) and ``X-Real-IP`` are not read: two headers that can say the same thing can also
contradict each other, and a proxy that writes one lets a client's other pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

HOPS_MAX = 16  # proxies before the one that calls us
REMEMBERED_MAX = 8192  # addresses that need not be parsed again
_TEXT_LENGTH_MAX = 64  # characters of one hop; what is longer is no address, and is not remembered
NETWORK_BITS = {4: 24, 6: 48}  # what is kept of an address: where from, and not who
_IPV6_GROUP_BITS = 64  # what one household or machine is given (RFC 6177); within it anyone takes any address
_HEADER = b"x-forwarded-for"
_FORM = re.compile(  # some proxies add the port; an IPv6 address then stands in brackets (RFC 3986 section 3.2.2)
    r"(?P<v4>[0-9.]{7,15})(?::[0-9]{1,5})?|\[(?P<in_brackets>[0-9a-fA-F:.]{2,45})\](?::[0-9]{1,5})?|(?P<v6>[0-9a-fA-F:.]{2,45})"
)


class ClientAddress(NamedTuple):
    """An address, and the group that shares a limit with it: itself, or the /64 network of an IPv6 address."""

    ip: IpAddress
    group: str


class _Hop(NamedTuple):
    address: ClientAddress
    is_trusted: bool


class TrustedProxies:
    """Finds the client behind proxies. ``networks``: where those are that may say who called them; none by default."""

    def __init__(self, networks: Sequence[IpNetwork] = ()) -> None:
        self._networks = tuple(networks)
        self._hop = lru_cache(REMEMBERED_MAX)(self._read_hop)

    def client_of(self, peer: str | None, headers: Iterable[tuple[bytes, bytes]]) -> ClientAddress | None:
        """Return the client's address, or None where it is not known: fail closed where an address must be shown.

        Args:
            peer: The address at the other end of the connection.
            headers: Names in lower case. Read only where ``peer`` is trusted.

        Not known: the peer has no address, a trusted proxy wrote what is none, or there are too many of them.
        """
        hop = self._hop(peer or "")
        if hop is None or not hop.is_trusted:
            return hop and hop.address
        written = b",".join(value for name, value in headers if name == _HEADER).decode("latin-1")
        if not written:
            return hop.address  # the proxy itself calls, as for a health check
        for text in reversed(written.rsplit(",", HOPS_MAX)):
            hop = self._hop(text.strip(" \t")) if len(text) <= _TEXT_LENGTH_MAX else None
            if hop is None or not hop.is_trusted:
                return hop and hop.address
        return hop.address

    def _read_hop(self, text: str) -> _Hop | None:
        ip = _parse(text)
        if ip is None:
            return None
        is_trusted = any(ip in network for network in self._networks)
        return _Hop(ClientAddress(ip, _group_of(ip)), is_trusted)


def networks_of(text: str) -> tuple[IpNetwork, ...]:
    """Read networks separated by commas, like ``10.0.0.0/8, 2001:db8::/32, 192.0.2.7``.

    Raises: ValueError with the rule, also for all addresses at once: then every client could choose its own.
    """
    networks = tuple(ip_network(part.strip()) for part in text.split(",")) if text.strip() else ()
    for network in networks:
        if network.prefixlen == 0:
            raise ValueError(f"{network} are all addresses, so that every client could choose its own")
    return networks


@lru_cache(REMEMBERED_MAX)
def network_of(ip: IpAddress) -> str:
    """Return what is kept of an address: its network, ``192.0.2.0/24`` or ``2001:db8:7::/48``."""
    return str(ip_network((ip, NETWORK_BITS[ip.version]), strict=False))


def _parse(text: str) -> IpAddress | None:
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    try:
        if form["v4"]:
            return IPv4Address(form["v4"])
        six = IPv6Address(form["in_brackets"] or form["v6"])
    except ValueError:
        return None
    return six.ipv4_mapped or six  # RFC 4291 section 2.5.5.2: how a socket for both kinds shows an IPv4 address


def _group_of(ip: IpAddress) -> str:
    return str(ip) if ip.version == 4 else str(IPv6Network((ip, _IPV6_GROUP_BITS), strict=False))  # noqa: PLR2004
