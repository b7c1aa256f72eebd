"""HS256: HMAC with SHA-256 (RFC 2104, RFC 7518 section 3.2)."""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from guestpass.core.jose import base64url
from guestpass.core.jose._keys import Algorithm, KeyRefused, SigningKey, VerifyingKey, labels, octets_of

if TYPE_CHECKING:
    from hashlib import _Hash

SECRET_BYTES_MIN = 32  # the size of the hash (RFC 7518 section 3.2)
SECRET_BYTES_MAX = 1024

_BLOCK_BYTES = 64
_TO_INNER = bytes(byte ^ 0x36 for byte in range(256))
_TO_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_TO_URL = bytes.maketrans(b"+/", b"-_")
# The first hold characters that no base64 or hex text has; the others only count at the start.
_PUBLIC_KEY_MARKS = (b"-----BEGIN ", b"---- BEGIN ", b'"kty"')
_PUBLIC_KEY_STARTS = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Hs256VerifyingKey(VerifyingKey):
    """Holds the two SHA-256 states that have already read the padded secret.

    Copying them takes half the time of ``hmac.digest``, which pads and reads the secret at every call.
    """

    algorithm: ClassVar[Algorithm] = "HS256"
    kid: str
    inner: _Hash
    outer: _Hash

    def mac(self, signing_input: bytes) -> bytes:
        inner = self.inner.copy()
        inner.update(signing_input)
        outer = self.outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        return compare_digest(self.mac(signing_input), signature)

    def verifies_segment(self, signing_input: bytes, signature_segment: str) -> bool:
        """Compare in encoded form, in constant time: only the one strict text of the MAC is equal."""
        inner = self.inner.copy()
        inner.update(signing_input)
        outer = self.outer.copy()
        outer.update(inner.digest())
        expected = b2a_base64(outer.digest(), newline=False).translate(_TO_URL, b"=")
        return compare_digest(expected, signature_segment.encode("ascii", "replace"))

    def public_jwk(self) -> dict[str, str]:
        raise KeyRefused("an HS256 key has no public form")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Hs256SigningKey(SigningKey):
    kid: str
    verifying_key: Hs256VerifyingKey
    secret: bytes

    def sign(self, signing_input: bytes) -> bytes:
        return self.verifying_key.mac(signing_input)

    def private_jwk(self) -> dict[str, str]:
        return {"kty": "oct", "k": base64url.encode(self.secret), **labels(self.verifying_key)}


def signing_key_of(secret: bytes, kid: str) -> Hs256SigningKey:
    """Admit a secret of 32 to 1024 bytes.

    A public key in PEM, DER, OpenSSH or JWK form is refused: whoever knows it could sign with it
    (RFC 8725 section 2.1).
    """
    if len(secret) < SECRET_BYTES_MIN:
        raise KeyRefused(f"an HS256 secret must have at least {SECRET_BYTES_MIN} bytes")
    if len(secret) > SECRET_BYTES_MAX:
        raise KeyRefused(f"an HS256 secret must have at most {SECRET_BYTES_MAX} bytes")
    if _is_public_key(secret):
        raise KeyRefused("a public key is not an HS256 secret")
    block = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
    padded = block.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(padded.translate(_TO_INNER))
    outer = hashlib.sha256(padded.translate(_TO_OUTER))
    return Hs256SigningKey(kid, Hs256VerifyingKey(kid, inner, outer), secret)


def signing_key_of_jwk(jwk: Mapping[str, object], kid: str) -> Hs256SigningKey:
    """Read ``k`` (RFC 7518 section 6.4)."""
    return signing_key_of(octets_of(jwk, "k"), kid)


def _is_public_key(secret: bytes) -> bool:
    if secret.lstrip().startswith(_PUBLIC_KEY_STARTS) or any(mark in secret for mark in _PUBLIC_KEY_MARKS):
        return True
    try:
        load_der_public_key(secret)
    except ValueError:
        return False
    except UnsupportedAlgorithm:
        return True  # well formed, of a kind that the library does not know
    return True
