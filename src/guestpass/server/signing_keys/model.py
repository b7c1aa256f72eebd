"""Signing keys as they are stored, and as they are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from guestpass.core.jose.jwk import Algorithm, SigningKey
from guestpass.core.jose.jws import encode_header
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import ACCESS, SESSION, Kind

SigningAlgorithm = Literal["ES256", "EdDSA", "RS256"]
ASYMMETRIC = frozenset[Algorithm](get_args(SigningAlgorithm))


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the store has it; times are Unix milliseconds by the store's clock.

    Args:
        public_jwk: JSON; empty where the key is a secret, which has no public form.
        sealed_private_jwk: Empty once it was erased.
        retires_at_ms: None where it follows from the key that comes after.
    """

    kid: str
    algorithm: Algorithm
    public_jwk: str
    sealed_private_jwk: bytes = field(repr=False)
    published_at_ms: int
    signs_from_ms: int
    retires_at_ms: int | None = None
    revoked_at_ms: int | None = None

    @property
    def is_secret(self) -> bool:
        """Say whether it is an HS256 secret, known to the issuer and its verifiers alone."""
        return self.algorithm == "HS256"


class Signer:
    """The key that signs now, with the encoded header of each kind made once."""

    __slots__ = ("access_header", "key", "session_header")

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.session_header = self.header_of(SESSION)
        self.access_header = self.header_of(ACCESS)

    def header_of(self, kind: Kind) -> str:
        assert kind.typ is not None  # noqa: S101 - only JWT kinds are signed
        return encode_header(self.key.algorithm, self.key.kid, kind.typ)


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """What one issuer signs with, what its tokens are verified with, and what it publishes.

    Args:
        list_signer: Signs what is for anyone to verify, as status lists are: never a secret.
        algorithms: Of its tokens: HS256 alone, or the others.
    """

    signer: Signer
    list_signer: Signer
    verifying: KeySet
    algorithms: frozenset[Algorithm]
    jwks: dict[str, list[dict[str, str]]]
