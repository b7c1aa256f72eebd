"""Addresses that a user of the SDK gives: of the service, of an issuer, of its keys."""

from __future__ import annotations

from urllib.parse import urlsplit


def fault_of_address(url: str) -> str | None:
    """Say which rule ``url`` breaks as an address of ours, or return None. It is ASCII, http or https."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an IPv6 address without its bracket
        usable = False
    if not usable or not url.isascii() or any(c <= " " for c in url):
        return "must be an address like https://guestpass.example.com"
    # A user name in the address would win over the secret key, and show up in every log of addresses.
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    if parts.query or parts.fragment:
        return "must end with the path: no ? and no #"
    return None
