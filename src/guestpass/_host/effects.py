"""What a route may ask for: who is signed in at the host, and four calls to the service. A driver carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class AskHost:
    """Call ``get_user``."""


@dataclass(frozen=True, slots=True)
class LogIn:
    """Open a session; ``arguments`` are those of ``gp.auth.login``. Answers a ``Pair``."""

    arguments: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """Get an access token of the session ``sess_…``, rotating nothing. Answers an ``AccessToken``."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """Use a refresh token. Answers a ``Pair``."""

    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogOut:
    """End the session of a refresh token. Answers an ``Ended``."""

    refresh_token: str = field(repr=False)


CallEffect: TypeAlias = LogIn | Access | Refresh | LogOut
Effect: TypeAlias = AskHost | CallEffect


class PageToken(Protocol):
    """What a page gets."""

    @property
    def access_token(self) -> str: ...
    @property
    def access_token_expires_at(self) -> datetime: ...
    @property
    def access_token_expires_in(self) -> int: ...


class AccessToken(PageToken, Protocol):
    """An access token by the session's id."""

    @property
    def suspended(self) -> bool: ...


class Pair(PageToken, Protocol):
    """An access token, and the refresh token for the cookie."""

    @property
    def refresh_token(self) -> str: ...
    @property
    def refresh_token_expires_at(self) -> datetime: ...


class Ended(Protocol):
    """How many sessions a sign-out ended."""

    @property
    def tokens_revoked(self) -> int | None: ...


class Auth(Protocol):
    """``gp.auth`` of a client of either kind: what one answers, the other promises."""

    def login(self, **arguments: Any) -> Any: ...
    def access_token(self, *, session_id: str) -> Any: ...
    def refresh(self, *, refresh_token: str) -> Any: ...
    def logout(self, *, refresh_token: str) -> Any: ...


def perform(effect: CallEffect, auth: Auth) -> Any:
    """Make the call that an effect names. Raises: whatever the client does."""
    match effect:
        case LogIn(arguments):
            return auth.login(**arguments)
        case Access(session_id):
            return auth.access_token(session_id=session_id)
        case Refresh(refresh_token):
            return auth.refresh(refresh_token=refresh_token)
        case LogOut(refresh_token):
            return auth.logout(refresh_token=refresh_token)
