"""Errors out: the one place where an error of ours becomes an answer and a log line."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from guestpass.errors import (
    CallerError,
    CustomerBlocked,
    Detail,
    GuestpassError,
    InternalError,
    OperationNotAllowed,
    RateLimited,
    RefreshTokenError,
    RequestError,
    TokenError,
    TokenMissing,
    Unauthorized,
    Unavailable,
    asks_for_a_new_token,
)
from guestpass.server import credentials
from guestpass.server.http.exchange import NO_STORE, Answer, Headers, answer

DEFAULT_RETRY_AFTER_SECONDS = 1
_GRANT_REFUSED = 400
_UNAUTHENTICATED = 401
ERROR_DOCS_PATH = "/docs/errors"


_OAUTH_ERRORS: dict[type[GuestpassError], str] = {
    RequestError: "invalid_request",
    CustomerBlocked: "invalid_grant",
    Unauthorized: "invalid_client",
    CallerError: "unauthorized_client",
    RefreshTokenError: "invalid_grant",
    RateLimited: "temporarily_unavailable",
    Unavailable: "temporarily_unavailable",
}


class ErrorDetail(Struct):
    path: str
    message: str


_NAMES = {"doc_url": "docUrl", "request_id": "requestId"}


class ErrorBody(Struct, rename=lambda name: _NAMES.get(name, name), omit_defaults=True, kw_only=True):
    """The one shape of every error."""

    code: str
    message: str
    doc_url: str
    request_id: str
    details: list[ErrorDetail] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    error_description: Annotated[str | UnsetType, Meta(description="OAuth routes say both (RFC 6749 section 5.2).")] = (
        UNSET
    )


def as_guestpass_error(error: Exception) -> GuestpassError:
    """Return an error that may be shown: ours as it is, any other without a word about its inside."""
    return error if isinstance(error, GuestpassError) else InternalError(internal=f"{type(error).__name__}: {error}")


def problem(error: GuestpassError, *, base_url: str, request_id: str, oauth: bool = False) -> Answer:
    """Write an error as an answer: RFC 6750 section 3 for who may not, Retry-After for what may pass.

    ``oauth``: also say ``error`` and ``error_description``.
    """
    status = status_of(type(error), oauth=oauth)
    body = ErrorBody(
        code=error.code,
        message=credentials.without(error.message),
        doc_url=f"{base_url}{ERROR_DOCS_PATH}#{error.code}",
        request_id=request_id,
        details=[_shown(detail) for detail in error.details] or UNSET,
        error=_oauth_error(error) if oauth else UNSET,
        error_description=credentials.without(error.message) if oauth else UNSET,
    )
    return answer(body, status=status, headers=NO_STORE + _headers(error, status))


def status_of(kind: type[GuestpassError], *, oauth: bool) -> int:
    """Return the status of an error; to an OAuth client a grant that is refused is 400 (RFC 6749 section 5.2)."""
    return _GRANT_REFUSED if oauth and issubclass(kind, RefreshTokenError) else kind.status


def _oauth_error(error: GuestpassError) -> str:
    """Name an error in the words of RFC 6749 section 5.2."""
    if error.oauth_error is not None:
        return error.oauth_error
    for kind, name in _OAUTH_ERRORS.items():
        if isinstance(error, kind):
            return name
    return "server_error"


def _shown(detail: Detail) -> ErrorDetail:
    """A path names a field as it was sent, and anything may be sent as a field."""
    return ErrorDetail(credentials.without(detail.path), credentials.without(detail.message))


def _headers(error: GuestpassError, status: int) -> Headers:
    headers: Headers = ()
    if status in (429, 503):
        headers += ((b"retry-after", b"%d" % (error.retry_after_seconds or DEFAULT_RETRY_AFTER_SECONDS)),)
    if asks_for_a_new_token(error):
        headers += ((b"guestpass-retry", b"token"),)
    if isinstance(error, OperationNotAllowed):
        headers += ((b"www-authenticate", b'Bearer error="insufficient_scope"'),)
    elif (
        isinstance(error, TokenError | RefreshTokenError)
        and not isinstance(error, TokenMissing)
        and status == _UNAUTHENTICATED
    ):
        headers += ((b"www-authenticate", f'Bearer error="invalid_token", error_description="{error.code}"'.encode()),)
    elif isinstance(error, TokenMissing | CallerError) and status == _UNAUTHENTICATED:
        headers += ((b"www-authenticate", b"Bearer"),)
    return headers
