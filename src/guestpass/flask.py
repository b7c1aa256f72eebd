"""Protect a Flask application.

    auth = SessionAuth()              # reads GUESTPASS_ISSUER

    @app.get("/invoices")
    @auth.require("read_invoices")
    def invoices():
        return {"user": auth.session().user_id}

A blueprint is protected whole by a function that does nothing more: ``@blueprint.before_request`` above
``@auth.require("read_invoices")`` above ``def only_with_a_token(): ...``.

Keep a session in a cookie of your own origin:

    app.register_blueprint(session_routes(gp, get_user), url_prefix="/api")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec

from flask import Blueprint, Response, abort, current_app, request

from guestpass._bearer import Gate, Refusal, demand_of, shown_in_environ
from guestpass._host.facts import facts_in_environ
from guestpass._host.hosting import Client, GetUser, Hosting
from guestpass._host.routes import Route
from guestpass.verify import Session, Verifier

__all__ = ["Session", "SessionAuth", "Verifier", "session_routes"]

P = ParamSpec("P")


class SessionAuth(Gate):
    """Holds the requests of Flask applications against one verifier; see ``Gate``."""

    def require(
        self, operation: str | None = None, /, *, max_age_seconds: int | None = None
    ) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
        """Return a decorator, below the route's: good tokens pass, with ``operation`` where one is named.

        All others are answered 401, 403 or 503. Views may be ``async``.

        Raises: ValidationFailed, when it is written, for an operation that there cannot be.
        """
        demand = demand_of(operation, max_age_seconds)

        def guard(view: Callable[P, Any]) -> Callable[P, Any]:
            is_async = iscoroutinefunction(view)

            @wraps(view)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                environ = request.environ
                found = self.attach(environ, shown_in_environ(environ), demand.max_age_seconds).decide(demand)
                if isinstance(found, Refusal):
                    abort(Response(found.json, found.status, found.headers, content_type="application/json"))
                return current_app.ensure_sync(view)(*args, **kwargs) if is_async else view(*args, **kwargs)

            return guarded

        return guard

    def session(self) -> Session:
        """Return the session that ``require`` let in. Raises: RuntimeError where none did."""
        return self.admitted(request.environ)

    def optional(self) -> Session | None:
        """Return the session of whoever shows a good token, and None for everybody else."""
        return self.attach(request.environ, shown_in_environ(request.environ)).session


def session_routes(gp: Client, get_user: GetUser, *, earlier_secrets: Sequence[str] = ()) -> Blueprint:
    """Return the routes that keep a renewable session in a cookie: see docs/cookies-and-csrf.md.

    Args:
        gp: A ``Guestpass``.
        get_user: Is given ``flask.request``; may be ``async``. Returns None, the user's id, or the arguments of
            ``gp.auth.login`` by name.
        earlier_secrets: Of API keys that this client's takes the place of; cookies that they sealed stay good.

    Raises: TypeError for an ``AsyncGuestpass``, which belongs to one event loop.
    """
    hosting = Hosting(gp, get_user, earlier_secrets)
    if hosting.awaits:
        raise TypeError("Flask answers in threads: give session_routes() a Guestpass, not an AsyncGuestpass")
    blueprint = Blueprint("guestpass", __name__)

    def add(path: str, method: str, route: Route) -> None:
        def view() -> Response:
            answer = hosting.answer(
                route(facts_in_environ(request.environ)), lambda: current_app.ensure_sync(get_user)(request)
            )
            return Response(answer.json, answer.status, answer.headers, content_type="application/json")

        blueprint.add_url_rule(path, path, view, methods=[method])

    add("/session", "GET", hosting.routes.get)
    add("/session/refresh", "POST", hosting.routes.refresh)
    add("/session/end", "POST", hosting.routes.end)
    return blueprint
