"""Protect an API of Django REST framework: who it is by an authentication class, what he may by a permission.

    REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["guestpass.drf.GuestpassAuthentication"]}

    from guestpass.drf import require

    class Invoices(APIView):
        permission_classes = [require("read_invoices")]

        def get(self, request):
            return Response({"user": request.auth.user_id})

``request.auth`` is the session, ``request.user`` its user. The issuer is set as for ``guestpass.django``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from guestpass import django
from guestpass._bearer import Demand, Gate, Refusal, Visit, demand_of, refusal_of, shown_in_environ
from guestpass.verify import Session

__all__ = ["GuestpassAuthentication", "Refused", "Session", "SessionUser", "require"]


class Refused(APIException):  # type: ignore[misc]  # REST framework has no types
    """A refusal under way to its answer; ``detail`` is the body, so that REST framework answers it as it is."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(dict(refusal.body), refusal.code)
        self.status_code = refusal.status


@dataclass(frozen=True, slots=True)
class SessionUser:
    """The user of a session, by your own id; no row of a table."""

    id: str
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True

    @property
    def pk(self) -> str:
        return self.id

    def __str__(self) -> str:
        return self.id


class GuestpassAuthentication(BaseAuthentication):  # type: ignore[misc]
    """Says who it is by a session token. A request without one is left to the other classes; a bad one is refused.

    Attributes:
        auth: The gate; by default that of ``guestpass.django``.
        max_age_seconds: In a class of your own: refuse a good token that was issued longer ago.
    """

    auth: ClassVar[Gate] = django.auth
    max_age_seconds: ClassVar[int | None] = None

    def authenticate(self, request: Request) -> tuple[SessionUser, Session] | None:
        """Raises: Refused (401, or 503 where the token cannot be checked)."""
        visit = self.auth.attach(request.META, shown_in_environ(request.META), self.max_age_seconds)
        if visit.error is not None:
            view = (request.parser_context or {}).get("view")
            raise _refused(refusal_of(visit.error, visit.request_id), view)
        if visit.session is None:
            return None
        return SessionUser(visit.session.user_id), visit.session

    def authenticate_header(self, _: Request) -> str:
        return "Bearer"


def require(operation: str | None = None, /) -> type[BasePermission]:
    """Return a permission class: the session that was authenticated, with ``operation`` where one is named.

    Who was authenticated in another way is not let in, but another class joined by ``|`` may.

    Raises: ValidationFailed, when it is written, for an operation that there cannot be.
    """
    demand = demand_of(operation, None)

    class RequireSession(BasePermission):  # type: ignore[misc]
        def has_permission(self, request: Request, view: Any) -> bool:
            return _may(request, view, demand)

    return RequireSession


def _may(request: Request, view: Any, demand: Demand) -> bool:
    visit = Visit(django.auth, shown_in_environ(request.META))
    if isinstance(request.auth, Session):
        visit.session = request.auth
    elif request.successful_authenticator is not None:
        return False
    elif not any(isinstance(one, GuestpassAuthentication) for one in request.authenticators):
        raise ImproperlyConfigured("require() needs guestpass.drf.GuestpassAuthentication in authentication_classes.")
    found = visit.decide(demand)
    if isinstance(found, Refusal):
        raise _refused(found, view)
    return True


def _refused(refusal: Refusal, view: Any) -> Refused:
    """REST framework takes the headers of any answer from its view, and hardly any from an exception."""
    if view is not None:
        view.headers.update(refusal.headers)
    return Refused(refusal)
