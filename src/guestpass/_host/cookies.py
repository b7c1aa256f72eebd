"""The cookie that holds a refresh token on the host's origin: its name, its value, and how it is read. RFC 6265.

A value is the refresh token, a dot, and the proof of whose it is (``proofs``). A refresh token carries the 26 characters
of its session's id behind its prefix, so nothing else needs to be kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from guestpass._host.proofs import PROOF_CHARACTERS

VALUE_CHARACTERS_MAX = 512
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.ASCII | re.IGNORECASE)
_REFRESH_TOKEN = r"[a-z0-9]+_refresh_(?:test|live)_([0-7][0-9a-hjkmnp-tv-z]{25})[0-9A-Za-z_-]{16,}"  # noqa: S105  a grammar
_TOKEN = re.compile(_REFRESH_TOKEN, re.ASCII)
_VALUE = re.compile(rf"({_REFRESH_TOKEN})\.([0-9A-Za-z_-]{{{PROOF_CHARACTERS}}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class CookieName:
    """The name, and with it whether the cookie is kept from plain HTTP and from other hosts of the domain."""

    name: str
    secure: bool

    def set(self, value: str, max_age_seconds: int) -> str:
        """Return the ``Set-Cookie`` that lets a browser keep ``value``; Max-Age 0 lets it forget."""
        secure = "; Secure" if self.secure else ""
        return f"{self.name}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{secure}"

    @property
    def cleared(self) -> str:
        """The ``Set-Cookie`` that makes a browser forget the cookie."""
        return self.set("", 0)


@dataclass(frozen=True, slots=True)
class Kept:
    """A cookie's value that has the right shape; nothing of it is proven yet."""

    session_id: str
    refresh_token: str = field(repr=False)
    proof: str = field(repr=False)


def name_for(environment: str, scheme: str, host: str) -> CookieName:
    """Return the cookie's name for the address that a request was made to.

    Browsers differ on whether ``http://localhost`` may set a Secure cookie, so there the name is plain, for test keys
    alone: behind a proxy that hides its own name every address looks local, and a live cookie must not lose its guard.
    """
    if environment == "test" and scheme == "http" and _LOCAL_HOST.fullmatch(host):
        return CookieName(f"gp_refresh_{environment}", secure=False)
    return CookieName(f"__Host-gp_refresh_{environment}", secure=True)


def value_of(refresh_token: str, proof: str) -> str:
    return f"{refresh_token}.{proof}"


def session_id_of(refresh_token: str) -> str | None:
    """Return the id ``sess_…`` that a refresh token carries, or None where it has not the shape of one."""
    shaped = _TOKEN.fullmatch(refresh_token)
    return None if shaped is None else f"sess_{shaped[1]}"


def read(header: str, name: str, environment: str) -> list[Kept]:
    """Return the well-formed values that a Cookie header has under ``name``, each once, in its order.

    There may be several: of a cookie without ``__Host-``, another path or domain may have set one. What is junk, of the
    other environment or over 512 characters is as if it were not there.
    """
    found: dict[str, Kept] = {}
    for pair in header.split(";"):
        key, _, value = pair.strip(" \t").partition("=")
        if key != name or len(value) > VALUE_CHARACTERS_MAX:
            continue
        shaped = _VALUE.fullmatch(value)
        if shaped is not None and f"_refresh_{environment}_" in shaped[1]:
            found.setdefault(value, Kept(f"sess_{shaped[2]}", shaped[1], shaped[3]))
    return list(found.values())
