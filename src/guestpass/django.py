"""Protect Django views; for Django REST framework see ``guestpass.drf``.

    GUESTPASS = {"issuer": "https://guestpass.example.com/live"}     # settings.py: the arguments of Verifier

    from guestpass.django import auth

    @auth.require("read_invoices")
    def invoices(request):
        return JsonResponse({"user": auth.session(request).user_id})

Without the setting, ``GUESTPASS_ISSUER`` is read. Class-based views: ``@method_decorator(auth.require(…), name="dispatch")``,
or above ``async def get`` where the handlers are async.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from guestpass._bearer import Gate, Refusal, demand_of, shown_in_environ
from guestpass.verify import Session, Verifier

__all__ = ["Session", "SessionAuth", "Verifier", "auth"]

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


def _answer(refusal: Refusal) -> HttpResponse:
    return HttpResponse(
        refusal.json, status=refusal.status, headers=dict(refusal.headers), content_type="application/json"
    )
