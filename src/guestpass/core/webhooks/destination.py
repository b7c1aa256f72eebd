"""Where a webhook may be sent: an address that a stranger chose, and that our own servers call.

Two decisions. ``read`` judges the text of the URL, when it is given and again before each delivery; ``fault_of_ip``
judges the IP address that its name stands for, after the name was resolved and before it is connected to.
Only the second one protects: a name may stand for another address a moment later.

The text is held to one spelling of everything (RFC 3986 allows more, and programs read them differently): what is
accepted here, a browser, curl and Python's library read alike.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address

URL_LENGTH_MAX = 2048
HTTPS_PORT, HTTP_PORT, PORT_MAX = 443, 80, 65_535
OPEN_PORTS_FROM = 1024  # below it, other services than HTTPS listen by custom: mail, SSH, DNS
NAME_LENGTH_MAX = 253  # RFC 1035 section 2.3.4

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<target>(?:/[A-Za-z0-9._~!$&'()*+,;=:@/%-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?)"
)
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2[Ee]){1,2}(?=/|$)")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
# Names that never stand for anything of the public internet (RFC 6761, RFC 6762, RFC 8375, and ICANN's .internal).
_INNER_DOMAINS = frozenset(
    {"localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "onion"}
)

# The special-purpose registries of IANA (RFC 6890 and its updates), less what is plain unicast for everybody.
_REFUSED_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this network": on many systems 0.0.0.0 is the machine itself
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",  # private (RFC 1918)
        "100.64.0.0/10",  # carriers' NAT (RFC 6598); some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's own services for its machines, at an address that looks public
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "192.0.0.0/24",  # protocol assignments; another cloud's metadata
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",  # documentation
        "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",  # AS112, AMT
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)  # fmt: skip
_UNICAST_6 = IPv6Network(
    "2000::/3"
)  # all else is loopback, link-local, unique local, multicast, mapped, NAT64 or unassigned
_REFUSED_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in other clothes
        "2620:4f:8000::/48",  # AS112
    )
)  # fmt: skip
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})  # before an IPv4 address in the last half (RFC 5214 section 6.1)


class Destination(NamedTuple):
    """A URL that was read. ``host``: a name, or an IP address without brackets; ``is_local``: on the machine itself."""

    url: str
    scheme: str
    host: str
    port: int
    is_local: bool


def read(url: str, *, local_allowed: bool) -> Destination:
    """Read a destination.

    Args:
        url: ``https://``, a name of the public internet in lower case or an IP address in its one form, port 443 or
            from 1024 on, a path and a query; at most 2048 characters of ASCII.
        local_allowed: Allow ``localhost``, ``127.0.0.1`` and ``[::1]`` too, over http or https and at any port.

    Raises: ValueError with the rule that it breaks.
    """
    if len(url) > URL_LENGTH_MAX:
        raise ValueError(f"has {len(url)} characters; at most {URL_LENGTH_MAX} are allowed")
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("must not hold a user name or password")
    parts = _URL.fullmatch(url)
    if parts is None or _BROKEN_PERCENT.search(parts["target"]):
        raise ValueError("must be a plain URL like https://example.com/webhooks: ASCII, the host in lower case, no #")
    if _DOT_SEGMENT.search(parts["target"].partition("?")[0]):
        raise ValueError("must be written without . and .. in its path")
    scheme, host = parts["scheme"], parts["host"]
    port = int(parts["port"] or (HTTPS_PORT if scheme == "https" else HTTP_PORT))
    if port > PORT_MAX:
        raise ValueError(f"has port {port}; there are ports up to {PORT_MAX}")
    if host in _LOCAL_NAMES:
        if not local_allowed:
            raise ValueError("must not be on this machine: localhost is for the test environment of a local server")
        return Destination(url, scheme, host.strip("[]"), port, is_local=True)
    _check_public(scheme, host, port)
    return Destination(url, scheme, host.strip("[]"), port, is_local=False)


def _check_public(scheme: str, host: str, port: int) -> None:
    if scheme != "https":
        raise ValueError("must begin with https://")
    if port != HTTPS_PORT and port < OPEN_PORTS_FROM:
        raise ValueError(f"has port {port}; use {HTTPS_PORT}, or one from {OPEN_PORTS_FROM} on")
    address = _ip_of(host)
    fault = _fault_of_name(host) if address is None else fault_of_ip(address, is_local=False)
    if fault:
        raise ValueError(fault)


def _ip_of(host: str) -> IpAddress | None:
    """Return the address that a host is written as, None for a name. Raises: ValueError for an odd spelling of one."""
    try:
        if host.startswith("["):
            six = IPv6Address(host[1:-1])
            if str(six) != host[1:-1]:  # RFC 5952: one text an address
                raise ValueError(f"has an IP address in an odd spelling; write [{six}]")
            return six
        # What ends in a number is an IPv4 address to browsers and to the C library: 127.1, 0x7f.1, 017700000001.
        if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]):
            return IPv4Address(host)
    except AddressValueError:
        raise ValueError("has a host that is no IP address in its plain form") from None
    return None


def _fault_of_name(name: str) -> str | None:
    labels = name.split(".")
    if len(name) > NAME_LENGTH_MAX or not all(map(_LABEL.fullmatch, labels)):
        return "has a host that is no domain name; one with other letters is written as xn--…"
    if len(labels) == 1 or labels[-1] in _INNER_DOMAINS:
        return "must name a host of the public internet"
    return None


def fault_of_ip(address: IpAddress, *, is_local: bool) -> str | None:
    """Say why a delivery may not connect to ``address``, or return None.

    ``is_local``: of a destination on the machine itself, which may be nowhere else. An IPv6 address that carries an
    IPv4 address (mapped, 6to4, Teredo, NAT64, ISATAP) is refused whatever it carries: a receiver has no need of it.
    """
    if is_local:
        return None if address.is_loopback else "localhost stands for an address of another machine"
    if isinstance(address, IPv4Address):
        refused = any(address in network for network in _REFUSED_4)
    else:
        refused = (
            address not in _UNICAST_6
            or any(address in network for network in _REFUSED_6)
            or (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP
        )
    return "must not lead to a private or special IP address" if refused else None
