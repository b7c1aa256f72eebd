"""The ordered checklist that every token goes through. ``verify`` and ``explain`` walk this one table.

A check looks at an ``Inspection`` and returns the error that the token has earned, or None. It may leave
behind what it found for the checks after it. Nothing of the payload is parsed, and no state is looked at,
before the signature holds (the one exception is named where it is made).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from msgspec import UNSET

from guestpass.core import strict_json
from guestpass.core.bounds import TOKEN_BYTES_MAX
from guestpass.core.jose import base64url, jws
from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens import kinds, opaque, operations
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.inspection import Expectation, Inspection, State
from guestpass.core.tokens.keys import Sealed
from guestpass.errors import (
    GuestpassError,
    OperationNotAllowed,
    SessionSuspended,
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
    TokenReplayed,
    TokenRevoked,
    TokenSignatureInvalid,
    TokenTooOld,
    TokenTypeMismatch,
)

__all__ = [
    "CHECKS", "CLAIM_CHECKS", "GATES", "STATE_CHECKS", "STATE_CHECKS_BUT_SUSPENSION", "TIME_CHECKS", "TOKEN_CHECKS", "Check", "Expectation", "Inspection", "State",
    "session_named_in", "session_to_load_first", "unverified_issuer", "verify",
]  # fmt: skip

NO_HASH = bytes(32)  # nobody knows a text that hashes to it


def _prefix(ins: Inspection) -> GuestpassError | None:
    token, prefix = ins.token, ins.expect.prefix
    if len(token) > TOKEN_BYTES_MAX:
        return TokenMalformed(f"The token is longer than {TOKEN_BYTES_MAX} bytes; it was not read.")
    if token.startswith(prefix):
        ins.prefix = prefix
        ins.body = token[len(prefix) :]
        return None
    ins.prefix = ""
    ins.body = token
    return None if token.startswith("ey") else _foreign_prefix(token, ins.expect)  # {" in base64url: a bare JWT


def _foreign_prefix(token: str, expect: Expectation) -> GuestpassError:
    word = expect.prefix_word
    other = kinds.other_environment(expect.environment)
    if not token:
        return TokenMissing()
    if token.startswith(tuple(kinds.prefix_of(kind, other, word=word) for kind in (kinds.SESSION, kinds.REFRESH))):
        return TokenEnvironmentMismatch(f"This is a {other} token; here only {expect.environment} tokens are accepted.")
    if token.startswith(kinds.prefix_of(kinds.REFRESH, expect.environment, word=word)):
        return TokenTypeMismatch("This is a refresh token; it is accepted by the refresh and logout routes only.")
    if token.startswith(("sk_test_", "sk_live_")):
        return TokenMalformed("This is a secret API key, not a token. It must never leave your backend.")
    return TokenMalformed()


def _shape(ins: Inspection) -> GuestpassError | None:
    ins.opaque_id = ins.header = ins.sealed = None
    if ins.prefix and "." not in ins.body:
        ins.opaque_id = opaque.session_id_of(ins.token, ins.prefix)
        return None if ins.opaque_id else TokenMalformed("The opaque token was cut or mistyped.")
    signed, _, signature = ins.body.rpartition(".")
    header, _, payload = signed.partition(".")
    if not payload:
        return TokenMalformed("A signed token has three parts, joined by dots.")
    try:
        ins.payload = base64url.decode(payload)  # a fourth part is refused here: a dot is not of the alphabet
        ins.signature = base64url.decode(signature)
        ins.sealed = ins.keys.by_header.get(header)
        if ins.sealed is None:
            ins.header = jws.read_header(header)
    except ValueError as fault:
        return TokenMalformed(internal=str(fault))
    ins.signed = signed.encode()
    return None


def _algorithm(ins: Inspection) -> GuestpassError | None:
    if ins.sealed is not None:
        return None if ins.sealed.key.algorithm in ins.expect.algorithms else TokenAlgorithmRefused()
    if ins.header is None:
        return None  # opaque
    if ins.header.alg not in ins.expect.algorithms:
        return TokenAlgorithmRefused()
    key = ins.keys.named(ins.header.kid)
    if key is not None and key.algorithm != ins.header.alg:
        return TokenAlgorithmRefused("The key that the token names belongs to another algorithm.")
    return None


def _key(ins: Inspection) -> GuestpassError | None:
    if ins.header is None:
        return None  # opaque, or found with its whole header
    key = ins.keys.named(ins.header.kid)
    if key is None:
        return _unknown_key(ins)
    ins.sealed = Sealed(key, kinds.kind_of_typ(ins.header.typ or "") or kinds.UNKNOWN)
    return None


def _unknown_key(ins: Inspection) -> GuestpassError:
    """Name the reason by the unverified ``iss``: it chooses a code, and nothing else."""
    expect = ins.expect
    issuer = _issuer_in(ins.payload)
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


def unverified_issuer(payload_segment: str) -> str:
    """Return the ``iss`` that a payload claims, or empty text. Anyone may have written it."""
    try:
        return _issuer_in(base64url.decode(payload_segment))
    except ValueError:
        return ""


def _issuer_in(payload: bytes) -> str:
    try:
        claims = strict_json.loads(payload)
    except ValueError:
        return ""
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else ""


def _signature(ins: Inspection) -> GuestpassError | None:
    if ins.sealed is not None:
        return None if ins.sealed.key.verifies(ins.signed, ins.signature) else TokenSignatureInvalid()
    # Opaque. An unknown id and a wrong secret earn the same answer: which of them it was is nobody's business.
    stored_hash = ins.state.token_hash if ins.state is not None else None
    holds = opaque.is_token_of(ins.token, stored_hash or NO_HASH)
    return None if holds else TokenSignatureInvalid("The opaque token is not one that this server made.")


def _type(ins: Inspection) -> GuestpassError | None:
    kind = kinds.SESSION if ins.sealed is None else ins.sealed.kind
    if kind in ins.expect.accepted_kinds and (not ins.prefix or kind is kinds.SESSION):
        return None
    return TokenTypeMismatch(f"This is a token of the kind {kind.name}; it is not accepted here.")


def _claims(ins: Inspection) -> GuestpassError | None:
    if ins.sealed is None:
        return None  # the store's row, set by whoever looked it up, is what an opaque token stands for
    try:
        ins.claims = claims_codec.decode(ins.payload)
    except ValueError as fault:
        return TokenMalformed("A claim is missing, or not of its type.", internal=str(fault))
    return None


def _issuer(ins: Inspection) -> GuestpassError | None:
    return None if ins.claims.iss == ins.expect.issuer else TokenIssuerMismatch()


def _audience(ins: Inspection) -> GuestpassError | None:
    return None if ins.claims.aud == ins.expect.audience else TokenAudienceMismatch()


def _environment(ins: Inspection) -> GuestpassError | None:
    return None if ins.claims.environment == ins.expect.environment else TokenEnvironmentMismatch()


def _project(ins: Inspection) -> GuestpassError | None:
    expected = ins.expect.project_id
    return None if expected is None or ins.claims.project_id == expected else TokenProjectMismatch()


def _expiry(ins: Inspection) -> GuestpassError | None:
    late = ins.now - ins.claims.exp  # expired from the second exp on (RFC 7519 section 4.1.4)
    if late < ins.expect.leeway_seconds:
        return None
    return TokenExpired(f"The token expired {late} s ago by this verifier's clock.")


def _start(ins: Inspection) -> GuestpassError | None:
    claims = ins.claims
    start = claims.iat if claims.nbf is UNSET else max(claims.iat, claims.nbf)
    early = start - ins.now
    if early <= ins.expect.start_leeway_seconds:
        return None
    return TokenNotYetValid(f"The token begins {early} s from now by this verifier's clock; compare the two clocks.")


def _age(ins: Inspection) -> GuestpassError | None:
    limit = ins.max_age_seconds
    if limit is None:
        return None
    age = ins.now - ins.claims.iat
    if age <= limit + ins.expect.start_leeway_seconds:
        return None
    return TokenTooOld(f"The token is {age} s old; this call allows {limit} s.")


def _revocation(ins: Inspection) -> GuestpassError | None:
    if ins.state is None:
        return TokenRevoked("The server has no such session (any more).")
    if ins.state.ending is None:
        return None
    return TokenRevoked(reissue=ins.state.ending.reissue)


def _uses(ins: Inspection) -> GuestpassError | None:
    return TokenReplayed() if ins.state is not None and ins.state.used_up else None


def _suspension(ins: Inspection) -> GuestpassError | None:
    goes_on = ins.state.suspended_scope if ins.state is not None else None
    if goes_on is None:
        return None
    left = operations.within(_scope(ins.claims), goes_on)
    may_go_on = left != operations.NOTHING if ins.operation is None else operations.allows(left, ins.operation)
    return None if may_go_on else SessionSuspended()


def _scope(claims: SessionClaims) -> str:
    return operations.NOTHING if claims.scope is UNSET else claims.scope


def _operation(ins: Inspection) -> GuestpassError | None:
    if ins.operation is None:
        return None
    if operations.allows(_scope(ins.claims), ins.operation):
        return None
    return OperationNotAllowed(f"The token does not allow the operation {ins.operation}.")


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
    Check("type", _type),
    Check("claims", _claims),
    Check("issuer", _issuer),
    Check("audience", _audience),
    Check("environment", _environment),
    Check("project", _project),
    Check("expiry", _expiry, gate=False),
    Check("start", _start, gate=False),
    Check("age", _age, gate=False),
)
TIME_CHECKS = tuple(check for check in TOKEN_CHECKS if not check.gate)  # what a token verified before still faces
GATES = tuple(check for check in TOKEN_CHECKS if check.gate)  # what proves a token ours, whether or not it has expired
STATE_CHECKS = (
    Check("revocation", _revocation, gate=False),
    Check("uses", _uses, gate=False),
    Check("suspension", _suspension, gate=False),
    Check("operation", _operation, gate=False),
)
STATE_CHECKS_BUT_SUSPENSION = tuple(check for check in STATE_CHECKS if check.find is not _suspension)
CHECKS = TOKEN_CHECKS + STATE_CHECKS
CLAIM_CHECKS = TOKEN_CHECKS[[check.name for check in TOKEN_CHECKS].index("issuer") :]  # of claims a server vouched for


def session_to_load_first(ins: Inspection) -> str | None:
    """Return the session id that an opaque token names, so that its state and claims can be set before the walk.

    The text proves nothing yet; the signature check compares its hash. None for signed tokens.
    """
    if _prefix(ins) or _shape(ins):
        return None
    return ins.opaque_id


def verify(ins: Inspection, checks: tuple[Check, ...]) -> SessionClaims:
    """Walk ``checks`` and return the claims, or raise the first error found.

    Raises: TokenError with the code of the contract's table; OperationNotAllowed.
    See RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725 section 3.
    """
    for check in checks:
        error = check.find(ins)
        if error is not None:
            error.session_id = session_named_in(ins)
            raise error
    return ins.claims


def session_named_in(ins: Inspection) -> str | None:
    """Return the session of a token whose signature holds, for a log; None before that is known."""
    claims: SessionClaims | None = getattr(ins, "claims", None)
    return None if claims is None else claims.sid
