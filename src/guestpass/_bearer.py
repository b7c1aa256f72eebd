"""What all adapters do, without a framework: find the token, hold it against the verifier, say no (RFC 6750).

    shown_in_scope, shown_in_environ     request -> what it shows
    Gate.attach, Gate.aattach            what it shows -> Visit, kept on the request, so that a token is used once
    Visit.decide                         Visit and demand -> Session or Refusal

An adapter translates: a Session into whatever its framework hands to a handler, a Refusal into an answer.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from guestpass.core.tokens import operations
from guestpass.errors import (
    Detail,
    GuestpassError,
    OperationNotAllowed,
    ServiceError,
    SessionSuspended,
    TokenError,
    TokenMalformed,
    TokenMissing,
    ValidationFailed,
    asks_for_a_new_token,
)
from guestpass.verify import Session, Verifier, refusals

SUBPROTOCOL = "guestpass"  # new WebSocket(url, ["guestpass", token])
EXPOSED_HEADERS = ("Guestpass-Retry", "Retry-After", "WWW-Authenticate", "X-Request-Id")

POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013  # RFC 6455 section 7.4.1 and its registry

_VISIT = "guestpass.visit"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
_OF_A_CREDENTIAL = re.compile(r"(?:[scr]k|_session|_refresh)_(?:test|live)_|whsec_|eyJ")
# What the way to the issuer looks like is in the log; it is not for strangers.
_CANNOT_SAY = "The token cannot be checked just now. Try again after Retry-After seconds."
_ROOM_FOR_BOTH = "The token was sent twice, in Authorization and as a subprotocol; send it once."


class Shown(NamedTuple):
    """What a request shows. ``token`` is None where it shows none; ``fault``: why what it shows is not looked at."""

    token: str | None
    request_id: str
    fault: TokenError | None = None


class Demand(NamedTuple):
    """What a route asks of a session."""

    operation: str | None = None
    max_age_seconds: int | None = None


class Refusal(NamedTuple):
    """An answer that is no. ``close_code``: for a WebSocket."""

    status: int
    body: Mapping[str, str]
    headers: Mapping[str, str]
    close_code: int

    @property
    def json(self) -> bytes:
        return json.dumps(self.body).encode()

    @property
    def code(self) -> str:
        return self.body["code"]


class Visit:
    """One request at one gate: the session that its token proves, or why there is none.

    With neither, no token was shown: that is an error only where one is required, and only then logged as one.
    """

    __slots__ = ("error", "gate", "max_age_seconds", "request_id", "session")

    def __init__(self, gate: Gate, shown: Shown, max_age_seconds: int | None = None) -> None:
        self.gate = gate
        self.request_id = shown.request_id
        self.max_age_seconds = max_age_seconds
        self.session: Session | None = None
        self.error: GuestpassError | None = shown.fault
        if shown.fault is not None:
            refusals.log(shown.fault, shown.request_id)

    def decide(self, demand: Demand) -> Session | Refusal:
        """Return the session where it may do what is demanded; every other way out is a refusal, logged once.

        A suspended session goes on with the operations that are named for it, and with nothing that names none.
        """
        session, operation = self.session, demand.operation
        if session is not None and (not session.suspended if operation is None else session.allows(operation)):
            return session
        if self.error is not None:
            return refusal_of(self.error, self.request_id)
        error: GuestpassError = TokenMissing()
        if session is not None:
            error = SessionSuspended() if session.suspended else OperationNotAllowed()
            error.session_id = session.id
        refusals.log(error, self.request_id)
        return refusal_of(error, self.request_id, operation)


class Gate:
    """Holds requests against one verifier; the base of every adapter's ``SessionAuth``.

    Args:
        verifier: By default ``Verifier()``, which reads ``GUESTPASS_ISSUER``. It may be replaced, as in tests.

    Raises: ValidationFailed without an issuer.
    """

    def __init__(self, verifier: Verifier | None = None) -> None:
        self.verifier = Verifier() if verifier is None else verifier

    def attach(self, room: MutableMapping[str, Any], shown: Shown, max_age_seconds: int | None = None) -> Visit:
        """Verify what a request shows, once; ``room`` (scope, environ) is the request's own, and keeps the visit."""
        visit = self._known(room, max_age_seconds)
        if visit is None:
            visit = Visit(self, shown, max_age_seconds)
            if shown.token is not None:
                try:
                    visit.session = self.verifier.verify(
                        shown.token, max_age_seconds=max_age_seconds, request_id=shown.request_id
                    )
                except (TokenError, ServiceError) as error:
                    visit.error = error.with_traceback(None)
            room[_VISIT] = visit
        return visit

    async def aattach(self, room: MutableMapping[str, Any], shown: Shown, max_age_seconds: int | None = None) -> Visit:
        """Do what ``attach`` does, awaited."""
        visit = self._known(room, max_age_seconds)
        if visit is None:
            visit = Visit(self, shown, max_age_seconds)
            if shown.token is not None:
                try:
                    visit.session = await self.verifier.averify(
                        shown.token, max_age_seconds=max_age_seconds, request_id=shown.request_id
                    )
                except (TokenError, ServiceError) as error:
                    visit.error = error.with_traceback(None)
            room[_VISIT] = visit
        return visit

    def admitted(self, room: Mapping[str, Any]) -> Session:
        """Return the session of a request that was let in.

        Raises: RuntimeError where nobody looked: a check that is missing must not pass for a guest.
        """
        visit = room.get(_VISIT)
        if visit is None or visit.gate is not self or visit.session is None:
            raise RuntimeError("There is no session on this request: auth.require(...) must stand before this handler.")
        session: Session = visit.session
        return session

    def _known(self, room: Mapping[str, Any], max_age_seconds: int | None) -> Visit | None:
        """Return the visit of before; never another gate's, nor one that asked for less freshness."""
        visit: Visit | None = room.get(_VISIT)
        if visit is None or visit.gate is not self or max_age_seconds not in (None, visit.max_age_seconds):
            return None
        return visit


def demand_of(operation: object, max_age_seconds: int | None) -> Demand:
    """Check what a route is to demand, when it is written. Raises: ValidationFailed, naming the argument."""
    if operation is not None and not isinstance(operation, str):
        raise _refused("operation", 'must be a name: write @auth.require("read_invoices"), or @auth.require()')
    fault = None if operation is None else operations.fault_of_name(operation)
    if fault is not None:
        raise _refused("operation", fault)
    if max_age_seconds is not None and max_age_seconds < 0:
        raise _refused("max_age_seconds", "must be 0 or more")
    return Demand(operation, max_age_seconds)


def shown_in_scope(scope: Mapping[str, Any]) -> Shown:
    """Read an ASGI scope. The token stands in Authorization, or after ``guestpass`` among a WebSocket's subprotocols."""
    authorizations: list[str] = []
    request_id: str | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorizations.append(value.decode("latin-1"))
        elif name == b"x-request-id":
            request_id = value.decode("latin-1")
    return _shown(authorizations, request_id, scope.get("subprotocols") or ())


def shown_in_environ(environ: Mapping[str, Any]) -> Shown:
    """Read a WSGI environ, or Django's ``META``. A header that is sent twice arrives joined by a comma, as no token has."""
    return Shown(_bearer(environ.get("HTTP_AUTHORIZATION", "")), request_id_of(environ.get("HTTP_X_REQUEST_ID")))


def refusal_of(error: GuestpassError, request_id: str, operation: str | None = None) -> Refusal:
    """Write an error as an answer: RFC 6750 section 3 for who may not, Retry-After for what may pass."""
    on_our_side = isinstance(error, ServiceError)
    headers = {"Cache-Control": "no-store", "X-Request-Id": request_id}
    if on_our_side:
        headers["Retry-After"] = str(error.retry_after_seconds or 1)
    else:
        headers["WWW-Authenticate"] = _challenge(error, operation)
    if asks_for_a_new_token(error):
        headers["Guestpass-Retry"] = "token"
    # Without effect where the application answers no CORS; with it, a page can read why, and fetch another token.
    headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED_HEADERS)
    body = {"code": error.code, "message": _CANNOT_SAY if on_our_side else error.message, "requestId": request_id}
    return Refusal(error.status, body, headers, TRY_AGAIN_LATER if on_our_side else POLICY_VIOLATION)


def _challenge(error: GuestpassError, operation: str | None) -> str:
    if isinstance(error, OperationNotAllowed):
        return f'Bearer error="insufficient_scope", scope="{operation}"'
    if isinstance(error, TokenMissing):
        return "Bearer"  # no error where no token was sent (RFC 6750 section 3.1)
    return f'Bearer error="invalid_token", error_description="{error.code}"'


def _shown(authorizations: Sequence[str], request_id: str | None, subprotocols: Sequence[str]) -> Shown:
    own_id = request_id_of(request_id)
    if len(authorizations) > 1:
        return Shown(None, own_id, TokenMalformed("The header Authorization was sent more than once; send it once."))
    token = _bearer(authorizations[0]) if authorizations else None
    if SUBPROTOCOL in subprotocols:
        offered = _after(subprotocols)
        if token is not None and offered is not None:
            return Shown(None, own_id, TokenMalformed(_ROOM_FOR_BOTH))
        token = token or offered
    return Shown(token, own_id)


def _bearer(authorization: str) -> str | None:
    """Another scheme is no token of ours (RFC 6750 section 2.1)."""
    scheme, _, token = authorization.partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


def _after(subprotocols: Sequence[str]) -> str | None:
    at = list(subprotocols).index(SUBPROTOCOL) + 1
    return subprotocols[at] if at < len(subprotocols) else None


def request_id_of(sent: str | None) -> str:
    """Return the caller's where it is well-formed and looks like no credential, which would be logged; else a new one."""
    if sent is not None and _REQUEST_ID.fullmatch(sent) and not _OF_A_CREDENTIAL.search(sent):
        return sent
    return f"req_{random.getrandbits(128):032x}"


def _refused(name: str, rule: str) -> ValidationFailed:
    return ValidationFailed(f"{name} {rule}.", details=(Detail(name, rule),))
