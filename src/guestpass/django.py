"""Protect Django views; for Django REST framework see ``guestpass.drf``.

    GUESTPASS = {"issuer": "https://guestpass.example.com/live"}     # settings.py: the arguments of Verifier

    from guestpass.django import auth

    @auth.require("read_invoices")
    def invoices(request):
        return JsonResponse({"user": auth.session(request).user_id})

Without the setting, ``GUESTPASS_ISSUER`` is read. Class-based views: ``@method_decorator(auth.require(…), name="dispatch")``,
or above ``async def get`` where the handlers are async.

Keep a session in a cookie of your own origin:

    urlpatterns = [path("api/", include(session_routes(gp, get_user)))]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, wraps
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from guestpass._bearer import Gate, Refusal, demand_of, shown_in_environ
from guestpass._host.answers import Answer
from guestpass._host.facts import Facts, facts_in_environ
from guestpass._host.hosting import Client, GetUser, Hosting
from guestpass._host.routes import Route
from guestpass.verify import Session, Verifier

__all__ = ["Session", "SessionAuth", "Verifier", "auth", "session_routes"]

View = Callable[..., Any]


class SessionAuth(Gate):
    """Holds the requests of Django views against one verifier; see ``Gate``. Most projects need no other than ``auth``."""

    def __init__(self, verifier: Verifier | None = None) -> None:
        if verifier is not None:
            self.verifier = verifier

    @cached_property
    def verifier(self) -> Verifier:  # type: ignore[override]
        """Made when it is first needed: settings are not there while modules are imported."""
        return Verifier(**getattr(settings, "GUESTPASS", {}))

    def require(self, operation: str | None = None, /, *, max_age_seconds: int | None = None) -> Callable[[View], View]:
        """Return a decorator of views: good tokens pass, with ``operation`` among their own where one is named.

        All others are answered 401, 403 or 503. The view is exempt from the CSRF check: no page of another site can
        make a browser send this header, and without it nobody passes. Views may be ``async``.

        Raises: ValidationFailed, when it is written, for an operation that there cannot be.
        """
        demand = demand_of(operation, max_age_seconds)

        def guard(view: View) -> View:
            if iscoroutinefunction(view):

                @wraps(view)
                async def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                    visit = await self.aattach(request.META, shown_in_environ(request.META), demand.max_age_seconds)
                    found = visit.decide(demand)
                    return _answer(found) if isinstance(found, Refusal) else await view(request, *args, **kwargs)

            else:

                @wraps(view)
                def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                    visit = self.attach(request.META, shown_in_environ(request.META), demand.max_age_seconds)
                    found = visit.decide(demand)
                    return _answer(found) if isinstance(found, Refusal) else view(request, *args, **kwargs)

            guarded.csrf_exempt = True  # type: ignore[attr-defined]
            return guarded

        return guard

    def session(self, request: HttpRequest) -> Session:
        """Return the session that ``require`` let in. Raises: RuntimeError where none did."""
        return self.admitted(request.META)

    def optional(self, request: HttpRequest) -> Session | None:
        """Return the session of whoever shows a good token, and None for everybody else."""
        return self.attach(request.META, shown_in_environ(request.META)).session

    async def aoptional(self, request: HttpRequest) -> Session | None:
        """Do what ``optional`` does, awaited."""
        return (await self.aattach(request.META, shown_in_environ(request.META))).session


auth = SessionAuth()


def session_routes(gp: Client, get_user: GetUser, *, earlier_secrets: Sequence[str] = ()) -> list[URLPattern]:
    """Return the addresses that keep a renewable session in a cookie: see docs/cookies-and-csrf.md.

    The views are exempt from Django's CSRF check, since they have their own.

    Args:
        gp: A ``Guestpass``, or for views that are ``async`` an ``AsyncGuestpass``.
        get_user: Is given the ``HttpRequest``; may be ``async``. Returns None, the user's id, or the arguments of
            ``gp.auth.login`` by name.
        earlier_secrets: Of API keys that this client's takes the place of; cookies that they sealed stay good.
    """
    hosting = Hosting(gp, get_user, earlier_secrets)
    ask = async_to_sync(get_user) if iscoroutinefunction(get_user) else get_user
    aask = get_user if iscoroutinefunction(get_user) else sync_to_async(get_user)

    def view_of(route: Route) -> View:
        def view(request: HttpRequest) -> HttpResponse:
            return _told(hosting.answer(route(_facts(request)), lambda: ask(request)))

        async def aview(request: HttpRequest) -> HttpResponse:
            return _told(await hosting.aanswer(route(_facts(request)), lambda: aask(request)))

        found: Any = aview if hosting.awaits else view
        found.csrf_exempt = True
        return found  # type: ignore[no-any-return]

    return [
        path("session", view_of(hosting.routes.get)),
        path("session/refresh", view_of(hosting.routes.refresh)),
        path("session/end", view_of(hosting.routes.end)),
    ]


def _facts(request: HttpRequest) -> Facts:
    """Believe Django about the address: it knows which proxy to trust. ASGI's META has no scheme of WSGI."""
    environ = {**request.META, "wsgi.url_scheme": request.scheme}
    return replace(facts_in_environ(environ), host=request.get_host())


def _told(answer: Answer) -> HttpResponse:
    headers = dict(answer.headers)
    cookie = headers.pop("Set-Cookie", "")
    response = HttpResponse(answer.json, status=answer.status, headers=headers, content_type="application/json")
    response.cookies.load(cookie)  # where Django's own middleware and test client look for it
    return response


def _answer(refusal: Refusal) -> HttpResponse:
    return HttpResponse(
        refusal.json, status=refusal.status, headers=dict(refusal.headers), content_type="application/json"
    )
