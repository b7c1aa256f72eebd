"""Every error a user can meet: one stable code each, with its HTTP status.

    GuestpassError
    ├── RequestError                  what was sent cannot be accepted
    │   ├── ValidationFailed          VALIDATION_ERROR
    │   ├── InvalidExpiration         INVALID_EXPIRATION
    │   ├── InvalidNotBefore          INVALID_NOT_BEFORE
    │   ├── NotFound                  NOT_FOUND
    │   ├── MethodNotAllowed          METHOD_NOT_ALLOWED
    │   ├── Conflict                  CONFLICT
    │   ├── IdempotencyConflict       IDEMPOTENCY_CONFLICT
    │   ├── PayloadTooLarge           PAYLOAD_TOO_LARGE
    │   └── UnsupportedMediaType      UNSUPPORTED_MEDIA_TYPE
    ├── CallerError                   who called
    │   ├── Unauthorized              UNAUTHORIZED
    │   ├── RequestReplayed           REQUEST_REPLAYED
    │   ├── Forbidden                 FORBIDDEN
    │   ├── CustomerBlocked           CUSTOMER_BLOCKED
    │   └── CsrfFailed                CSRF_FAILED
    ├── TokenError                    the token that was shown (401)
    │   └── TokenMissing … SessionSuspended
    ├── OperationNotAllowed           the token is good, the operation is not in it (403)
    ├── RefreshTokenError             the refresh token that was shown (401)
    │   └── RefreshTokenInvalid … RefreshTokenReused
    └── ServiceError                  our side
        ├── RateLimited               RATE_LIMITED
        ├── JwtConfigurationError     JWT_CONFIGURATION_ERROR
        ├── InternalError             INTERNAL_ERROR
        └── Unavailable               UNAVAILABLE

A code never changes its meaning. ``spec/errors.json`` is this file written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Detail:
    """One field that broke one rule: ``path`` like ``allowedOperations[0]``, and the rule in words."""

    path: str
    message: str


class GuestpassError(Exception):
    """Root of all errors of this package.

    Args:
        message: One sentence for the person who reads it. Public: never a credential, SQL or a path.
        details: The fields at fault, where there are any.
        internal: For the server's log only; never sent.

    The clients add ``request_id``, the ``X-Request-Id`` of the answer, for support. A refused token whose signature
    holds adds ``session_id`` (``sess_…``), for the log.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    meaning: ClassVar[str] = "Something broke on the server."
    remedy: ClassVar[str] = ""  # what to do, of errors about tokens
    oauth_error: str | None = None  # in the words of RFC 6749 section 5.2, where they do not follow from the class

    def __init__(
        self,
        message: str = "",
        *,
        details: tuple[Detail, ...] = (),
        internal: str = "",
        retry_after_seconds: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self.message = message or self.meaning
        super().__init__(self.message)
        self.details = details
        self.internal = internal
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id
        self.session_id: str | None = None


class RequestError(GuestpassError):
    """What was sent cannot be accepted; sending the same again will not help."""

    code = "VALIDATION_ERROR"
    status = 400


class ValidationFailed(RequestError):
    code = "VALIDATION_ERROR"
    meaning = "The request has a field that breaks a rule; details name it."

    @classmethod
    def of(cls, field: str, rule: str) -> Self:
        """Return the error for one field that broke one rule."""
        return cls(f"{field} {rule}.", details=(Detail(field, rule),))


class InvalidExpiration(RequestError):
    code = "INVALID_EXPIRATION"
    meaning = "The life asked for is not whole seconds within the allowed range."


class InvalidNotBefore(RequestError):
    code = "INVALID_NOT_BEFORE"
    meaning = "The start asked for is too far in the past, or not before the end."


class NotFound(RequestError):
    code = "NOT_FOUND"
    status = 404
    meaning = "There is nothing here, or it is not yours."


class MethodNotAllowed(RequestError):
    code = "METHOD_NOT_ALLOWED"
    status = 405
    meaning = "This address exists, but not with this method; Allow names the methods."


class Conflict(RequestError):
    code = "CONFLICT"
    status = 409
    meaning = "The thing is not in a state that allows this, or what an Idempotency-Key stands for has ended."


class IdempotencyConflict(RequestError):
    code = "IDEMPOTENCY_CONFLICT"
    status = 409
    meaning = "This Idempotency-Key was used with another body; a new request needs a new key."


class PayloadTooLarge(RequestError):
    code = "PAYLOAD_TOO_LARGE"
    status = 413
    meaning = "The body is over 64 KiB."


class UnsupportedMediaType(RequestError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    meaning = "Send the body as JSON, with the header Content-Type: application/json."


class CallerError(GuestpassError):
    """Who called is unknown, or may not do this."""

    code = "UNAUTHORIZED"
    status = 401


class Unauthorized(CallerError):
    code = "UNAUTHORIZED"
    meaning = "No API key was sent, or it is not one that works here."


class RequestReplayed(CallerError):
    code = "REQUEST_REPLAYED"
    meaning = "This signed request was already accepted once; send X-API-Nonce."


class Forbidden(CallerError):
    code = "FORBIDDEN"
    status = 403
    meaning = "The API key is good, but it may not do this."


class CustomerBlocked(CallerError):
    code = "CUSTOMER_BLOCKED"
    status = 403
    meaning = "The customer is blocked; unblock before minting."


class CsrfFailed(CallerError):
    code = "CSRF_FAILED"
    status = 403
    meaning = "The request did not prove that it came from the page that owns the cookie."


class TokenError(GuestpassError):
    """The token that was shown is not accepted. The code says why; nothing of the token is repeated."""

    code = "TOKEN_MALFORMED"
    status = 401


class TokenMissing(TokenError):
    code = "TOKEN_MISSING"
    meaning = "No token was sent; send Authorization: Bearer <token>."
    remedy = "Send the token; it may have been lost by a proxy, or a page that asked before it had one."


class TokenMalformed(TokenError):
    code = "TOKEN_MALFORMED"
    meaning = "This is not a token of ours: its shape is wrong."
    remedy = "Send the token exactly as it was answered, without quotes, line breaks or anything cut off."


class TokenEnvironmentMismatch(TokenError):
    code = "TOKEN_ENVIRONMENT_MISMATCH"
    meaning = "A test token met a live service, or the reverse."
    remedy = "Use tokens of test keys with the test environment, and of live keys with live."


class TokenAlgorithmRefused(TokenError):
    code = "TOKEN_ALGORITHM_REFUSED"
    meaning = "The token names an algorithm that this verifier does not use with this key."
    remedy = "Take tokens from this issuer alone; it never changes the algorithm of a key."


class TokenKeyUnknown(TokenError):
    code = "TOKEN_KEY_UNKNOWN"
    meaning = "The token names a signing key that the issuer does not publish (any more)."
    remedy = "Fetch a new token. If that is refused too, the verifier has the keys of another issuer, or old ones."


class TokenSignatureInvalid(TokenError):
    code = "TOKEN_SIGNATURE_INVALID"
    meaning = "The signature does not fit the token: it was changed, or made by someone else."
    remedy = "Send the token unchanged. If it is, its issuer is not the one whose keys are used here."


class TokenTypeMismatch(TokenError):
    code = "TOKEN_TYPE_MISMATCH"
    meaning = "This kind of token is not accepted here."
    remedy = "Send the kind of token that the route names."


class TokenIssuerMismatch(TokenError):
    code = "TOKEN_ISSUER_MISMATCH"
    meaning = "The token comes from another issuer."
    remedy = "Compare the issuer that the verifier was given with the iss of the token, byte for byte."


class TokenAudienceMismatch(TokenError):
    code = "TOKEN_AUDIENCE_MISMATCH"
    meaning = "The token was made for another audience."
    remedy = "Compare the audience that the verifier was given with the aud of the token."


class TokenDestinationMismatch(TokenError):
    code = "TOKEN_DESTINATION_MISMATCH"
    meaning = "The script token was made for another host."
    remedy = "Compare the host that the verifier was given with the dest of the token."


class TokenProjectMismatch(TokenError):
    code = "TOKEN_PROJECT_MISMATCH"
    meaning = "The token belongs to another project."
    remedy = "Use a key and a verifier of one project."


class TokenExpired(TokenError):
    code = "TOKEN_EXPIRED"
    meaning = "The token's life is over."
    remedy = "Fetch a new token; our browser SDK does so in time. If it was new, compare the clocks."


class TokenNotYetValid(TokenError):
    code = "TOKEN_NOT_YET_VALID"
    meaning = "The token's life has not begun."
    remedy = "Wait for its notBefore, or compare the clocks of the issuer and the verifier."


class TokenTooOld(TokenError):
    code = "TOKEN_TOO_OLD"
    meaning = "The token is good, but older than this call allows."
    remedy = "Fetch a new token: this call wants a fresh one."


class TokenRevoked(TokenError):
    code = "TOKEN_REVOKED"
    meaning = "The session was ended before its time."
    remedy = "Let the user sign in again; whether a new token is minted is for your backend to decide."

    def __init__(self, message: str = "", *, reissue: bool = False, internal: str = "") -> None:
        super().__init__(message, internal=internal)
        self.reissue = reissue


class TokenReplayed(TokenError):
    code = "TOKEN_REPLAYED"
    meaning = "The token was already used as often as it may be."
    remedy = "Fetch a new token; this one has had its uses."


class SessionSuspended(TokenError):
    code = "SESSION_SUSPENDED"
    meaning = "The session is suspended; only the operations named in discovery go on."
    remedy = "Let the user sign in again, which opens a new session."


class OperationNotAllowed(GuestpassError):
    """The token is good; the operation asked for is not among its operations."""

    code = "OPERATION_NOT_ALLOWED"
    status = 403
    meaning = "The token does not allow this operation."
    remedy = "Mint with this operation in allowedOperations, under a key that may grant it."


class RefreshTokenError(GuestpassError):
    """The refresh token that was shown is not accepted."""

    code = "REFRESH_TOKEN_INVALID"
    status = 401


class RefreshTokenInvalid(RefreshTokenError):
    code = "REFRESH_TOKEN_INVALID"
    meaning = "This is not a refresh token that this server knows."


class RefreshTokenExpired(RefreshTokenError):
    code = "REFRESH_TOKEN_EXPIRED"
    meaning = "The refresh token's life is over; sign in again."


class RefreshTokenRevoked(RefreshTokenError):
    code = "REFRESH_TOKEN_REVOKED"
    meaning = "The session was ended; sign in again."


class RefreshTokenReused(RefreshTokenError):
    code = "REFRESH_TOKEN_REUSED"
    meaning = "An old refresh token was used again; the session was ended, since it may be stolen."


class ServiceError(GuestpassError):
    """Our side: the request may be right; try again later."""


class RateLimited(ServiceError):
    code = "RATE_LIMITED"
    status = 429
    meaning = "Too many failed credentials, mints or requests within a minute; wait for Retry-After seconds."


class JwtConfigurationError(ServiceError):
    code = "JWT_CONFIGURATION_ERROR"
    meaning = "The server has no usable signing key or issuer."


class InternalError(ServiceError):
    code = "INTERNAL_ERROR"
    meaning = "Something broke on the server; the log has it under this requestId."


class Unavailable(ServiceError):
    code = "UNAVAILABLE"
    status = 503
    meaning = "The store does not answer just now. Try again after Retry-After seconds."


# A browser refetches once on these (header Guestpass-Retry: token); TOKEN_REVOKED joins
# them only when the revoke said ``reissue``.
RETRY_TOKEN_CODES = frozenset({"TOKEN_EXPIRED", "TOKEN_TOO_OLD", "TOKEN_KEY_UNKNOWN", "TOKEN_REPLAYED"})


def asks_for_a_new_token(error: GuestpassError) -> bool:
    """Whether a browser should fetch a fresh token and retry once (header ``Guestpass-Retry: token``)."""
    return error.code in RETRY_TOKEN_CODES or (isinstance(error, TokenRevoked) and error.reissue)


def all_errors() -> Iterator[type[GuestpassError]]:
    """Yield every class that owns a code, in the order of the tree."""
    waiting: list[type[GuestpassError]] = [GuestpassError]
    while waiting:
        kind = waiting.pop(0)
        waiting[:0] = kind.__subclasses__()
        if not kind.__subclasses__():
            yield kind


ERRORS: dict[str, type[GuestpassError]] = {kind.code: kind for kind in all_errors()}
