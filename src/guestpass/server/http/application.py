"""The ASGI application: find the route, know the caller, decode, handle, answer. No business rule lives here.

It is plain ASGI over one route table: a framework between costs a third of the requests that a core can
answer, and its router a right ``Allow`` (ADR 0006).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

import structlog

from guestpass.errors import Detail, GuestpassError, MethodNotAllowed, ValidationFailed
from guestpass.server import credentials
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.clock import Entropy
from guestpass.server.http.callers import SAFE_METHODS, Callers, api_key_of, bearer_token_of, client_of, holder_of
from guestpass.server.http.deadlines import Deadlines
from guestpass.server.http.decode import PATH_LENGTH_MAX, check_media_type, decode, decode_form
from guestpass.server.http.errors import as_guestpass_error, problem
from guestpass.server.http.exchange import Answer, Exchange, Headers, Receive, Scope, Send
from guestpass.server.http.idempotency import Idempotency
from guestpass.server.http.rate_limits import RateLimits
from guestpass.server.http.routes import Match, Route, RouteTable, allow_header
from guestpass.server.refusals.service import Refusals
from guestpass.server.tally import NO_ROUTE, PREFLIGHT, Tally

log = structlog.get_logger("guestpass")

_NO_CONTENT = 204
_WITHOUT_BODY = (_NO_CONTENT, 304)  # and so without its length (RFC 9110 sections 8.6 and 15.4.5)
_REQUEST_PREFIX_BYTES = 8
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_CORS: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Guestpass-Retry, Retry-After, WWW-Authenticate, X-Request-Id"),
)
_PREFLIGHT: Headers = (
    *_CORS,
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, X-Request-Id"),
    (b"access-control-max-age", b"86400"),
)
# (request, (method, pattern) of its route, status, error code or empty, nanoseconds)
Observer: TypeAlias = Callable[[Exchange, tuple[str, str], int, str, int], None]


class Application:
    """Serves ``routes``. ``draining`` asks every client to connect anew, elsewhere; ``observe`` is told of each answer."""

    def __init__(
        self,
        routes: RouteTable,
        callers: Callers,
        *,
        base_url: str,
        entropy: Entropy,
        tally: Tally,
        limits: RateLimits,
        idempotency: Idempotency,
        refusals: Refusals,
    ) -> None:
        self.routes = routes
        self._callers = callers
        self._tally = tally
        self._limits = limits
        self._idempotency = idempotency
        self._refusals = refusals
        self._base_url = base_url
        self._request_prefix = f"req_{entropy(_REQUEST_PREFIX_BYTES).hex()}"  # of this process
        self._request_numbers = itertools.count()
        self._deadlines = Deadlines()
        self.draining = False
        self.observe: Observer | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter_ns()
        call = Exchange(scope, receive, self._request_id(scope["headers"]), self._callers.proxies)
        route: Route | None = None
        code = ""
        try:
            if call.method == "OPTIONS" and not self.routes.is_proxied(scope["path"]):
                reply = self._preflight(scope["path"])
            else:
                match = self.routes.match(call.method, scope["path"])
                route = match.route
                reply = await self._deadlines.hold(call, self._handle(call, match, scope["query_string"]))
        except Exception as fault:  # noqa: BLE001 - every request is answered
            error = await self._limits.held_against(as_guestpass_error(fault), call, route)
            code = error.code
            self._log(call, route, error, fault)
            if route is not None:
                self._refusals.note(error, request_id=call.request_id, route=f"{route.method} {route.path}")
            oauth = route is not None and route.form is not None
            reply = problem(error, base_url=self._base_url, request_id=call.request_id, oauth=oauth)
            if isinstance(error, MethodNotAllowed):
                allowed = allow_header(self.routes.of_path(scope["path"]))
                reply = reply._replace(headers=(*reply.headers, (b"allow", allowed)))
        counted_as, took = _counted_as(call, route), perf_counter_ns() - began
        self._tally.answered(counted_as, reply.status, code, took)
        for_pages = route is not None and route.browser and not _shows_api_key(call)
        await self._send(reply, call, _CORS if for_pages else (), send)
        if self.observe is not None:
            self.observe(call, counted_as, reply.status, code, took)

    async def _handle(self, call: Exchange, match: Match, query_string: bytes) -> Answer:
        route = match.route
        call.parameters = match.parameters
        if route.is_proxied:
            call.token = bearer_token_of(call)
            return await route.handler(call)
        if query_string:
            call.query = _query(query_string, {parameter.name for parameter in route.query})
        if route.caller == "api_key":
            call.caller = await api_key_of(call, self._callers)
        elif route.caller == "token":
            call.token = bearer_token_of(call)
        elif route.caller == "holder":
            call.caller, call.token = await holder_of(call, self._callers)
        elif route.form is not None:
            call.body = form = decode_form(await call.read(), call.header(b"content-type"), route.form)
            call.caller = await client_of(call, self._callers, form.client_id, form.client_secret)
        if call.signature is None:
            return await self._answer(call, route)
        if route.writes:
            call.riders = (call.signature.rider, *call.riders)
        once = self._callers.signed_requests.once
        return await once(call.signature, lambda: self._answer(call, route), rides=route.writes)

    async def _answer(self, call: Exchange, route: Route) -> Answer:
        if call.caller is not None:
            self._admit(call, call.caller)
        if route.can is not None:
            call.key.require(route.can)
        if route.body is not None:
            call.body = await _body(call, route.body, may_be_absent=not route.needs_body)
        elif route.form is None and call.method not in SAFE_METHODS and await call.read() not in (b"", b"{}"):
            raise ValidationFailed("This request takes no body.", details=(Detail("", "must be empty"),))
        handler = route.handler if call.method in SAFE_METHODS else self._idempotency.handler(call, route)
        bucket = route.key_bucket if route.key_bucket and call.caller else route.bucket
        return await handler(call) if bucket is None else await self._limits.answer(bucket, call, handler)

    def _admit(self, call: Exchange, key: ApiKey) -> None:
        """Raises: Forbidden where the key may not be used from where the call comes."""
        if key.grant.ip_ranges is not None:
            address = call.client_address
            key.require_from(None if address is None else address.ip)
        self._callers.api_keys.used(key)

    async def _send(self, reply: Answer, call: Exchange, more: Headers, send: Send) -> None:
        headers: list[tuple[bytes, bytes]] = [
            *reply.headers,
            *more,
            (b"x-request-id", call.request_id.encode()),
        ]
        if reply.status not in _WITHOUT_BODY:
            headers.append((b"content-length", b"%d" % len(reply.body)))
        if self.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _preflight(self, path: str) -> Answer:
        methods = self.routes.of_path(path)
        allowed = (b"allow", allow_header(methods))
        if any(route.browser for route in methods.values()):
            return Answer(_NO_CONTENT, b"", (*_PREFLIGHT, allowed))
        raise MethodNotAllowed("This address is for backends; no page of another origin may call it.")

    def _request_id(self, headers: list[tuple[bytes, bytes]]) -> str:
        for name, value in headers:
            if name == b"x-request-id":
                sent = value.decode("latin-1")
                if _REQUEST_ID.fullmatch(sent) and not credentials.stands_in(sent):
                    return sent
        return f"{self._request_prefix}{next(self._request_numbers):010x}"

    def _log(self, call: Exchange, route: Route | None, error: GuestpassError, fault: Exception) -> None:
        """One line a refusal. The path is the route's, never the one sent: that may hold anything."""
        facts: dict[str, Any] = {
            "code": error.code,
            "status": error.status,
            "method": route.method if route else None,
            "path": route.path if route else None,
            "api_key_id": call.caller.public_id if call.caller else None,
            "request_id": call.request_id,
        }
        if error.internal:
            facts["internal"] = error.internal
        if error.status >= 500:  # noqa: PLR2004
            log.error("failed", exc_info=fault if error.code == "INTERNAL_ERROR" else None, **facts)
        else:
            log.info("refused", **facts)


async def _body(call: Exchange, shape: type, *, may_be_absent: bool) -> Any:
    body = await call.read()
    if not body and may_be_absent:
        return shape()
    check_media_type(call.header(b"content-type"), call.header(b"content-encoding"))
    return decode(body, shape)


def _query(query_string: bytes, allowed: set[str]) -> dict[str, str]:
    try:
        text = query_string.decode()  # percent-encoded, or as it was typed into curl
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=16)
    except ValueError:
        raise ValidationFailed("The query string cannot be read: it is name=value&…, in UTF-8.") from None
    if credentials.stands_in(unquote(text)):
        raise ValidationFailed(
            "A credential was sent in the URL, where logs and histories keep it; revoke it, and send it in a header."
        )
    query: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed or name in query:
            rule = "is not a parameter of this request" if name not in allowed else "was given twice"
            shown = name[:PATH_LENGTH_MAX]
            raise ValidationFailed(f"{shown} {rule}.", details=(Detail(shown, rule),))
        query[name] = value
    return query


def _counted_as(call: Exchange, route: Route | None) -> tuple[str, str]:
    """Return (method, path) as they are known here: those that were sent may be anything."""
    if route is not None:
        return route.method, route.path
    return PREFLIGHT if call.method == "OPTIONS" else NO_ROUTE


def _shows_api_key(call: Exchange) -> bool:
    """Whether an API key was sent to a browser route, in any form: its answer must not be readable by a page."""
    return any(
        name == b"x-api-key" or (name == b"authorization" and (b"sk_" in value or value[:6].lower() == b"basic "))
        for name, value in call.headers
    )
