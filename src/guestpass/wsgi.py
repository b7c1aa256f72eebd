"""Protect any WSGI application: Bottle, Pyramid, or one without a framework.

    auth = SessionAuth()                                      # reads GUESTPASS_ISSUER
    application = auth.require("read_invoices")(application)  # 401, 403 and 503 are answered

Within, ``auth.session(environ)`` is the session. Apache's mod_wsgi hands the token on with ``WSGIPassAuthorization On``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from guestpass._bearer import Demand, Gate, Refusal, demand_of, shown_in_environ
from guestpass.verify import Session, Verifier

__all__ = ["Session", "SessionAuth", "Verifier"]


class SessionAuth(Gate):
    """Holds the requests of WSGI applications against one verifier; see ``Gate``."""

    def require(
        self, operation: str | None = None, /, *, max_age_seconds: int | None = None
    ) -> Callable[[WSGIApplication], WSGIApplication]:
        """Return a middleware that lets in who has a good token, with ``operation`` among its own where one is named.

        Raises: ValidationFailed, when it is written, for an operation that there cannot be.
        """
        demand = demand_of(operation, max_age_seconds)
        return lambda application: RequireSession(application, self, demand)

    def session(self, environ: WSGIEnvironment) -> Session:
        """Return the session that ``require`` let in. Raises: RuntimeError where none did."""
        return self.admitted(environ)

    def optional(self, environ: WSGIEnvironment) -> Session | None:
        """Return the session of whoever shows a good token, and None for everybody else."""
        return self.attach(environ, shown_in_environ(environ)).session


class RequireSession:
    """Middleware: lets in, or answers."""

    def __init__(self, application: WSGIApplication, auth: SessionAuth, demand: Demand) -> None:
        self.application = application
        self.auth = auth
        self.demand = demand

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        visit = self.auth.attach(environ, shown_in_environ(environ), self.demand.max_age_seconds)
        found = visit.decide(self.demand)
        if not isinstance(found, Refusal):
            return self.application(environ, start_response)
        body = found.json
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **found.headers}
        start_response(f"{found.status} {HTTPStatus(found.status).phrase}", list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
