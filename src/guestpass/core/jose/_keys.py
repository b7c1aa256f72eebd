"""What every key of ours is, and how the members of a JWK are read. One file per algorithm builds on it."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar, Literal

from guestpass.core.jose import base64url

Algorithm = Literal["ES256", "EdDSA", "RS256", "HS256"]

PUBLIC_BASE64URL_LENGTH_MAX = 2048  # characters of one member: an RSA modulus of 8192 bits has 1366


class KeyRefused(ValueError):
    """The key is not one that we use. The text says which rule it breaks, and nothing of the key."""


class VerifyingKey(abc.ABC):
    """A key that checks signatures of exactly one algorithm, whatever a token claims (RFC 8725 section 3.1)."""

    __slots__ = ()
    algorithm: ClassVar[Algorithm]
    kid: str

    @abc.abstractmethod
    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Say whether ``signature`` is right: False for any other bytes, never an error."""

    def verifies_segment(self, signing_input: bytes, signature_segment: str) -> bool:
        """Do the same for the third part of a compact JWS: False also where it is not strict base64url."""
        try:
            signature = base64url.decode(signature_segment)
        except ValueError:
            return False
        return self.verifies(signing_input, signature)

    @abc.abstractmethod
    def public_jwk(self) -> dict[str, str]:
        """Return the public JWK with ``kid``, ``alg`` and ``use`` (RFC 7517 section 4).

        Raises: KeyRefused for HS256, which has no public form.
        """

    def __repr__(self) -> str:
        return f"<{self.algorithm} verifying key {self.kid!r}>"


class SigningKey(abc.ABC):
    """A key that signs with exactly one algorithm. Its ``repr`` holds no secret."""

    __slots__ = ()
    kid: str
    verifying_key: VerifyingKey

    @property
    def algorithm(self) -> Algorithm:
        return self.verifying_key.algorithm

    @abc.abstractmethod
    def sign(self, signing_input: bytes) -> bytes:
        """Return the signature as a JWS carries it: for ES256 the 64 bytes of r and s, not DER."""

    @abc.abstractmethod
    def private_jwk(self) -> dict[str, str]:
        """Return the whole key as a JWK, the secret part included: seal it before it is stored."""

    def __repr__(self) -> str:
        return f"<{self.algorithm} signing key {self.kid!r}>"


def labels(key: VerifyingKey) -> dict[str, str]:
    """Return the members that every JWK of ours ends with."""
    return {"kid": key.kid, "alg": key.algorithm, "use": "sig"}


def text_of(jwk: Mapping[str, object], name: str) -> str:
    """Return a member that must be there and be text."""
    value = jwk.get(name)
    if not isinstance(value, str):
        raise KeyRefused(f"{name} must be a string")
    return value


def octets_of(jwk: Mapping[str, object], name: str, size_bytes: int | None = None) -> bytes:
    """Return the bytes of a base64url member, of exactly ``size_bytes`` where that is given."""
    text = text_of(jwk, name)
    if len(text) > PUBLIC_BASE64URL_LENGTH_MAX:
        raise KeyRefused(f"{name} is too long")
    try:
        octets = base64url.decode(text)
    except ValueError:
        raise KeyRefused(f"{name} must be base64url without padding") from None
    if size_bytes is not None and len(octets) != size_bytes:
        raise KeyRefused(f"{name} must have {size_bytes} bytes")
    return octets


def integer_of(jwk: Mapping[str, object], name: str) -> int:
    """Return a Base64urlUInt: big-endian, with no leading zero byte (RFC 7518 section 2)."""
    octets = octets_of(jwk, name)
    if not octets or octets[0] == 0:
        raise KeyRefused(f"{name} must be a positive integer without leading zero bytes")
    return int.from_bytes(octets, "big")


def text_of_integer(value: int) -> str:
    """Return a Base64urlUInt (RFC 7518 section 2)."""
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
