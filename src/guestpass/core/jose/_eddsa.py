"""EdDSA with Ed25519 (RFC 8032 section 5.1, RFC 8037)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from guestpass.core.jose import base64url
from guestpass.core.jose._keys import Algorithm, KeyRefused, SigningKey, VerifyingKey, labels, octets_of

_BYTES = 32  # of a public and of a private key
_SIGNATURE_BYTES = 64
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SIGN_BIT = 1 << 255

# The y of the eight points whose order divides 8. Under such a key one signature fits many messages,
# and anyone can make it. As R it is harmless, but WebCrypto refuses it: all our verifiers shall agree.
_ORDER_8_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _ORDER_8_Y, _P - _ORDER_8_Y})
_SMALL_ORDER_POINTS = frozenset(
    (y | sign).to_bytes(_BYTES, "little") for y in _SMALL_ORDER_Y for sign in (0, _SIGN_BIT)
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class EdDsaVerifyingKey(VerifyingKey):
    algorithm: ClassVar[Algorithm] = "EdDSA"
    kid: str
    key: ed25519.Ed25519PublicKey

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Check without the cofactor; OpenSSL refuses an S that is not below the order (RFC 8032 section 5.1.7)."""
        if len(signature) != _SIGNATURE_BYTES or signature[:_BYTES] in _SMALL_ORDER_POINTS:
            return False
        try:
            self.key.verify(signature, signing_input)
        except InvalidSignature:
            return False
        return True

    def public_jwk(self) -> dict[str, str]:
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(self.key.public_bytes_raw()), **labels(self)}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class EdDsaSigningKey(SigningKey):
    kid: str
    verifying_key: EdDsaVerifyingKey
    key: ed25519.Ed25519PrivateKey

    def sign(self, signing_input: bytes) -> bytes:
        return self.key.sign(signing_input)

    def private_jwk(self) -> dict[str, str]:
        return {**self.verifying_key.public_jwk(), "d": base64url.encode(self.key.private_bytes_raw())}


def signing_key_of(key: ed25519.Ed25519PrivateKey, kid: str) -> EdDsaSigningKey:
    return EdDsaSigningKey(kid, EdDsaVerifyingKey(kid, key.public_key()), key)


def verifying_key_of_jwk(jwk: Mapping[str, object], kid: str) -> EdDsaVerifyingKey:
    """Read ``x`` (RFC 8037 section 2): canonical, on the curve, and not of small order."""
    public = octets_of(jwk, "x", _BYTES)
    # The library checks none of this before it verifies.
    if not _is_sound_point(int.from_bytes(public, "little")):
        raise KeyRefused("x is not a point of Ed25519 that can be a key")
    return EdDsaVerifyingKey(kid, ed25519.Ed25519PublicKey.from_public_bytes(public))


def signing_key_of_jwk(jwk: Mapping[str, object], kid: str) -> EdDsaSigningKey:
    """Read ``d`` as well, which must belong to ``x``."""
    verifying_key = verifying_key_of_jwk(jwk, kid)
    key = ed25519.Ed25519PrivateKey.from_private_bytes(octets_of(jwk, "d", _BYTES))
    if key.public_key() != verifying_key.key:
        raise KeyRefused("d does not belong to x")
    return EdDsaSigningKey(kid, verifying_key, key)


def _is_sound_point(encoded: int) -> bool:
    """Decide as RFC 8032 section 5.1.3 decodes: y below p, and a square for x."""
    y = encoded & ~_SIGN_BIT
    if y >= _P or y in _SMALL_ORDER_Y:
        return False
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return pow(x_squared, (_P - 1) // 2, _P) == 1  # x is 0 only where y is 1 or p - 1
