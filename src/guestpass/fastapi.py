"""Protect a FastAPI application.

auth = SessionAuth()              # reads GUESTPASS_ISSUER
app = FastAPI()
auth.install(app)

@app.get("/invoices")
async def invoices(session: Annotated[Session, Depends(auth.require("read_invoices"))]):
    return {"user": session.user_id}
"""

# FastAPI reads the annotations of a dependency, and those of an object's ``__call__`` only where they are no text.

from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response, WebSocketException
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from guestpass._bearer import SUBPROTOCOL, Demand, Gate, Refusal, demand_of, shown_in_scope
from guestpass.asgi import AnswerSubprotocol
from guestpass.verify import Session, Verifier

__all__ = ["SUBPROTOCOL", "Refused", "Session", "SessionAuth", "Verifier"]


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
