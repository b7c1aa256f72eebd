"""The ordered checklist that every token goes through. ``verify`` and ``explain`` walk this one table.

A check looks at an ``Inspection`` and returns the error that the token has earned, or None. It may leave
behind what it found for the checks after it. Nothing of the payload is parsed, and no state is looked at,
before the signature holds (the one exception is named where it is made).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from guestpass.core.bounds import LEEWAY_SECONDS_MAX, TOKEN_BYTES_MAX
from guestpass.core.jose import base64url, jws
from guestpass.core.jose.jwk import Algorithm
from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens import kinds, opaque, operations
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.keys import KeySet, Sealed
from guestpass.core.tokens.kinds import BEARER_KINDS, Environment, Kind
from guestpass.errors import (
    GuestpassError,
    OperationNotAllowed,
    TokenAlgorithmRefused,
    TokenAudienceMismatch,
    TokenEnvironmentMismatch,
    TokenExpired,
    TokenIssuerMismatch,
    TokenKeyUnknown,
    TokenMalformed,
    TokenMissing,
    TokenNotYetValid,
    TokenProjectMismatch,
    TokenRevoked,
    TokenSignatureInvalid,
    TokenTooOld,
    TokenTypeMismatch,
)

HS256_ALONE = frozenset[Algorithm]({"HS256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a verifier demands. There is no "any issuer", and no switch that turns a check off.

    Args:
        base: The service's public URL; tells a token of a sibling issuer from a foreign one. Optional.
        algorithms: From our configuration, never from the token; HS256 never beside the others.
        leeway_seconds: For ``exp``, 0 to 60. ``start_leeway_seconds``: for ``nbf`` and ``iat``, 0 to 60.
        max_age_seconds: Refuse a good token whose ``iat`` is older than that.
    """

    issuer: str
    audience: str
    environment: Environment
    project_id: str | None
    algorithms: frozenset[Algorithm]
    accepted_kinds: tuple[Kind, ...] = BEARER_KINDS
    base: str | None = None
    prefix_word: str = kinds.DEFAULT_PREFIX_WORD
    leeway_seconds: int = 0
    start_leeway_seconds: int = 0
    max_age_seconds: int | None = None
    prefix: str = field(init=False)

    def __post_init__(self) -> None:
        for leeway in (self.leeway_seconds, self.start_leeway_seconds):
            if not 0 <= leeway <= LEEWAY_SECONDS_MAX:
                raise ValueError(f"leeway must be 0 to {LEEWAY_SECONDS_MAX} seconds")
        if "HS256" in self.algorithms and self.algorithms != HS256_ALONE:
            raise ValueError("HS256 stands alone: beside it, a public key could be used as the secret")

        object.__setattr__(self, "prefix", kinds.prefix_of(kinds.SESSION, self.environment, word=self.prefix_word))


class State(NamedTuple):
    """What the store knows of a session now. ``token_hash``: of its opaque token."""

    ending: Ending | None
    token_hash: bytes | None = None


class Inspection:
    """One token on its way through the table."""

    __slots__ = (
        "body", "claims", "expect", "header", "keys", "now", "opaque_id", "operation", "payload",
        "prefix", "sealed", "signature", "state", "token",
    )  # fmt: skip

    def __init__(self, token: str, expect: Expectation, keys: KeySet, now: int, operation: str | None = None) -> None:
        self.token = token
        self.expect = expect
        self.keys = keys
        self.now = now
        self.operation = operation
        self.body = self.prefix = self.header = self.payload = self.signature = ""
        self.sealed: Sealed | None = None
        self.opaque_id: str | None = None  # the session that an opaque token names; set by its shape
        self.claims: SessionClaims | None = None
        self.state: State | None = None


def _prefix(ins: Inspection) -> GuestpassError | None:
    token, expect = ins.token, ins.expect
    if not token:
        return TokenMissing()
    if len(token) > TOKEN_BYTES_MAX:
        return TokenMalformed(f"The token is longer than {TOKEN_BYTES_MAX} bytes; it was not read.")
    prefix = expect.prefix
    if token.startswith(prefix):
        ins.prefix = prefix
        ins.body = token[len(prefix) :]
        return None
    ins.body = token
    return None if token.startswith("ey") else _foreign_prefix(token, expect)  # {" in base64url: a bare JWT


def _foreign_prefix(token: str, expect: Expectation) -> GuestpassError | None:
    other = kinds.other_environment(expect.environment)
    if token.startswith(kinds.prefix_of(kinds.SESSION, other, word=expect.prefix_word)):
        return TokenEnvironmentMismatch(f"This is a {other} token; here only {expect.environment} tokens are accepted.")
    if token.startswith(f"{expect.prefix_word}_refresh_"):
        return TokenTypeMismatch("This is a refresh token; it is accepted by the refresh and logout routes only.")
    if token.startswith(("sk_test_", "sk_live_")):
        return TokenMalformed("This is a secret API key, not a token. It must never leave your backend.")
    return None if "." in token else TokenMalformed()


def _shape(ins: Inspection) -> GuestpassError | None:
    rest, _, ins.signature = ins.body.rpartition(".")
    ins.header, _, ins.payload = rest.partition(".")
    if ins.header in ins.keys.by_header:
        return None  # segments that do not decode are found out by the signature and claims checks
    if ins.prefix and "." not in ins.body:
        ins.opaque_id = opaque.session_id_of(ins.token, ins.prefix)
        return None if ins.opaque_id else TokenMalformed("The opaque token was cut or mistyped.")
    return _fault_of_shape(ins)


def _fault_of_shape(ins: Inspection) -> GuestpassError | None:
    if not ins.header or not ins.payload or "." in ins.payload:
        return TokenMalformed("A signed token has three parts, joined by dots.")
    try:
        for segment in (ins.header, ins.payload, ins.signature):
            base64url.decode(segment)
        jws.read_header(ins.header)
    except ValueError as fault:
        return TokenMalformed(internal=str(fault))
    return None


def _algorithm(ins: Inspection) -> GuestpassError | None:
    if ins.opaque_id:
        return None
    ins.sealed = ins.keys.by_header.get(ins.header)
    if ins.sealed is not None:
        return None if ins.sealed.key.algorithm in ins.expect.algorithms else TokenAlgorithmRefused()
    header = jws.read_header(ins.header)
    if header.alg not in ins.expect.algorithms:
        return TokenAlgorithmRefused()
    key = ins.keys.by_kid.get(header.kid or "")
    if key is not None and key.algorithm != header.alg:
        return TokenAlgorithmRefused("The key that the token names belongs to another algorithm.")
    return None


def _key(ins: Inspection) -> GuestpassError | None:
    if ins.opaque_id or ins.sealed is not None:
        return None
    header = jws.read_header(ins.header)
    key = ins.keys.by_kid.get(header.kid or "")
    if key is None:
        return _unknown_key(ins)
    kind = kinds.kind_of_typ(header.typ or "")
    ins.sealed = Sealed(key, kind or kinds.Kind("unknown", None, None, bearer=False))
    return None


def _unknown_key(ins: Inspection) -> GuestpassError:
    """Name the reason by the unverified ``iss``: it chooses a code, and nothing else."""
    expect = ins.expect
    issuer = unverified_issuer(ins.payload)
    if issuer == expect.issuer:
        return TokenKeyUnknown()
    if expect.base is not None:
        own = f"{expect.base}/{expect.environment}"
        other = f"{expect.base}/{kinds.other_environment(expect.environment)}"
        if issuer == other or issuer.startswith(other + "/proj_"):
            return TokenEnvironmentMismatch()
        if issuer == own or issuer.startswith(own + "/proj_"):
            return TokenProjectMismatch()
    return TokenIssuerMismatch()


class _IssuerOnly(msgspec.Struct):
    iss: str


def unverified_issuer(payload_segment: str) -> str:
    """Return the ``iss`` that a payload claims, or empty text. Anyone may have written it."""
    try:
        return msgspec.json.decode(base64url.decode(payload_segment), type=_IssuerOnly).iss
    except ValueError:
        return ""


def _signature(ins: Inspection) -> GuestpassError | None:
    if ins.opaque_id:
        # An unknown id and a wrong secret earn the same answer: which of them it was is nobody's business.
        known = ins.state is not None and ins.state.token_hash is not None
        holds = opaque.is_token_of(ins.token, ins.state.token_hash if known else bytes(32))  # type: ignore[union-attr, arg-type]
        return None if known and holds else TokenSignatureInvalid("The opaque token is not one that this server made.")
    assert ins.sealed is not None  # noqa: S101 - the key check put it there
    signed = ins.body[: len(ins.header) + 1 + len(ins.payload)]
    if ins.sealed.key.verifies_segment(signed.encode(), ins.signature):
        return None
    return _fault_of_shape(ins) or TokenSignatureInvalid()


def _claims(ins: Inspection) -> GuestpassError | None:
    if ins.opaque_id:
        return None  # the store's row, set by whoever looked it up, is what the token stands for
    try:
        ins.claims = claims_codec.decode(base64url.decode(ins.payload))
    except ValueError as fault:
        return TokenMalformed("A claim is missing, or not of its type.", internal=str(fault))
    return None


def _type(ins: Inspection) -> GuestpassError | None:
    if ins.sealed is None:
        return None
    kind = ins.sealed.kind
    if kind in ins.expect.accepted_kinds and (not ins.prefix or kind is kinds.SESSION):
        return None
    return TokenTypeMismatch(f"This is a token of the kind {kind.name}; it is not accepted here.")


def _issuer(ins: Inspection) -> GuestpassError | None:
    return None if _claims_of(ins).iss == ins.expect.issuer else TokenIssuerMismatch()


def _audience(ins: Inspection) -> GuestpassError | None:
    return None if _claims_of(ins).aud == ins.expect.audience else TokenAudienceMismatch()


def _environment(ins: Inspection) -> GuestpassError | None:
    return None if _claims_of(ins).environment == ins.expect.environment else TokenEnvironmentMismatch()


def _project(ins: Inspection) -> GuestpassError | None:
    expected = ins.expect.project_id
    return None if expected is None or _claims_of(ins).project_id == expected else TokenProjectMismatch()


def _expiry(ins: Inspection) -> GuestpassError | None:
    late = ins.now - _claims_of(ins).exp - ins.expect.leeway_seconds
    return None if late < 0 else TokenExpired(f"The token expired {late} s ago by this verifier's clock.")


def _start(ins: Inspection) -> GuestpassError | None:
    claims = _claims_of(ins)
    start = claims.iat if claims.nbf is msgspec.UNSET else max(claims.iat, claims.nbf)
    early = start - ins.now - ins.expect.start_leeway_seconds
    if early <= 0:
        return None
    return TokenNotYetValid(f"The token begins {early} s from now by this verifier's clock; compare the two clocks.")


def _age(ins: Inspection) -> GuestpassError | None:
    limit = ins.expect.max_age_seconds
    if limit is None:
        return None
    age = ins.now - _claims_of(ins).iat
    over = age - limit - ins.expect.start_leeway_seconds
    return None if over <= 0 else TokenTooOld(f"The token is {age} s old; this call allows {limit} s.")


def _revocation(ins: Inspection) -> GuestpassError | None:
    if ins.state is None:
        return TokenRevoked("The server has no such session (any more).")
    if ins.state.ending is None:
        return None
    return TokenRevoked(reissue=ins.state.ending.reissue)


def _operation(ins: Inspection) -> GuestpassError | None:
    if ins.operation is None:
        return None
    scope = _claims_of(ins).scope
    if scope is not msgspec.UNSET and operations.allows(scope, ins.operation):
        return None
    return OperationNotAllowed(f"The token does not allow the operation {ins.operation}.")


def _claims_of(ins: Inspection) -> SessionClaims:
    assert ins.claims is not None  # noqa: S101 - every walk passes the claims check first
    return ins.claims


class Check(NamedTuple):
    """One line of the table. A ``gate`` ends even an explanation: past it nothing said could be trusted."""

    name: str
    find: Callable[[Inspection], GuestpassError | None]
    gate: bool = True


TOKEN_CHECKS = (
    Check("prefix", _prefix),
    Check("shape", _shape),
    Check("algorithm", _algorithm),
    Check("key", _key),
    Check("signature", _signature),
    Check("claims", _claims),
    Check("type", _type),
    Check("issuer", _issuer),
    Check("audience", _audience),
    Check("environment", _environment),
    Check("project", _project),
    Check("expiry", _expiry, gate=False),
    Check("start", _start, gate=False),
    Check("age", _age, gate=False),
)
TIME_CHECKS = tuple(check for check in TOKEN_CHECKS if not check.gate)  # what a token verified before still faces
STATE_CHECKS = (
    Check("revocation", _revocation, gate=False),
    Check("operation", _operation, gate=False),
)
CHECKS = TOKEN_CHECKS + STATE_CHECKS


def session_to_load_first(ins: Inspection) -> str | None:
    """Return the session id that an opaque token names, so that its state and claims can be set before the walk.

    The text proves nothing yet; the signature check compares its hash. None for signed tokens.
    """
    if "." in ins.token or _prefix(ins) or _shape(ins):
        return None
    return ins.opaque_id


def verify(ins: Inspection, checks: tuple[Check, ...]) -> SessionClaims:
    """Walk ``checks`` and return the claims, or raise the first error found.

    Raises: TokenError with the code of the contract's table; OperationNotAllowed.
    See RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725 section 3.
    """
    for _, find, _ in checks:
        error = find(ins)
        if error is not None:
            raise error
    return _claims_of(ins)
