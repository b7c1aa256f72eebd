"""Keys in and out: which JWKs are admitted, and the names the rest of the code uses.

RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 7638. A key is checked once, here, and
is bound to one algorithm by its type; nothing that a token says can change that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from guestpass.core.jose import _eddsa, _es256, _hs256, _rs256, base64url
from guestpass.core.jose._keys import Algorithm, KeyRefused, SigningKey, VerifyingKey, text_of

__all__ = [
    "KID_LENGTH_MAX",
    "Algorithm",
    "KeyRefused",
    "SigningKey",
    "VerifyingKey",
    "hmac_key",
    "import_signing_key",
    "import_verifying_key",
    "signing_key_from_private",
    "thumbprint",
]

KID_LENGTH_MAX = 256  # characters

_KEY_OPERATIONS = frozenset({"sign", "verify"})
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


class _Family(NamedTuple):
    """One row: the type and curve of a JWK, its one algorithm, and who reads it."""

    algorithm: Algorithm
    thumbprint_members: tuple[str, ...]  # RFC 7638 section 3.2, RFC 8037 section 2
    verifying_key_of: Callable[[Mapping[str, object], str], VerifyingKey]
    signing_key_of: Callable[[Mapping[str, object], str], SigningKey]


def _hs256_verifying_key_of(jwk: Mapping[str, object], kid: str) -> VerifyingKey:
    return _hs256.signing_key_of_jwk(jwk, kid).verifying_key


_FAMILIES = {
    ("EC", "P-256"): _Family("ES256", ("crv", "kty", "x", "y"), _es256.verifying_key_of_jwk, _es256.signing_key_of_jwk),
    ("OKP", "Ed25519"): _Family("EdDSA", ("crv", "kty", "x"), _eddsa.verifying_key_of_jwk, _eddsa.signing_key_of_jwk),
    ("RSA", None): _Family("RS256", ("e", "kty", "n"), _rs256.verifying_key_of_jwk, _rs256.signing_key_of_jwk),
    ("oct", None): _Family("HS256", ("k", "kty"), _hs256_verifying_key_of, _hs256.signing_key_of_jwk),
}


def import_verifying_key(jwk: Mapping[str, object], *, algorithm: Algorithm | None = None) -> VerifyingKey:
    """Admit a public key (for ``oct`` the secret) that checks signatures.

    Admitted: EC P-256, OKP Ed25519, RSA of 2048 to 8192 bits with an odd exponent of 65 537 to
    2^32 - 1, oct of 32 to 1024 bytes. ``use`` must be absent or ``sig``; ``key_ops`` must be absent
    or name ``verify``, beside it at most ``sign``; ``alg`` must be absent or the key's one algorithm.
    A private part is refused: who publishes one has lost the key. Members we do not know are
    ignored, and nothing is ever fetched.

    Args:
        jwk: The members as they were read from JSON; ``kid`` is the thumbprint where it is absent.
        algorithm: When given, a key of any other algorithm is refused.

    Raises: KeyRefused (ValueError).
    """
    family = _admitted_family(jwk, algorithm, "verify")
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise KeyRefused("a private key was given where a public one belongs")
    return family.verifying_key_of(jwk, _kid_of(jwk))


def import_signing_key(jwk: Mapping[str, object], *, algorithm: Algorithm | None = None) -> SigningKey:
    """Admit a private key (for ``oct`` the secret) that signs.

    The rules of ``import_verifying_key`` hold, with ``sign`` in ``key_ops``. Public and private
    members must both be there and belong together; RSA needs all of ``d, p, q, dp, dq, qi``.

    Raises: KeyRefused (ValueError).
    """
    return _admitted_family(jwk, algorithm, "sign").signing_key_of(jwk, _kid_of(jwk))


def signing_key_from_private(
    private_key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey,
    *,
    kid: str | None = None,
) -> SigningKey:
    """Admit a private key of the ``cryptography`` package; its kid is its thumbprint unless given.

    Raises: KeyRefused (ValueError).
    """
    if kid is None:
        kid = thumbprint(_signing_key_of_object(private_key, "").verifying_key.public_jwk())
    return _signing_key_of_object(private_key, _checked_kid(kid))


def hmac_key(secret: bytes, *, kid: str | None = None) -> SigningKey:
    """Admit an HS256 secret of 32 to 1024 bytes that is not a public key in disguise. ``kid``: its thumbprint by default.

    Raises: KeyRefused (ValueError).
    """
    if kid is None:
        kid = thumbprint({"kty": "oct", "k": base64url.encode(secret)})
    return _hs256.signing_key_of(secret, _checked_kid(kid))


def thumbprint(jwk: Mapping[str, object]) -> str:
    """Return the SHA-256 thumbprint of a JWK in base64url, 43 characters (RFC 7638).

    Raises: KeyRefused (ValueError) where a member that it needs is missing or not text.
    """
    members = {name: text_of(jwk, name) for name in _family_of(jwk).thumbprint_members}
    canonical = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
    try:
        return base64url.encode(hashlib.sha256(canonical.encode()).digest())
    except UnicodeEncodeError:
        raise KeyRefused("a member holds half of a surrogate pair") from None


def _signing_key_of_object(private_key: object, kid: str) -> SigningKey:
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        return _es256.signing_key_of(private_key, kid)
    if isinstance(private_key, ed25519.Ed25519PrivateKey):
        return _eddsa.signing_key_of(private_key, kid)
    if isinstance(private_key, rsa.RSAPrivateKey):
        return _rs256.signing_key_of(private_key, kid)
    raise KeyRefused("only P-256, Ed25519 and RSA private keys sign")


def _family_of(jwk: Mapping[str, object]) -> _Family:
    kty = text_of(jwk, "kty")
    crv = text_of(jwk, "crv") if kty in {"EC", "OKP"} else None
    family = _FAMILIES.get((kty, crv))
    if family is None:
        raise KeyRefused("only EC P-256, OKP Ed25519, RSA and oct keys are used")
    return family


def _admitted_family(jwk: Mapping[str, object], algorithm: Algorithm | None, operation: str) -> _Family:
    family = _family_of(jwk)
    if jwk.get("alg", family.algorithm) != family.algorithm:
        raise KeyRefused(f"alg must be absent or {family.algorithm} for a key of this type")
    if algorithm not in (None, family.algorithm):
        raise KeyRefused(f"this is a key for {family.algorithm}, not for {algorithm}")
    if jwk.get("use", "sig") != "sig":
        raise KeyRefused("use must be absent or sig")
    if "key_ops" in jwk:
        _check_key_operations(jwk["key_ops"], operation)
    return family


def _check_key_operations(operations: object, needed: str) -> None:
    """RFC 7517 section 4.3: no name twice, and nothing that does not go with signatures."""
    if not isinstance(operations, list) or not all(isinstance(name, str) for name in operations):
        raise KeyRefused("key_ops must be a list of strings")
    names = set(operations)
    if len(names) != len(operations):
        raise KeyRefused("key_ops names an operation twice")
    if needed not in names or not names <= _KEY_OPERATIONS:
        raise KeyRefused(f"key_ops must hold {needed}, and nothing but sign and verify")


def _kid_of(jwk: Mapping[str, object]) -> str:
    # For oct the thumbprint is a hash of the secret. It tells no more than any token under the key
    # does: both let a reader test guesses, and 32 random bytes are not guessed (RFC 7638 section 7).
    return _checked_kid(jwk["kid"]) if "kid" in jwk else thumbprint(jwk)


def _checked_kid(kid: object) -> str:
    if not isinstance(kid, str) or not kid or len(kid) > KID_LENGTH_MAX or not kid.isprintable():
        raise KeyRefused(f"kid must be 1 to {KID_LENGTH_MAX} printable characters")
    return kid
