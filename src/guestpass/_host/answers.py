"""What a host route answers: a session for the page, or a refusal in the shape of all of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from guestpass._host.effects import PageToken
from guestpass.errors import (
    CustomerBlocked,
    GuestpassError,
    InternalError,
    RateLimited,
    RefreshTokenError,
    ServiceError,
    SessionSuspended,
    Unavailable,
)

_UNAUTHORIZED = 401
_LOG_HAS_IT = "Something broke; the log of this site has it."
_CANNOT_SAY = "The service does not answer just now. Try again after Retry-After seconds."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, as JSON. ``refused`` and ``fault`` are for the log: why not, and what the host has to mend."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    refused: GuestpassError | None = None
    fault: GuestpassError | None = None

    @property
    def json(self) -> bytes:
        return json.dumps(self.body).encode()


def of_session(token: PageToken, csrf_token: str, *, cookie: str | None, request_id: str) -> Answer:
    """Answer a page its access token. ``cookie``: the Set-Cookie, where there is one."""
    body = {
        "sessionToken": token.access_token,
        "expiresAt": _rfc3339(token.access_token_expires_at),
        "expiresIn": token.access_token_expires_in,
        "csrfToken": csrf_token,
    }
    return Answer(status=200, body=body, headers=_headers(request_id, cookie))


def of_end(tokens_revoked: int | None, *, cookie: str | None, request_id: str) -> Answer:
    return Answer(status=200, body={"tokensRevoked": tokens_revoked}, headers=_headers(request_id, cookie))


def refusal(error: GuestpassError, *, request_id: str, cookie: str | None = None, allow: str | None = None) -> Answer:
    """Answer what these routes themselves refuse."""
    headers = _headers(request_id, cookie)
    if error.status == _UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if allow is not None:
        headers["Allow"] = allow
    body = {"code": error.code, "message": error.message, "requestId": request_id}
    return Answer(status=error.status, body=body, headers=headers, refused=error)


def of_service(error: GuestpassError, *, request_id: str, cookie: str | None = None) -> Answer:
    """Answer for what the service said, where no route knows better.

    What says something of the user or of the moment is passed on. All else is the host's to mend, and none of the page's
    business: a 401 for a wrong API key would sign its user out.
    """
    if isinstance(error, CustomerBlocked):
        return refusal(CustomerBlocked("This account may not open a session."), request_id=request_id)
    if isinstance(error, RefreshTokenError | SessionSuspended):
        return refusal(error, request_id=request_id, cookie=cookie)
    if isinstance(error, ServiceError):
        kind = RateLimited if isinstance(error, RateLimited) else Unavailable
        answer = refusal(kind("" if kind is RateLimited else _CANNOT_SAY), request_id=request_id)
        wait = {"Retry-After": str(error.retry_after_seconds or 1)}
        return Answer(status=answer.status, body=answer.body, headers={**answer.headers, **wait}, refused=error)
    answer = refusal(InternalError(_LOG_HAS_IT), request_id=request_id)
    return Answer(status=answer.status, body=answer.body, headers=answer.headers, fault=error)


def _headers(request_id: str, cookie: str | None) -> dict[str, str]:
    headers = {"Cache-Control": "no-store", "Vary": "Cookie, Authorization", "X-Request-Id": request_id}
    return headers if cookie is None else headers | {"Set-Cookie": cookie}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
