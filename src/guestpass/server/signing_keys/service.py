"""The keyring: what each issuer signs with, verifies with and publishes, at this moment.

Servers tell each other nothing. Each asks the store at most a second after it last did, before it uses a key; and
once more when a token names a key that it does not know. What time alone decides, it decides by the store's clock.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import NamedTuple

from guestpass.core.jose.jwk import SigningKey, import_verifying_key
from guestpass.core.tokens.inspection import HS256_ALONE
from guestpass.core.tokens.keys import KeySet
from guestpass.errors import JwtConfigurationError
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import SYSTEM
from guestpass.server.clock import Clock
from guestpass.server.projects.service import Issuer
from guestpass.server.signing_keys import making, policy, recording, sql
from guestpass.server.signing_keys.making import SEALED_KEYS
from guestpass.server.signing_keys.model import ASYMMETRIC, IssuerKeys, Signer, SigningAlgorithm, StoredKey
from guestpass.server.signing_keys.policy import Duties
from guestpass.server.storage.sealing import Sealer
from guestpass.server.storage.store import Locks, Store, Transaction

__all__ = ["SEALED_KEYS", "IssuerKeys", "Keyring", "Signer", "SigningAlgorithm", "forget_published"]

LOOK_SECONDS = 1.0


class _Held(NamedTuple):
    """One issuer's keys as the store had them, and what they are good for until ``duties.until_ms``.

    Args:
        looked_at: When the store was asked, by our clock. ``ahead_ms``: the store's clock against ours.
    """

    stored: list[StoredKey]
    duties: Duties
    keys: IssuerKeys
    looked_at: float
    ahead_ms: int


class _NewKey(NamedTuple):
    issuer: int
    key: SigningKey


class Keyring:
    def __init__(self, store: Store, sealer: Sealer, clock: Clock, algorithm: SigningAlgorithm) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._algorithm = algorithm
        self._held: dict[int, _Held] = {}
        self._looks: dict[int, asyncio.Task[_Held]] = {}  # under way, one an issuer

    async def lacking(self, issuers: Iterable[int]) -> list[int]:
        """Return those that have no key yet."""
        having = await self._store.read(sql.issuers_that_sign)
        return [issuer for issuer in issuers if issuer not in having]

    async def make_missing(self, issuer: Issuer) -> None:
        """Make the issuer a key that signs at once if it has none, in one transaction with that look.

        When the store or the project is new; no request makes a key, least of all one that only reads.
        """
        stored, now_ms = await self._store.read(lambda tx: _with_time(tx, issuer.number))
        if not policy.accepted(stored, now_ms, secret=False):
            key = await asyncio.to_thread(making.new_key, self._algorithm)
            await self._store.write(self._add_if_still_missing, _NewKey(issuer.number, key))

    async def of(self, issuer: Issuer) -> IssuerKeys:
        """Return the issuer's keys as they were at most a second ago.

        Raises: JwtConfigurationError where there is none, or its private part cannot be unsealed; Unavailable.
        """
        held = self._held.get(issuer.number)
        now = self._clock()
        if held is None or not 0 <= now - held.looked_at < LOOK_SECONDS:
            held = await self._look(issuer)
            now = self._clock()
        now_ms = int(now * 1000) + held.ahead_ms
        if held.duties.until_ms is not None and now_ms >= held.duties.until_ms:
            held = self._hold(issuer, held.stored, now_ms, held.looked_at, held.ahead_ms)
        return held.keys

    async def look_again(self, issuer: Issuer) -> IssuerKeys:
        """Return the keys as of now, as after a token that named one which is not known: it may be a moment old.

        All who wait share one look, however many they are. Raises: what ``of`` raises.
        """
        under_way = self._looks.get(issuer.number)
        if under_way is not None:  # it may have read before that key was written
            await asyncio.shield(under_way)
        return (await self._look(issuer)).keys

    async def _look(self, issuer: Issuer) -> _Held:
        look = self._looks.get(issuer.number)
        if look is None:
            look = self._looks[issuer.number] = asyncio.create_task(self._load(issuer))
            look.add_done_callback(lambda done: self._looked(issuer.number, done))
        return await asyncio.shield(look)  # whoever leaves leaves it to the others

    def _looked(self, issuer: int, look: asyncio.Task[_Held]) -> None:
        self._looks.pop(issuer, None)
        if not look.cancelled():
            look.exception()  # where all who waited for it have left, nobody else takes note of it

    async def _load(self, issuer: Issuer) -> _Held:
        looked_at = self._clock()
        stored, now_ms = await self._store.read(lambda tx: _with_time(tx, issuer.number))
        ahead_ms = now_ms - int(self._clock() * 1000)
        return self._hold(issuer, stored, now_ms, looked_at, ahead_ms)

    def _hold(self, issuer: Issuer, stored: list[StoredKey], now_ms: int, looked_at: float, ahead_ms: int) -> _Held:
        known = self._held.get(issuer.number)
        duties = policy.duties(stored, now_ms)
        if known is not None and known.duties == duties:
            keys = known.keys
        else:
            keys = self._open(issuer, duties, known.keys if known else None)
        held = self._held[issuer.number] = _Held(stored, duties, keys, looked_at, ahead_ms)
        return held

    def _open(self, issuer: Issuer, duties: Duties, known: IssuerKeys | None) -> IssuerKeys:
        """Open what is not open yet: what was verified with a set of keys is remembered as long as it stays the same."""
        if duties.signs_tokens is None or duties.signs_lists is None:
            raise JwtConfigurationError(internal=f"issuer {issuer.url} has no signing key")
        signers = {signer.key.kid: signer for signer in (known.signer, known.list_signer)} if known else {}
        for key in (duties.signs_tokens, duties.signs_lists):
            if key.kid not in signers:
                signers[key.kid] = Signer(making.opened(key, issuer.number, self._sealer))
        published = [import_verifying_key(json.loads(key.public_jwk)) for key in duties.published]
        if duties.signs_tokens.is_secret:
            opened = (making.opened(key, issuer.number, self._sealer) for key in duties.verify)
            verifying = KeySet(key.verifying_key for key in opened)
        else:
            verifying = KeySet(published)
        return IssuerKeys(
            signer=signers[duties.signs_tokens.kid],
            list_signer=signers[duties.signs_lists.kid],
            verifying=known.verifying
            if known and known.verifying.by_kid.keys() == verifying.by_kid.keys()
            else verifying,
            algorithms=HS256_ALONE if duties.signs_tokens.is_secret else ASYMMETRIC,
            jwks={"keys": [key.public_jwk() for key in published]},
        )

    async def _add_if_still_missing(self, tx: Transaction, items: list[_NewKey]) -> list[None]:
        await tx.lock(Locks.SIGNING_KEYS, {item.issuer for item in items})
        now_ms = await tx.now_ms()
        for issuer, key in items:
            if not policy.accepted(await sql.of_issuer(tx, issuer), now_ms, secret=False):
                stored = await making.sealed(tx, key, issuer, self._sealer, now_ms=now_ms, signs_from_ms=now_ms)
                await sql.add(tx, issuer, stored)
                await audit.record(tx, recording.made(issuer, stored, SYSTEM))
        return [None] * len(items)


async def forget_published(tx: Transaction) -> None:
    """Drop the keys of all issuers, for a store that was put back: one of them may have been stolen and revoked since.

    A secret that an operator gave to verifiers by hand stays. New keys are made by ``Keyring.make_missing``.
    """
    await sql.forget_published(tx)


async def _with_time(tx: Transaction, issuer: int) -> tuple[list[StoredKey], int]:
    return await sql.of_issuer(tx, issuer), await tx.now_ms()
