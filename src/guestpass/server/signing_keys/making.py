"""Make keys, seal their private part for the store, and open it again."""

from __future__ import annotations

import json
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from guestpass.core.callers import secret_text
from guestpass.core.jose.jwk import SigningKey, hmac_key, import_signing_key, signing_key_from_private
from guestpass.core.tokens.kinds import Environment
from guestpass.errors import JwtConfigurationError
from guestpass.server.signing_keys.model import SigningAlgorithm, StoredKey
from guestpass.server.storage import facts
from guestpass.server.storage.sealing import MasterKeyError, SealedColumn, Sealer
from guestpass.server.storage.store import Transaction

RSA_BITS = 2048


class NewSecret(NamedTuple):
    """An HS256 key, and the text that its verifiers are given: once, and kept nowhere but sealed."""

    key: SigningKey
    text: str


def new_key(algorithm: SigningAlgorithm) -> SigningKey:
    """Make an asymmetric key. RSA takes some tenths of a second."""
    if algorithm == "ES256":
        return signing_key_from_private(ec.generate_private_key(ec.SECP256R1()))
    if algorithm == "EdDSA":
        return signing_key_from_private(ed25519.Ed25519PrivateKey.generate())
    return signing_key_from_private(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))


def new_secret(environment: Environment, entropy: bytes) -> NewSecret:
    """Make an HS256 key of 32 random bytes, whose secret is the ASCII of ``hs_test_…``.

    Its ``kid`` is its thumbprint, so that whoever holds the secret knows the ``kid`` too.
    """
    text = secret_text.with_checksum(f"hs_{environment}_{secret_text.encode(entropy)}")
    return NewSecret(hmac_key(text.encode()), text)


async def sealed(
    tx: Transaction, key: SigningKey, issuer: int, sealer: Sealer, *, now_ms: int, signs_from_ms: int
) -> StoredKey:
    """Return the key as it is stored."""
    public = "" if key.algorithm == "HS256" else json.dumps(key.verifying_key.public_jwk())
    private = await facts.seal(tx, sealer, _purpose(issuer, key.kid), json.dumps(key.private_jwk()).encode())
    return StoredKey(key.kid, key.algorithm, public, private, now_ms, signs_from_ms)


def opened(stored: StoredKey, issuer: int, sealer: Sealer) -> SigningKey:
    """Return the key with its private part. Raises: JwtConfigurationError where the master key does not open it."""
    try:
        private = sealer.open(_purpose(issuer, stored.kid), stored.sealed_private_jwk)
    except MasterKeyError as fault:
        raise JwtConfigurationError(internal=str(fault)) from fault
    return import_signing_key(json.loads(private))


def _purpose(issuer: int, kid: str) -> str:
    return f"signing_key:{issuer}:{kid}"


SEALED_KEYS = SealedColumn("signing_keys", "sealed_private_jwk", ("issuer", "kid"), _purpose)
