"""IP ranges: the networks that an API key may call from, IPv4 and IPv6.

A range is a network as text, like ``10.0.0.0/8`` or ``2001:db8::/32``; an address alone is a network of one. ``None`` in
place of a list is anywhere; an empty list is nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_interface, ip_network
from typing import TypeAlias

from guestpass.core.callers.client_address import IpAddress, IpNetwork

IpRanges: TypeAlias = tuple[IpNetwork, ...]

RANGES_MAX = 64
_FORM = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?")
_MAPPED = IPv6Network("::ffff:0:0/96")


def fault_of_list(texts: Sequence[str]) -> tuple[str, str] | None:
    """Return (path suffix, rule) of the first broken rule of a list of ranges, or None."""
    if not texts:
        return "", "must hold at least one range; null is from anywhere"
    if len(texts) > RANGES_MAX:
        return "", f"has {len(texts)} ranges; at most {RANGES_MAX} are allowed"
    for position, text in enumerate(texts):
        fault = _fault_of_range(text)
        if fault:
            return f"[{position}]", fault
    return None


def _fault_of_range(text: str) -> str | None:
    network = None
    if _FORM.fullmatch(text):
        try:
            network = ip_interface(text).network
        except ValueError:
            network = None
    if network is None:
        return "must be an IPv4 or IPv6 network, like 10.0.0.0/8 or 2001:db8::/32, or an address"
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return "must be written as an IPv4 network; it holds IPv4 addresses in the form of IPv6"
    if ip_interface(text).ip != network.network_address:
        return f"names a host inside a network; the network is {network}"
    return None


def read(texts: Iterable[str]) -> IpRanges:
    """Return ranges that ``fault_of_list`` finds no fault with: sorted, and none of them inside another."""
    networks = [ip_network(text) for text in texts]
    four = [network for network in networks if isinstance(network, IPv4Network)]
    six = [network for network in networks if isinstance(network, IPv6Network)]
    return (*collapse_addresses(four), *collapse_addresses(six))


def hold(ranges: IpRanges | None, address: IpAddress | None) -> bool:
    """Say whether ``address`` lies within ``ranges``. An address that is not known lies in none."""
    if ranges is None:
        return True
    return address is not None and any(address in network for network in ranges)


def lie_within(inner: IpRanges | None, outer: IpRanges | None) -> bool:
    """Say whether every address of ``inner`` is one of ``outer``.

    Both are as ``read`` makes them: of networks that are merged as far as they can be, one holds a network or none does.
    """
    if outer is None:
        return True
    return inner is not None and all(any(_is_part(part, whole) for whole in outer) for part in inner)


def _is_part(part: IpNetwork, whole: IpNetwork) -> bool:
    if isinstance(part, IPv4Network):
        return isinstance(whole, IPv4Network) and part.subnet_of(whole)
    return isinstance(whole, IPv6Network) and part.subnet_of(whole)
