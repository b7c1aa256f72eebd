"""ES256: ECDSA on P-256 with SHA-256; a signature is r and s, 32 bytes each (RFC 7518 section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from guestpass.core.jose import base64url
from guestpass.core.jose._keys import Algorithm, KeyRefused, SigningKey, VerifyingKey, labels, octets_of

_BYTES = 32  # of a coordinate, of the private number, and of each half of a signature
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ZERO_BYTES = bytes(_BYTES)
_ORDER_BYTES = _ORDER.to_bytes(_BYTES, "big")
_CURVE = ec.SECP256R1()
_ECDSA = ec.ECDSA(hashes.SHA256())
_HIGH_BIT = 0x80
_DER_INTEGER_HEADS = tuple(b"\x02" + bytes((size,)) for size in range(_BYTES + 2))
_DER_SEQUENCE_HEADS = tuple(b"\x30" + bytes((size,)) for size in range(2 * (_BYTES + 3) + 1))
_DER_FIRST_SIZE_AT = 3  # 30 total 02 size r 02 size s


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Es256VerifyingKey(VerifyingKey):
    algorithm: ClassVar[Algorithm] = "ES256"
    kid: str
    key: ec.EllipticCurvePublicKey

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        r, s = signature[:_BYTES], signature[_BYTES:]
        # Big-endian bytes of one size compare like the numbers. DER has 70 to 72 bytes and ends here too.
        if len(s) != _BYTES or not (_ZERO_BYTES < r < _ORDER_BYTES and _ZERO_BYTES < s < _ORDER_BYTES):
            return False
        body = _der_integer(r) + _der_integer(s)
        try:
            self.key.verify(_DER_SEQUENCE_HEADS[len(body)] + body, signing_input, _ECDSA)
        except InvalidSignature:
            return False
        return True

    def public_jwk(self) -> dict[str, str]:
        numbers = self.key.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _text(numbers.x), "y": _text(numbers.y), **labels(self)}


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Es256SigningKey(SigningKey):
    kid: str
    verifying_key: Es256VerifyingKey
    key: ec.EllipticCurvePrivateKey

    def sign(self, signing_input: bytes) -> bytes:
        der = self.key.sign(signing_input, _ECDSA)
        r_from = _DER_FIRST_SIZE_AT + 1
        r_until = r_from + der[_DER_FIRST_SIZE_AT]
        r, s = der[r_from:r_until], der[r_until + 2 :]
        return r[-_BYTES:].rjust(_BYTES, b"\0") + s[-_BYTES:].rjust(_BYTES, b"\0")

    def private_jwk(self) -> dict[str, str]:
        return {**self.verifying_key.public_jwk(), "d": _text(self.key.private_numbers().private_value)}


def verifying_key_of(key: ec.EllipticCurvePublicKey, kid: str) -> Es256VerifyingKey:
    if not isinstance(key.curve, ec.SECP256R1):
        raise KeyRefused("the curve must be P-256")
    return Es256VerifyingKey(kid, key)


def signing_key_of(key: ec.EllipticCurvePrivateKey, kid: str) -> Es256SigningKey:
    return Es256SigningKey(kid, verifying_key_of(key.public_key(), kid), key)


def verifying_key_of_jwk(jwk: Mapping[str, object], kid: str) -> Es256VerifyingKey:
    """Read ``x`` and ``y``, 32 bytes each, a point on the curve (RFC 7518 section 6.2.1)."""
    x, y = octets_of(jwk, "x", _BYTES), octets_of(jwk, "y", _BYTES)
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), _CURVE)
    try:
        return Es256VerifyingKey(kid, numbers.public_key())
    except ValueError:
        raise KeyRefused("x and y are not a point of P-256") from None


def signing_key_of_jwk(jwk: Mapping[str, object], kid: str) -> Es256SigningKey:
    """Read ``d`` as well, which must belong to ``x`` and ``y`` (RFC 7518 section 6.2.2)."""
    verifying_key = verifying_key_of_jwk(jwk, kid)
    private = int.from_bytes(octets_of(jwk, "d", _BYTES), "big")
    if not 0 < private < _ORDER:
        raise KeyRefused("d is out of range")
    key = ec.derive_private_key(private, _CURVE)
    if key.public_key() != verifying_key.key:
        raise KeyRefused("d does not belong to x and y")
    return Es256SigningKey(kid, verifying_key, key)


def _der_integer(octets: bytes) -> bytes:
    # By hand: encode_dss_signature goes through two Python integers and takes twice the time.
    octets = octets.lstrip(b"\0")
    if octets[0] & _HIGH_BIT:
        octets = b"\0" + octets
    return _DER_INTEGER_HEADS[len(octets)] + octets


def _text(value: int) -> str:
    return base64url.encode(value.to_bytes(_BYTES, "big"))
