"""An answer of the service as a result or as a typed error. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from guestpass.client._retry import retry_after_seconds
from guestpass.errors import (
    ERRORS,
    CallerError,
    Detail,
    GuestpassError,
    RateLimited,
    RequestError,
    ServiceError,
    Unavailable,
)

if TYPE_CHECKING:
    from guestpass.client._outcome import Answer, Lost

T = TypeVar("T")

UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS = 401, 403, 429

# A service never repeats a credential, but a proxy in front of it may echo whole requests.
CREDENTIAL = re.compile(
    r"\bsk_(?:test|live)_[\w-]+"
    r"|\b[a-z]+_(?:session|refresh)_(?:test|live)_[\w.-]+"
    r"|\beyJ[\w-]{8,}\.[\w-]*\.[\w-]*"
    r"|(?i:\b(?:bearer|basic)\s+[\w.~+/=-]{16,})",
)


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class ErrorDetail(msgspec.Struct):
    path: str = ""
    message: str = ""


class ErrorBody(msgspec.Struct, rename="camel"):
    code: str
    message: str = ""
    details: list[ErrorDetail] | None = None
    request_id: str | None = None


def read_answer(answer: Answer, kind: type[T], *, url: str, now: float) -> T:
    """Return the body of a 2xx answer as ``kind``; raise the typed error for any other.

    ``url`` is the server's, for messages, without credentials; ``now`` is Unix time in seconds.
    """
    if not 200 <= answer.status < 300:  # noqa: PLR2004  the 2xx class
        raise error_of(answer, url=url, now=now)
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except UNREADABLE:
        pass  # raised outside: the decoder's error would carry the body along
    raise foreign_answer(answer, url=url, now=now)


def lost_error(lost: Lost, *, url: str, tries: int) -> Unavailable:
    times = "once" if tries == 1 else f"{tries} times"
    return Unavailable(f"No answer from Guestpass at {url}, tried {times}: {redacted(lost.why)}.")


def error_of(answer: Answer, *, url: str, now: float) -> GuestpassError:
    """Return the error an answer names by its code; by its status where the code is new to this version."""
    try:
        body = msgspec.json.decode(answer.body, type=ErrorBody)
    except UNREADABLE:
        return foreign_answer(answer, url=url, now=now)
    kind = ERRORS.get(body.code) or family_of(answer.status)
    error = kind(redacted(body.message))
    error.details = tuple(Detail(redacted(d.path), redacted(d.message)) for d in body.details or ())
    return completed(error, answer, code=body.code, request_id=body.request_id, now=now)


def family_of(status: int) -> type[GuestpassError]:
    if status in {UNAUTHORIZED, FORBIDDEN}:
        return CallerError
    if status == TOO_MANY_REQUESTS:
        return RateLimited
    return RequestError if 400 <= status < 500 else ServiceError  # noqa: PLR2004  the 4xx class


def foreign_answer(answer: Answer, *, url: str, now: float) -> GuestpassError:
    """Return the error for an answer that Guestpass did not write: a proxy's page, or another server."""
    kind = RateLimited if answer.status == TOO_MANY_REQUESTS else Unavailable
    error = kind(
        f"{url} answered {answer.status} with a body that is not Guestpass's. "
        "Does GUESTPASS_URL name the server itself, and is the proxy before it in order?",
    )
    return completed(error, answer, code=kind.code, request_id=None, now=now)


def completed(
    error: GuestpassError, answer: Answer, *, code: str, request_id: str | None, now: float
) -> GuestpassError:
    error.request_id = request_id or answer.header("x-request-id") or None
    error.retry_after_seconds = retry_after_seconds(answer, now)
    # On the instance, since the class may be a family, or the status a proxy's.
    vars(error).update(code=code, status=answer.status)
    return error


def redacted(text: str) -> str:
    """Return the text without anything that has the shape of a credential."""
    return CREDENTIAL.sub("[redacted]", text)
