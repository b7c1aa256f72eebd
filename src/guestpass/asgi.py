"""Protect any ASGI application: Starlette, Quart, or one without a framework.

    auth = SessionAuth()                          # reads GUESTPASS_ISSUER
    app = auth.require("read_invoices")(app)      # 401, 403 and 503 are answered; lifespan passes

Within, ``auth.session(scope)`` is the session. In Starlette one route is protected by
``Route("/invoices", invoices, middleware=[Middleware(auth.require("read_invoices"))])``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from guestpass._bearer import SUBPROTOCOL, Demand, Gate, Refusal, demand_of, shown_in_scope
from guestpass.verify import Session, Verifier

__all__ = ["AnswerSubprotocol", "Session", "SessionAuth", "Verifier"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class SessionAuth(Gate):
    """Holds the requests and WebSockets of ASGI applications against one verifier; see ``Gate``."""

    def require(
        self, operation: str | None = None, /, *, max_age_seconds: int | None = None
    ) -> Callable[[ASGIApp], ASGIApp]:
        """Return a middleware that lets in who has a good token, with ``operation`` among its own where one is named.

        Raises: ValidationFailed, when it is written, for an operation that there cannot be.
        """
        demand = demand_of(operation, max_age_seconds)
        return lambda app: RequireSession(app, self, demand)

    def session(self, scope: Scope) -> Session:
        """Return the session that ``require`` let in. Raises: RuntimeError where none did."""
        return self.admitted(scope)

    async def optional(self, scope: Scope) -> Session | None:
        """Return the session of whoever shows a good token, and None for everybody else."""
        return (await self.aattach(scope, shown_in_scope(scope))).session


class RequireSession:
    """Middleware: lets in, or answers."""

    def __init__(self, app: ASGIApp, auth: SessionAuth, demand: Demand) -> None:
        self.app = app
        self.auth = auth
        self.demand = demand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            visit = await self.auth.aattach(scope, shown_in_scope(scope), self.demand.max_age_seconds)
            found = visit.decide(self.demand)
            if isinstance(found, Refusal):
                await _refuse(found, scope, send)
                return
        await self.app(scope, receive, _answering(scope, send))


class AnswerSubprotocol:
    """Middleware: a WebSocket that was offered ``guestpass`` is answered it, where the application chooses no other.

    A browser gives up on a WebSocket whose subprotocols are not answered. The token beside it is never repeated.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, _answering(scope, send))


def _answering(scope: Scope, send: Send) -> Send:
    if scope["type"] != "websocket" or SUBPROTOCOL not in scope["subprotocols"]:
        return send
    offered = list(scope["subprotocols"])
    at = offered.index(SUBPROTOCOL)
    protocols = {*offered[: at + 1], *offered[at + 2 :]}  # what follows it is the token

    async def answer(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "websocket.accept" and message.get("subprotocol") not in protocols:
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return answer


async def _refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":  # before it was accepted: servers answer 403
        await send({"type": "websocket.close", "code": refusal.close_code, "reason": refusal.code})
        return
    body = refusal.json
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refusal.headers}
    raw = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
