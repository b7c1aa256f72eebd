"""A request to a host route, as far as its answer depends on it, and whether it came from a page of the same origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guestpass._bearer import request_id_of

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One request.

    Attributes:
        scheme, host: Of the address that it was made to, as the framework tells; ``host`` with its port.
        cookie: The header Cookie; several joined by ``; ``.
        csrf: X-Guestpass-CSRF. None, as ``origin`` and ``fetch_site``, where the header is not there.
        request_id: What the caller's log knows the request by.
    """

    method: str
    scheme: str
    host: str
    cookie: str = field(default="", repr=False)
    csrf: str | None = field(default=None, repr=False)
    origin: str | None = None
    fetch_site: str | None = None
    request_id: str = "-"


def is_own_page(facts: Facts) -> bool:
    """Whether a page of this origin, or for GET also the address bar, made the request.

    ``Sec-Fetch-Site`` decides where a browser sends it: no page can forge it, and no proxy changes what it compares.
    Else ``Origin`` has to be this address. A GET of an older browser has neither; a POST without both is refused.
    """
    reads = facts.method == "GET"
    if facts.fetch_site is not None:
        return facts.fetch_site == "same-origin" or (reads and facts.fetch_site == "none")
    if facts.origin is None:
        return reads
    return facts.origin in _own_origins(facts.scheme, facts.host.lower())


def _own_origins(scheme: str, host: str) -> tuple[str, ...]:
    """Behind a proxy that ends TLS the page's own scheme is https, though the request's is http; never the reverse."""
    own = f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme, ''))}"
    return own, f"https://{host.removesuffix(_DEFAULT_PORTS['https'])}"


def facts_in_scope(scope: Mapping[str, Any]) -> Facts:
    """Read an ASGI scope. HTTP/2 may send Cookie in several headers (RFC 9113 section 8.2.3)."""
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name, []).append(value.decode("latin-1"))

    def joined(name: bytes) -> str | None:
        return ", ".join(found[name]) if name in found else None

    return Facts(
        method=scope["method"],
        scheme=scope.get("scheme", "http"),
        host=joined(b"host") or "",
        cookie="; ".join(found.get(b"cookie", ())),
        csrf=joined(b"x-guestpass-csrf"),
        origin=joined(b"origin"),
        fetch_site=joined(b"sec-fetch-site"),
        request_id=request_id_of(joined(b"x-request-id")),
    )


def facts_in_environ(environ: Mapping[str, Any]) -> Facts:
    """Read a WSGI environ."""
    return Facts(
        method=environ["REQUEST_METHOD"],
        scheme=environ["wsgi.url_scheme"],
        host=environ.get("HTTP_HOST", ""),
        cookie=environ.get("HTTP_COOKIE", ""),
        csrf=environ.get("HTTP_X_GUESTPASS_CSRF"),
        origin=environ.get("HTTP_ORIGIN"),
        fetch_site=environ.get("HTTP_SEC_FETCH_SITE"),
        request_id=request_id_of(environ.get("HTTP_X_REQUEST_ID")),
    )
