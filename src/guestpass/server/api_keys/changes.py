"""Changes of keys, each decided and written in one transaction, beside which nothing of the issuer is minted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

from msgspec import UNSET, UnsetType

from guestpass.core.callers.api_key import Can
from guestpass.core.callers.grant import Grant
from guestpass.core.callers.ip_ranges import IpRanges
from guestpass.core.revocation.cutoff import Ending
from guestpass.errors import GuestpassError, NotFound
from guestpass.server.api_keys import policy, sql
from guestpass.server.api_keys.model import Actor, ApiKey, Described, Secret
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import Action, AuditEvent
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation.service import Subject
from guestpass.server.storage.store import Transaction

Seal: TypeAlias = Callable[[Transaction], Awaitable[bytes]]  # of a secret that signs, in the transaction that keeps it


class Change(Protocol):
    """What an actor does to one key, or to one that is not there yet."""

    @property
    def actor(self) -> Actor: ...

    @property
    def issuer(self) -> int: ...

    async def apply(self, tx: Transaction, own: Grant | None, now: float) -> Applied:
        """Do it. ``own``: what the actor may hand on; None: everything. Raises: GuestpassError, before anything is written."""
        ...


class Applied(NamedTuple):
    """The key after a change, and what the audit log is told of it: nothing where nothing was changed."""

    described: Described
    action: Action | None = None
    detail: Mapping[str, object] = {}


async def apply_each(tx: Transaction, changes: list[Change], now: float) -> list[Described | Exception]:
    """Make changes, each in the right of its actor as he is now."""
    await revocation.lock_issuers(tx, {change.issuer for change in changes})
    outcomes: list[Described | Exception] = []
    events: list[AuditEvent] = []
    for change in changes:
        try:
            applied = await change.apply(tx, await own_grant(tx, change.actor, now), now)
        except GuestpassError as refusal:
            outcomes.append(refusal)
        else:
            outcomes.append(applied.described)
            events += _events_of(change, applied)
    await audit.record(tx, events)
    return outcomes


def _events_of(change: Change, applied: Applied) -> list[AuditEvent]:
    if applied.action is None:
        return []
    actor, key = change.actor, applied.described.key
    event = AuditEvent(
        issuer=key.issuer, action=applied.action, actor=actor.name, targets=(key.public_id,), where=actor.where,
        detail=applied.detail,
    )  # fmt: skip
    return [event]


async def own_grant(tx: Transaction, actor: Actor, now: float) -> Grant | None:
    """Return what an actor may hand on now; None: everything. Raises: Unauthorized, Forbidden."""
    if actor.key is None:
        return None
    stored = await sql.by_id(tx, actor.key.id, now)
    refusal = policy.refusal_of_caller(stored, actor.key, "manage", now)
    if refusal is not None or stored is None:
        raise refusal or NotFound
    return stored.key.grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """``seal``: where the key signs."""

    actor: Actor
    key: ApiKey
    secret: Secret
    seal: Seal | None

    @property
    def issuer(self) -> int:
        return self.key.issuer

    async def apply(self, tx: Transaction, own: Grant | None, now: float) -> Applied:  # noqa: ARG002
        policy.check_gift(self.key.grant, own)
        secret = self.secret._replace(sealed=await self.seal(tx)) if self.seal else self.secret
        await sql.add(tx, self.key, secret)
        return Applied(Described(self.key, (secret,)), "api_key.created", {"signing": self.seal is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is UNSET stays as it is."""

    actor: Actor
    issuer: int
    key_id: bytes
    name: str | UnsetType = UNSET
    can: frozenset[Can] | UnsetType = UNSET
    ceiling: str | UnsetType = UNSET
    ip_ranges: IpRanges | UnsetType | None = UNSET
    expires_at: int | UnsetType | None = UNSET

    async def apply(self, tx: Transaction, own: Grant | None, now: float) -> Applied:
        before = policy.check_target(await sql.by_id(tx, self.key_id, now), self.issuer, own, now)
        after = self._edited(before.key)
        policy.check_gift(after.grant, own)
        changed = _changed(before.key, after)
        if not changed:
            return Applied(before)
        await sql.adopt(tx, before)
        await sql.put(tx, after, before.secrets[0])
        return Applied(before._replace(key=after), "api_key.updated", {"changed": changed})

    def _edited(self, key: ApiKey) -> ApiKey:
        parts = {name: getattr(self, name) for name in ("can", "ceiling", "ip_ranges", "expires_at")}
        grant = replace(key.grant, **{name: value for name, value in parts.items() if value is not UNSET})
        return replace(key, grant=grant, name=key.name if self.name is UNSET else self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    """``secret``: the new one; ``seal``: used only where the key signs."""

    actor: Actor
    issuer: int
    key_id: bytes
    secret: Secret
    seal: Seal
    overlap_seconds: int

    async def apply(self, tx: Transaction, own: Grant | None, now: float) -> Applied:
        before = policy.check_target(await sql.by_id(tx, self.key_id, now), self.issuer, own, now)
        if self.overlap_seconds:
            policy.check_rotation(before)
        secret = self.secret._replace(sealed=await self.seal(tx)) if before.signs else self.secret
        await sql.adopt(tx, before)
        await sql.end_secrets(tx, self.key_id, ends_at=int(now) + self.overlap_seconds)
        await sql.drop_secrets(tx, self.key_id, ended_by=int(now))
        await sql.add_secret(tx, self.key_id, secret)
        await sql.put(tx, before.key, secret)
        after = await sql.by_id(tx, self.key_id, now) or before
        return Applied(after, "api_key.rotated", {"overlapSeconds": self.overlap_seconds})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Whoever may manage keys may revoke any of his project and environment: it hands nothing on."""

    actor: Actor
    issuer: int
    key_id: bytes
    keep_sessions: bool

    async def apply(self, tx: Transaction, own: Grant | None, now: float) -> Applied:  # noqa: ARG002
        found = await sql.by_id(tx, self.key_id, now)
        if found is None or found.key.issuer != self.issuer:
            raise NotFound(policy.NO_SUCH_KEY)
        if found.key.revoked_at is not None:
            return Applied(found)
        await sql.set_revoked(tx, self.key_id, now=int(now))
        if not self.keep_sessions:
            ending = Ending(int(now * 1000), self.actor.name, reissue=False)
            await revocation.cut(tx, self.issuer, Subject("api_key", self.key_id), ending)
        after = await sql.by_id(tx, self.key_id, now) or found
        return Applied(after, "api_key.revoked", {"keepSessions": self.keep_sessions})


def _changed(before: ApiKey, after: ApiKey) -> list[str]:
    """Return what differs, by the names of the API."""
    parts = _parts(after)
    return [name for name, value in _parts(before).items() if value != parts[name]]


def _parts(key: ApiKey) -> dict[str, object]:
    grant = key.grant
    return {
        "name": key.name,
        "can": grant.can,
        "operations": grant.ceiling,
        "ipRanges": grant.ip_ranges,
        "expiresAt": grant.expires_at,
    }
