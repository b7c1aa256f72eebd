"""Signing keys as they are stored, and as they are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from guestpass.core.jose.jwk import SigningKey
from guestpass.core.jose.jws import encode_header
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import SESSION, Kind

SigningAlgorithm = Literal["ES256", "EdDSA", "RS256"]
SIGNING_ALGORITHMS: tuple[SigningAlgorithm, ...] = get_args(SigningAlgorithm)


@dataclass(frozen=True, slots=True)
class StoredKey:
    kid: str
    algorithm: str
    public_jwk: str  # JSON
    sealed_private_jwk: bytes


class Signer:
    """The key that signs now, with the encoded header of each kind made once."""

    __slots__ = ("key", "session_header")

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.session_header = self.header_of(SESSION)

    def header_of(self, kind: Kind) -> str:
        assert kind.typ is not None  # noqa: S101 - only JWT kinds are signed
        return encode_header(self.key.algorithm, self.key.kid, kind.typ)


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """What one issuer signs with, and all that it publishes."""

    signer: Signer
    verifying: KeySet
    jwks: dict[str, list[dict[str, str]]]
