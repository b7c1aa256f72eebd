"""Change an issuer's keys: by an operator's word, by a setting, or because it is time.

Every decision is taken in the transaction that writes it, by the store's clock and under the issuer's lock: of
several servers that find the same thing due, one does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

from guestpass.core.callers import secret_text
from guestpass.core.jose.jwk import SigningKey
from guestpass.errors import Conflict, NotFound, RequestError
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import COMMAND_LINE, SYSTEM
from guestpass.server.clock import Entropy
from guestpass.server.projects.service import Issuer
from guestpass.server.signing_keys import making, policy, recording, sql
from guestpass.server.signing_keys.model import SigningAlgorithm, StoredKey
from guestpass.server.signing_keys.policy import Publish, Schedule, State, Step
from guestpass.server.storage.sealing import Sealer
from guestpass.server.storage.store import Act, Locks, Store, Transaction

__all__ = ["Change", "Keys", "Rotation", "StoredKey"]

_ALREADY_SECRET = "The tokens of this issuer are under a secret already; signing-keys rotate makes the next one."  # noqa: S105
_NOT_SECRET = "The tokens of this issuer are not under a secret."  # noqa: S105
_TURNED = "This issuer was just turned to another kind of key; look at signing-keys list, and try again."


class Keys(NamedTuple):
    """All keys of an issuer, out or not, as of a time of the store's clock."""

    issuer: int
    stored: list[StoredKey]
    now_ms: int

    def state_of(self, key: StoredKey) -> State:
        return policy.state_of(key, self.stored, self.now_ms)

    def retires_at_ms(self, key: StoredKey) -> int | None:
        return None if key.revoked_at_ms is not None else policy.retires_at_ms(key, self.stored)

    def in_order(self) -> list[StoredKey]:
        """Return all of them, the last to sign first."""
        return sorted(self.stored, key=lambda key: (key.signs_from_ms, key.kid), reverse=True)

    def last(self, *, secret: bool) -> StoredKey | None:
        """Return the last key of a family whose turn has come, or is named."""
        living = policy.accepted(self.stored, self.now_ms, secret=secret)
        return next((key for key in living if key.signs_from_ms < policy.NEVER_MS), None)

    def signer(self) -> StoredKey | None:
        """Return the key that signs the issuer's tokens."""
        return policy.duties(self.stored, self.now_ms).signs_tokens


class Change(NamedTuple):
    """What became of an issuer's keys.

    Args:
        made: The key that was added; None where none was needed.
        secret: The text of that key, where its verifiers are to be given it by hand.
    """

    keys: Keys
    made: StoredKey | None = None
    secret: str | None = None


class _Asked(NamedTuple):
    """An act's item. ``spare``: a key made before the transaction, for the case that one is needed.

    ``actor``: as the audit log names him.
    """

    issuer: int
    spare: SigningKey | None = None
    signs_in_ms: int | None = None
    kid: str = ""
    algorithm: SigningAlgorithm | None = None
    actor: str = COMMAND_LINE


class Rotation:
    """Args: ``algorithm``: what new keys are for. ``key_days``: how long a key signs; 0: until it is rotated."""

    def __init__(
        self, store: Store, sealer: Sealer, entropy: Entropy, *, algorithm: SigningAlgorithm, key_days: int
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._entropy = entropy
        self._algorithm = algorithm
        self._key_days = key_days

    async def all(self) -> list[Keys]:
        """Return every issuer's keys."""
        return await self._store.read(_all)

    async def of(self, issuer: Issuer) -> Keys:
        return await self._store.read(lambda tx: _of(tx, issuer.number))

    async def issuer_of(self, kid: str) -> int:
        """Return the number of the issuer whose key that is. Raises: NotFound."""
        issuer = await self._store.read(lambda tx: sql.issuer_of(tx, kid))
        if issuer is None:
            raise NotFound(f"There is no signing key {kid}.")
        return issuer

    async def rotate(self, issuer: Issuer, *, signs_in_seconds: int | None = None) -> Change:
        """Let the next key take over: in ``signs_in_seconds``, but no sooner than every cached key set has it.

        By default as soon as that, or in a day where it is a secret. Raises: Conflict, Unavailable.
        """
        keys = await self.of(issuer)
        is_secret = policy.uses_secret(keys.stored, keys.now_ms)
        signs_in_ms = None if signs_in_seconds is None else signs_in_seconds * 1000
        return await self._write_with_spare(self._rotate, issuer, is_secret=is_secret, signs_in_ms=signs_in_ms)

    async def revoke(self, issuer: Issuer, kid: str) -> Change:
        """Take a key out at once, as after its theft; where it signed, another signs from the same moment on.

        Revoking it again changes nothing. Raises: NotFound, Unavailable.
        """
        keys = await self.of(issuer)
        is_secret = any(key.kid == kid and key.is_secret for key in keys.stored)
        return await self._write_with_spare(self._revoke, issuer, is_secret=is_secret, kid=kid)

    async def use_secret(self, issuer: Issuer) -> Change:
        """Turn the issuer to HS256 in a moment (``SWITCH_MS``): from then on its tokens are under a new secret alone.

        Raises: Conflict where they are already, Unavailable.
        """
        return await self._write_with_spare(self._use_secret, issuer, is_secret=True)

    async def use_setting(self, issuer: Issuer) -> Change:
        """Turn the issuer back to the asymmetric keys of the setting in a moment (``SWITCH_MS``).

        Raises: Conflict where they sign already, Unavailable.
        """
        return await self._store.write(self._use_setting, _Asked(issuer.number))

    async def keep(self, *, algorithm: bool) -> AsyncIterator[Change]:
        """Do what is due for every issuer: publish and begin the next keys, erase those that are out.

        ``algorithm``: also turn to the algorithm that is set, where the last key is for another.
        """
        wanted = self._algorithm if algorithm else None
        for keys in await self.all():
            stored, now_ms = keys.stored, keys.now_ms
            if self._due(keys, wanted) or policy.to_erase(stored, now_ms) or policy.to_forget(stored, now_ms):
                spare = await asyncio.to_thread(making.new_key, self._algorithm)
                yield await self._store.write(self._keep, _Asked(keys.issuer, spare, algorithm=wanted, actor=SYSTEM))

    async def _write_with_spare(
        self, act: Act[_Asked, Change], issuer: Issuer, *, is_secret: bool, **more: Any
    ) -> Change:
        text = None
        if is_secret:
            spare, text = making.new_secret(issuer.environment, self._entropy(secret_text.ENTROPY_BYTES))
        else:
            spare = await asyncio.to_thread(making.new_key, self._algorithm)
        change = await self._store.write(act, _Asked(issuer.number, spare, **more))
        return change._replace(secret=text) if change.made else change

    async def _rotate(self, tx: Transaction, items: list[_Asked]) -> list[Change | Exception]:
        async def one(keys: Keys, asked: _Asked) -> Change:
            is_secret = policy.uses_secret(keys.stored, keys.now_ms)
            if asked.spare is None or is_secret != (asked.spare.algorithm == "HS256"):
                raise Conflict(_TURNED)
            step = policy.rotation(keys.stored, keys.now_ms, secret=is_secret, signs_in_ms=asked.signs_in_ms)
            return await self._take(tx, keys, step, asked)

        return await _each(tx, items, one)

    async def _revoke(self, tx: Transaction, items: list[_Asked]) -> list[Change | Exception]:
        async def one(keys: Keys, asked: _Asked) -> Change:
            key = next((key for key in keys.stored if key.kid == asked.kid), None)
            if key is None:
                raise NotFound(f"There is no signing key {asked.kid}.")
            if key.revoked_at_ms is not None:
                return Change(keys)
            await sql.set_revoked(tx, keys.issuer, key.kid, keys.now_ms)
            await sql.erase(tx, keys.issuer, key.kid)
            await audit.record(tx, [recording.revoked(keys.issuer, key.kid, asked.actor)])
            left = await _of(tx, keys.issuer)
            signed = keys.state_of(key) == "signing"
            step = policy.replacement(left.stored, left.now_ms, secret=key.is_secret) if signed else None
            return await self._take(tx, left, step, asked)

        return await _each(tx, items, one)

    async def _use_secret(self, tx: Transaction, items: list[_Asked]) -> list[Change | Exception]:
        async def one(keys: Keys, asked: _Asked) -> Change:
            if policy.accepted(keys.stored, keys.now_ms, secret=True):
                raise Conflict(_ALREADY_SECRET)
            return await self._take(tx, keys, Publish(keys.now_ms + policy.SWITCH_MS), asked)

        return await _each(tx, items, one)

    async def _use_setting(self, tx: Transaction, items: list[_Asked]) -> list[Change | Exception]:
        async def one(keys: Keys, asked: _Asked) -> Change:
            if not policy.uses_secret(keys.stored, keys.now_ms):
                raise Conflict(_NOT_SECRET)
            for key in policy.accepted(keys.stored, keys.now_ms, secret=True):
                ends_at_ms = keys.now_ms + policy.SWITCH_MS
                await sql.set_retires_at(tx, keys.issuer, key.kid, ends_at_ms)
                await audit.record(tx, [recording.retired(keys.issuer, key.kid, ends_at_ms, asked.actor)])
            return Change(await _of(tx, keys.issuer))

        return await _each(tx, items, one)

    async def _keep(self, tx: Transaction, items: list[_Asked]) -> list[Change | Exception]:
        async def one(keys: Keys, asked: _Asked) -> Change:
            step = self._due(keys, asked.algorithm)  # asked again: another server may have been first
            return await self._take(tx, keys, step, asked)

        return await _each(tx, items, one)

    def _due(self, keys: Keys, algorithm: SigningAlgorithm | None) -> Step | None:
        return policy.due(keys.stored, keys.now_ms, key_days=self._key_days, algorithm=algorithm)

    async def _take(self, tx: Transaction, keys: Keys, step: Step | None, asked: _Asked) -> Change:
        made, spare, issuer = None, asked.spare, keys.issuer
        if isinstance(step, Schedule):
            await sql.set_signs_from(tx, issuer, step.key.kid, step.signs_from_ms)
            await audit.record(tx, [recording.activated(issuer, step.key.kid, step.signs_from_ms, asked.actor)])
        elif step is not None and spare is not None:
            if step.in_place_of is not None:
                await sql.set_retires_at(tx, issuer, step.in_place_of.kid, keys.now_ms)
            made = await making.sealed(
                tx, spare, issuer, self._sealer, now_ms=keys.now_ms, signs_from_ms=step.signs_from_ms
            )
            await sql.add(tx, issuer, made)
            await audit.record(tx, recording.made(issuer, made, asked.actor))
        return Change(await _of(tx, keys.issuer), made)


async def _each(
    tx: Transaction, items: list[_Asked], one: Callable[[Keys, _Asked], Coroutine[Any, Any, Change]]
) -> list[Change | Exception]:
    """Let ``one`` change the keys of each item's issuer, whose lock is held."""
    await tx.lock(Locks.SIGNING_KEYS, {item.issuer for item in items})
    outcomes: list[Change | Exception] = []
    for item in items:
        try:
            outcomes.append(await one(await _swept(tx, item.issuer), item))
        except RequestError as refused:
            outcomes.append(refused)
    return outcomes


async def _all(tx: Transaction) -> list[Keys]:
    now_ms = await tx.now_ms()
    return [Keys(issuer, stored, now_ms) for issuer, stored in (await sql.of_all(tx)).items()]


async def _of(tx: Transaction, issuer: int) -> Keys:
    return Keys(issuer, await sql.of_issuer(tx, issuer), await tx.now_ms())


async def _swept(tx: Transaction, issuer: int) -> Keys:
    """Return the issuer's keys, those whose time is over erased: no later change calls them back."""
    keys = await _of(tx, issuer)
    gone, old = policy.to_erase(keys.stored, keys.now_ms), policy.to_forget(keys.stored, keys.now_ms)
    for key in gone:
        await sql.set_retires_at(tx, issuer, key.kid, policy.retires_at_ms(key, keys.stored))
        await sql.erase(tx, issuer, key.kid)
    for key in old:
        await sql.forget(tx, issuer, key.kid)
    return await _of(tx, issuer) if gone or old else keys
