"""Protect a FastAPI application.

auth = SessionAuth()              # reads GUESTPASS_ISSUER
app = FastAPI()
auth.install(app)

@app.get("/invoices")
async def invoices(session: Annotated[Session, Depends(auth.require("read_invoices"))]):
    return {"user": session.user_id}

Keep a session in a cookie of your own origin:

app.include_router(session_routes(gp, get_user), prefix="/api")
"""

# FastAPI reads the annotations of a dependency, and those of an object's ``__call__`` only where they are no text.

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response, WebSocketException
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from guestpass._bearer import SUBPROTOCOL, Demand, Gate, Refusal, demand_of, shown_in_scope
from guestpass._host.facts import facts_in_scope
from guestpass._host.hosting import Client, GetUser, Hosting
from guestpass._host.routes import Route
from guestpass.asgi import AnswerSubprotocol
from guestpass.verify import Session, Verifier

__all__ = ["SUBPROTOCOL", "Refused", "Session", "SessionAuth", "Verifier", "session_routes"]


class Refused(HTTPException):
    """A refusal under way to its answer. Without ``SessionAuth.install`` FastAPI puts the body under ``detail``."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status, detail=dict(refusal.body), headers=dict(refusal.headers))
        self.refusal = refusal


class SessionAuth(Gate):
    """Holds the requests and WebSockets of a FastAPI application against one verifier; see ``Gate``."""

    def require(self, operation: str | None = None, /, *, max_age_seconds: int | None = None) -> "RequireSession":
        """Return a dependency: the session, with ``operation`` among its own where one is named; else 401, 403 or 503.

        Raises: ValidationFailed, when it is written, for an operation that there cannot be.
        """
        # By position alone: ``Depends(auth.require)``, without its call, would else be filled from the query, and pass.
        return RequireSession(self, demand_of(operation, max_age_seconds))

    async def optional(self, connection: HTTPConnection) -> Session | None:
        """Be a dependency: the session of whoever shows a good token, and None for everybody else."""
        return (await self.aattach(connection.scope, shown_in_scope(connection.scope))).session

    def install(self, app: FastAPI) -> None:
        """Let refusals be answered in one shape, and WebSockets be answered the subprotocol that they offered."""
        app.add_exception_handler(Refused, _answer)
        app.add_middleware(AnswerSubprotocol)


class RequireSession(SecurityBase):
    """A dependency, and what OpenAPI says of it."""

    def __init__(self, auth: SessionAuth, demand: Demand) -> None:
        self.model = HTTPBearer(bearerFormat="Guestpass session token")
        self.scheme_name = "Guestpass"
        self._auth = auth
        self._demand = demand

    async def __call__(self, connection: HTTPConnection) -> Session:
        scope = connection.scope
        visit = await self._auth.aattach(scope, shown_in_scope(scope), self._demand.max_age_seconds)
        found = visit.decide(self._demand)
        if not isinstance(found, Refusal):
            return found
        if scope["type"] == "websocket":
            raise WebSocketException(found.close_code, found.code)
        raise Refused(found)


async def _answer(_: Request, refused: Any) -> Response:
    refusal: Refusal = refused.refusal
    return Response(refusal.json, refusal.status, refusal.headers, "application/json")


def session_routes(gp: Client, get_user: GetUser, *, earlier_secrets: Sequence[str] = ()) -> APIRouter:
    """Return the routes that keep a renewable session in a cookie: see docs/cookies-and-csrf.md.

    Args:
        gp: An ``AsyncGuestpass``, or a ``Guestpass``, which is called in a thread.
        get_user: Is given the ``Request``; may be ``async``. Returns None, the user's id, or the arguments of
            ``gp.auth.login`` by name.
        earlier_secrets: Of API keys that this client's takes the place of; cookies that they sealed stay good.
    """
    hosting = Hosting(gp, get_user, earlier_secrets)
    router = APIRouter(include_in_schema=False)  # they are for one's own pages

    def add(path: str, method: str, route: Route) -> None:
        async def endpoint(request: Request) -> Response:
            answer = await hosting.aanswer(route(facts_in_scope(request.scope)), lambda: hosting.aask(request))
            return Response(answer.json, answer.status, answer.headers, "application/json")

        router.add_api_route(path, endpoint, methods=[method])

    add("/session", "GET", hosting.routes.get)
    add("/session/refresh", "POST", hosting.routes.refresh)
    add("/session/end", "POST", hosting.routes.end)
    return router
