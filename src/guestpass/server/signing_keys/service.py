"""The keyring: each issuer's keys, private parts sealed at rest."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from guestpass.core.jose.jwk import SigningKey, import_signing_key, import_verifying_key, signing_key_from_private
from guestpass.core.tokens.keys import KeySet
from guestpass.errors import JwtConfigurationError
from guestpass.server.clock import Clock
from guestpass.server.projects.service import Issuer
from guestpass.server.signing_keys import sql
from guestpass.server.signing_keys.model import IssuerKeys, Signer, SigningAlgorithm, StoredKey
from guestpass.server.storage.sealing import MasterKeyError, Sealer
from guestpass.server.storage.store import Locks, Store, Transaction

__all__ = ["IssuerKeys", "Keyring", "Signer", "SigningAlgorithm"]

RELOAD_SECONDS = 1.0  # a flood of unknown key ids reads the store once in that time
RSA_BITS = 2048


class _NewKey(NamedTuple):
    issuer: int
    key: StoredKey


class Keyring:
    def __init__(self, store: Store, sealer: Sealer, clock: Clock, algorithm: SigningAlgorithm) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._algorithm = algorithm
        self._keys: dict[int, IssuerKeys] = {}
        self._loaded_at: dict[int, float] = {}
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def lacking(self, issuers: Iterable[int]) -> list[int]:
        """Return those that have no key of the configured algorithm: new ones, or all where the setting was changed."""
        having = await self._store.read(lambda tx: sql.issuers_with(tx, self._algorithm))
        return [issuer for issuer in issuers if issuer not in having]

    async def make_missing(self, issuer: Issuer) -> None:
        """Make the issuer a key of the configured algorithm if it has none, in one transaction with that look.

        When the store or the setting is new; no request makes a key, least of all one that only reads.
        """
        if not any(key.algorithm == self._algorithm for key in await self._stored(issuer)):
            new = await asyncio.to_thread(self._make, issuer)
            await self._store.write(self._add_if_still_missing, _NewKey(issuer.number, new))

    async def of(self, issuer: Issuer) -> IssuerKeys:
        """Return the issuer's keys.

        Raises: JwtConfigurationError where there is none, or its private part cannot be unsealed; Unavailable.
        """
        keys = self._keys.get(issuer.number)
        return keys if keys is not None else await self._load(issuer)

    async def look_again(self, issuer: Issuer) -> IssuerKeys:
        """Return the keys after a token named one that is not known: another server may have made it."""
        if self._clock() - self._loaded_at.get(issuer.number, 0.0) < RELOAD_SECONDS:
            return await self.of(issuer)
        return await self._load(issuer)

    async def _load(self, issuer: Issuer) -> IssuerKeys:
        async with self._turns[issuer.number]:
            self._loaded_at[issuer.number] = self._clock()
            stored = await self._stored(issuer)
            known = self._keys.get(issuer.number)
            if known is not None and known.verifying.by_kid.keys() == {key.kid for key in stored}:
                return known
            self._keys[issuer.number] = keys = self._open(issuer, stored)
            return keys

    async def _stored(self, issuer: Issuer) -> list[StoredKey]:
        return await self._store.read(lambda tx: sql.of_issuer(tx, issuer.number))

    def _make(self, issuer: Issuer) -> StoredKey:
        key = signing_key_from_private(_generate(self._algorithm))
        return StoredKey(
            key.kid,
            key.algorithm,
            json.dumps(key.verifying_key.public_jwk()),
            self._sealer.seal(_purpose(issuer.number, key.kid), json.dumps(key.private_jwk()).encode()),
        )

    async def _add_if_still_missing(self, tx: Transaction, items: list[_NewKey]) -> list[None]:
        await tx.lock(Locks.ISSUER, {item.issuer for item in items})
        for issuer, new in items:
            if not any(key.algorithm == new.algorithm for key in await sql.of_issuer(tx, issuer)):
                await sql.add(tx, issuer, new, now=int(self._clock()))
        return [None] * len(items)

    def _open(self, issuer: Issuer, stored: list[StoredKey]) -> IssuerKeys:
        newest = next((key for key in stored if key.algorithm == self._algorithm), None)
        if newest is None:
            raise JwtConfigurationError(internal=f"issuer {issuer.url} has no {self._algorithm} key")
        verifying = [import_verifying_key(json.loads(key.public_jwk)) for key in stored]
        return IssuerKeys(
            Signer(self._unseal(issuer, newest)), KeySet(verifying), {"keys": [key.public_jwk() for key in verifying]}
        )

    def _unseal(self, issuer: Issuer, key: StoredKey) -> SigningKey:
        try:
            private = self._sealer.open(_purpose(issuer.number, key.kid), key.sealed_private_jwk)
        except MasterKeyError as fault:
            raise JwtConfigurationError(internal=str(fault)) from fault
        return import_signing_key(json.loads(private))


def _purpose(issuer: int, kid: str) -> str:
    return f"signing_key:{issuer}:{kid}"


def _generate(
    algorithm: SigningAlgorithm,
) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


async def forget_published(tx: Transaction) -> None:
    """Drop the keys of all issuers, for a store that was put back: one of them may have been stolen and revoked since.

    A secret that an operator gave to verifiers by hand stays. New keys are made by ``Keyring.make_missing``.
    """
    await sql.forget_published(tx)
