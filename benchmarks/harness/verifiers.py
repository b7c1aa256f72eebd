"""Who verifies: Guestpass, PyJWT and joserfc, each with every check on, and the bare signature below them all.

Like for like: the same tokens (the peers get them without our prefix, which they do not know), keys that are
imported and bound to one algorithm beforehand, the real clock read at every call, no leeway, claims in hand at
the end. Required and checked by all: signature, algorithm, ``exp``, ``nbf``, ``iat``, ``iss``, ``aud``, the
header's ``typ``. Guestpass also looks the key up by the header, and checks environment, project and strict JSON.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, OctKey

from guestpass.core.revocation.cutoff import Ending
from guestpass.core.tokens.check import TOKEN_CHECKS, Expectation, Inspection
from guestpass.core.tokens.check import verify as check
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.remembered import RememberingVerifier
from guestpass.errors import TokenRevoked
from harness.tokens import ISSUER, PREFIX, PROJECT, TYP, Mint

Verify = Callable[[str], Any]
REQUIRED = ("exp", "iat", "iss", "aud", "sub", "jti")
REVOKED_ELSEWHERE = 1_000  # sessions that have ended, so that the look-up is not into nothing


class WrongTypeError(Exception):
    """The header names another type of token."""


def ours(mint: Mint) -> Verify:
    """Walk the whole table, as for a token never seen before."""
    keys, expect = KeySet([mint.key.verifying_key]), _expectation(mint)

    def verify(token: str) -> Any:
        return check(Inspection(token, expect, keys, int(time.time())), TOKEN_CHECKS)

    return verify


def ours_remembered(mint: Mint) -> Verify:
    """Verify tokens that were verified before; time and revocation are checked at every call."""
    remembering = RememberingVerifier(KeySet([mint.key.verifying_key]), _expectation(mint))
    endings = {
        f"sess_{number:026d}": Ending(0, "key", reissue=False) for number in range(10**9, 10**9 + REVOKED_ELSEWHERE)
    }

    def verify(token: str) -> Any:
        claims = remembering.verify(token, now=int(time.time()))
        ending = endings.get(claims.sid)
        if ending is not None:
            raise TokenRevoked(reissue=ending.reissue)
        return claims

    return verify


def pyjwt(mint: Mint) -> Verify:
    key: Any = mint.secret if mint.key.algorithm == "HS256" else mint.private_key.public_key()
    algorithms = [mint.key.algorithm]
    options: Any = {"require": list(REQUIRED), "strict_aud": True}

    def verify(token: str) -> Any:
        decoded = jwt.decode_complete(
            token, key, algorithms=algorithms, audience=ISSUER, issuer=ISSUER, options=options, leeway=0
        )
        if decoded["header"].get("typ") != TYP:
            raise WrongTypeError
        return decoded["payload"]

    return verify


def joserfc(mint: Mint) -> Verify:
    jwk: Any = OctKey.import_key(mint.secret)
    if mint.key.algorithm == "ES256":
        jwk = ECKey.import_key(mint.key.verifying_key.public_jwk())
    algorithms = [mint.key.algorithm]
    options: Any = {name: {"essential": True} for name in REQUIRED}
    options |= {name: {"essential": True, "value": ISSUER} for name in ("iss", "aud")}
    registry = joserfc_jwt.JWTClaimsRegistry(**options)

    def verify(token: str) -> Any:
        decoded = joserfc_jwt.decode(token, jwk, algorithms=algorithms)
        if decoded.header.get("typ") != TYP:
            raise WrongTypeError
        registry.validate(decoded.claims)
        return decoded.claims

    return verify


def bare(mint: Mint, tokens: list[str]) -> Verify:
    """Check the signature and nothing else; everything is taken apart and decoded before the clock starts."""
    parts = {token: _taken_apart(token) for token in tokens}
    if mint.key.algorithm == "HS256":
        secret = mint.secret

        def verify_mac(token: str) -> Any:
            signed, signature = parts[token]
            return hmac.compare_digest(hmac.digest(secret, signed, "sha256"), signature)

        return verify_mac

    public_key, ecdsa = mint.private_key.public_key(), ec.ECDSA(hashes.SHA256())
    der = {token: (signed, _der(signature)) for token, (signed, signature) in parts.items()}

    def verify_ecdsa(token: str) -> Any:
        signed, signature = der[token]
        public_key.verify(signature, signed, ecdsa)

    return verify_ecdsa


def without_prefix(tokens: list[str]) -> list[str]:
    return [token.removeprefix(PREFIX) for token in tokens]


def _expectation(mint: Mint) -> Expectation:
    algorithms = frozenset({mint.key.algorithm})
    return Expectation(issuer=ISSUER, audience=ISSUER, environment="test", project_id=PROJECT, algorithms=algorithms)


def _taken_apart(token: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.removeprefix(PREFIX).rpartition(".")
    return signed.encode(), base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
