"""Protect a Litestar application.

    auth = SessionAuth()              # reads GUESTPASS_ISSUER

    @get("/invoices", guards=[auth.require("read_invoices")])
    async def invoices(request: Request[Any, Session, State]) -> str:
        return request.auth.user_id

    app = Litestar([invoices], on_app_init=[auth.on_app_init])

A guard stands before a handler, a controller, a router or the whole application.

Keep a session in a cookie of your own origin:

    app = Litestar([Router("/api", route_handlers=[session_routes(gp, get_user)])])
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

from litestar import HttpMethod, Response, Router, route
from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection, Request
from litestar.exceptions import HTTPException, WebSocketException
from litestar.handlers import BaseRouteHandler

from guestpass._bearer import SUBPROTOCOL, Gate, Refusal, demand_of, shown_in_scope
from guestpass._host.facts import facts_in_scope
from guestpass._host.hosting import Client, GetUser, Hosting
from guestpass._host.routes import Route
from guestpass.asgi import AnswerSubprotocol, Scope
from guestpass.verify import Session, Verifier

__all__ = ["SUBPROTOCOL", "Refused", "Session", "SessionAuth", "Verifier", "session_routes"]

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
Guard: TypeAlias = Callable[[Connection, BaseRouteHandler], Awaitable[None]]


class Refused(HTTPException):
    """A refusal under way to its answer. Without ``on_app_init`` Litestar puts the body under ``extra``."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(
            detail=refusal.body["message"],
            status_code=refusal.status,
            headers=dict(refusal.headers),
            extra=dict(refusal.body),
        )
        self.refusal = refusal


class SessionAuth(Gate):
    """Holds the requests and WebSockets of a Litestar application against one verifier; see ``Gate``."""

    def require(self, operation: str | None = None, /, *, max_age_seconds: int | None = None) -> Guard:
        """Return a guard: who has a good token passes, with ``operation`` among its own where one is named.

        ``request.auth`` is then the session. All others are answered 401, 403 or 503.

        Raises: ValidationFailed, when it is written, for an operation that there cannot be.
        """
        demand = demand_of(operation, max_age_seconds)

        async def guard(connection: Connection, _: BaseRouteHandler) -> None:
            scope = cast("Scope", connection.scope)
            found = (await self.aattach(scope, shown_in_scope(scope), demand.max_age_seconds)).decide(demand)
            if not isinstance(found, Refusal):
                scope["auth"] = found
            elif scope["type"] == "websocket":
                raise WebSocketException(detail=found.code, code=found.close_code)
            else:
                raise Refused(found)

        return guard

    def session(self, connection: Connection) -> Session:
        """Return the session that ``require`` let in. Raises: RuntimeError where none did."""
        return self.admitted(cast("Scope", connection.scope))

    async def optional(self, connection: Connection) -> Session | None:
        """Return the session of whoever shows a good token, and None for everybody else."""
        scope = cast("Scope", connection.scope)
        return (await self.aattach(scope, shown_in_scope(scope))).session

    def on_app_init(self, config: AppConfig) -> AppConfig:
        """Let refusals be answered in one shape, and WebSockets be answered the subprotocol that they offered."""
        config.exception_handlers[Refused] = _answer
        config.middleware.append(cast("Any", AnswerSubprotocol))  # Litestar's scopes are typed dictionaries
        return config


def _answer(_: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    refusal = refused.refusal
    return Response(refusal.json, status_code=refusal.status, headers=refusal.headers, media_type="application/json")


def session_routes(gp: Client, get_user: GetUser, *, earlier_secrets: Sequence[str] = ()) -> Router:
    """Return the routes that keep a renewable session in a cookie: see docs/cookies-and-csrf.md.

    Args:
        gp: An ``AsyncGuestpass``, or a ``Guestpass``, which is called in a thread.
        get_user: Is given the ``Request``; may be ``async``. Returns None, the user's id, or the arguments of
            ``gp.auth.login`` by name.
        earlier_secrets: Of API keys that this client's takes the place of; cookies that they sealed stay good.
    """
    hosting = Hosting(gp, get_user, earlier_secrets)

    def handler(address: str, method: HttpMethod, own: Route) -> Any:
        async def endpoint(request: Request[Any, Any, Any]) -> Response[bytes]:
            course = own(facts_in_scope(cast("Scope", request.scope)))
            answer = await hosting.aanswer(course, lambda: hosting.aask(request))
            return Response(
                answer.json, status_code=answer.status, headers=answer.headers, media_type="application/json"
            )

        return route(address, http_method=method, include_in_schema=False)(endpoint)

    return Router(
        "/session",
        route_handlers=[
            handler("/", HttpMethod.GET, hosting.routes.get),
            handler("/refresh", HttpMethod.POST, hosting.routes.refresh),
            handler("/end", HttpMethod.POST, hosting.routes.end),
        ],
    )
