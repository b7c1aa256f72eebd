"""The route table: what is served, for whom, with which shapes. Dispatch and OpenAPI are both made from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from guestpass.core.callers.api_key import Can
from guestpass.errors import MethodNotAllowed, NotFound
from guestpass.server.http.exchange import Answer, Exchange
from guestpass.server.idempotency.service import CREDENTIAL_SECONDS

Handler: TypeAlias = Callable[[Exchange], Awaitable[Answer]]
Caller: TypeAlias = Literal["api_key", "token", "client", "holder", "anyone"]
Bucket: TypeAlias = Literal["mints", "browser", "refresh"]
ANY_METHOD = "*"

_PARAMETER = re.compile(r"\{(\w+)\}")


class QueryParameter(NamedTuple):
    name: str
    schema: dict[str, Any]
    description: str


class Creates(NamedTuple):
    """How a POST that creates is answered again, to who sends its Idempotency-Key again.

    Args:
        made: The type of what is kept, sealed, for ``seconds``: the outcome of the act with which ``riders`` rode, or what
            the use case has them note in its place (``storage.store.noting``).
        again: Answers it as of now. Raises: Conflict where a credential in it has ended or was replaced.
    """

    made: Any
    again: Callable[[Exchange, Any], Awaitable[Answer]]
    seconds: int = CREDENTIAL_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of the HTTP API.

    Args:
        method: Or ``ANY_METHOD``.
        caller: ``api_key`` (a host's backend), ``token`` (a user's browser, token as Bearer), ``client`` (an OAuth
            client: an API key in a header or in the form, or none), ``holder`` (of a refresh token in the body, of a token as
            Bearer, or of an API key: the handler says of which), ``anyone``.
        can: What the API key must have been made for. A client without one is let through where this is None.
        body: The shape of the JSON body; None: there is none. ``needs_body``: False where it may be left out whole.
        writes: False for a POST that changes nothing but what it counts; every other unsafe one hands on what rides with its request.
        creates: Of a POST that takes an Idempotency-Key; elsewhere the header changes nothing.
        form: The shape of an OAuth request, which comes as a form (RFC 6749 appendix B); errors say ``error``, too.
        is_proxied: A proxy asks about another request: whatever it appends to the path, its query and its body are not read.
        answers: Shape by status; None for an answer that is not JSON of a fixed shape, but of the type ``media``.
        browser: Called from pages of other origins: answers carry CORS headers, never cookies.
        bucket: Whose limit a request counts against: that of its API key (``mints``), or of its client address (``browser``,
            ``refresh``). None: it is not limited, and neither are tokens that fail there, as where a proxy asks for everybody.
        key_bucket: The same of a ``holder`` who has shown an API key, where it is another.
        note: What its reader must know beyond the shapes.
        codes: Error codes beyond those that every route of its kind can answer.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    caller: Caller = "api_key"
    can: Can | None = None
    body: type | None = None
    needs_body: bool = True
    writes: bool = True
    creates: Creates | None = None
    form: type | None = None
    is_proxied: bool = False
    query: tuple[QueryParameter, ...] = ()
    answers: dict[int, type | None] = field(default_factory=dict)
    media: str = "text/html"
    browser: bool = False
    bucket: Bucket | None = None
    key_bucket: Bucket | None = None
    codes: tuple[str, ...] = ()
    note: str = ""

    @property
    def limits_failures(self) -> bool:
        """Whether credentials that fail here count against the address that they come from."""
        return self.caller in ("api_key", "client") or self.bucket is not None


class Match(NamedTuple):
    route: Route
    parameters: dict[str, str]


class RouteTable:
    """Finds the route of a method and a path; a path is either literal or has parameters of one segment each."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._literal: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        self._proxied = tuple(route.path.partition("{")[0] for route in self.routes if route.is_proxied)
        by_path: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            by_path.setdefault(route.path, {})[route.method] = route
        for path, methods in by_path.items():
            if "{" in path:
                pattern = _PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
                tail = "(?:/.*)?" if any(route.is_proxied for route in methods.values()) else ""
                self._patterns.append((re.compile(pattern + tail, re.DOTALL), methods))
            else:
                self._literal[path] = methods

    def match(self, method: str, path: str) -> Match:
        """Raises: NotFound; MethodNotAllowed (see ``allowed``)."""
        methods, parameters = self._methods_of(path)
        route = methods.get("GET" if method == "HEAD" else method) or methods.get(ANY_METHOD)
        if route is None:
            raise MethodNotAllowed(f"Use {' or '.join(_allow(methods))} here.")
        return Match(route, parameters)

    def is_proxied(self, path: str) -> bool:
        """Say whether a proxy asks there about requests of any method, OPTIONS among them."""
        return path.startswith(self._proxied)

    def of_path(self, path: str) -> dict[str, Route]:
        """Return the routes at ``path`` by method. Raises: NotFound."""
        return self._methods_of(path)[0]

    def _methods_of(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        methods = self._literal.get(path)
        if methods is not None:
            return methods, {}
        for pattern, candidates in self._patterns:
            matched = pattern.fullmatch(path)
            if matched is not None:
                return candidates, matched.groupdict()
        raise NotFound("There is no such address; /docs lists them all.")


def _allow(methods: dict[str, Route]) -> list[str]:
    return sorted({*methods, "HEAD"} if "GET" in methods else methods)


def allow_header(methods: dict[str, Route]) -> bytes:
    """Return the value of ``Allow`` (RFC 9110 section 10.2.1)."""
    return ", ".join(
        [*_allow(methods), *(["OPTIONS"] if any(route.browser for route in methods.values()) else [])]
    ).encode()
