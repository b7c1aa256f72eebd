"""Changes of endpoints, each decided and written in one transaction, beside which nothing is queued or sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

from msgspec import UNSET, UnsetType

from guestpass.core.bounds import SECRETS_MAX
from guestpass.errors import Conflict, GuestpassError, NotFound
from guestpass.server.api_keys import service as api_keys
from guestpass.server.api_keys.service import Actor
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import NOWHERE, SYSTEM, Action, AuditEvent, Where
from guestpass.server.storage import facts
from guestpass.server.storage.store import Locks, Transaction
from guestpass.server.webhooks import sql
from guestpass.server.webhooks.model import ENDPOINTS_MAX, AuditLog, Described, Endpoint, Secret, WhyDisabled

NO_SUCH_ENDPOINT = "There is no such webhook endpoint."
POSITION = "webhooks_position"  # in the audit log; what stands before it was queued

Seal: TypeAlias = Callable[[Transaction], Awaitable[Secret]]


class Applied(NamedTuple):
    """The endpoint after a change, and what the audit log is told of it: nothing where nothing was changed."""

    described: Described
    action: Action | None = None
    detail: Mapping[str, object] = {}


class Change(Protocol):
    """What an actor does to one endpoint, or to one that is not there yet."""

    @property
    def actor(self) -> Actor: ...

    async def apply(self, tx: Transaction, log: AuditLog, now: float) -> Applied:
        """Do it. Raises: GuestpassError, before anything is written."""
        ...


async def apply_each(tx: Transaction, changes: list[Change], log: AuditLog, now: float) -> list[Described | Exception]:
    """Make changes, each in the right of its actor as he is now."""
    await tx.lock(Locks.WEBHOOKS, [0])
    outcomes: list[Described | Exception] = []
    events: list[AuditEvent] = []
    for change in changes:
        try:
            await api_keys.own_grant(tx, change.actor, now)
            applied = await change.apply(tx, log, now)
        except GuestpassError as refusal:
            outcomes.append(refusal)
        else:
            outcomes.append(applied.described)
            if applied.action is not None:
                actor = change.actor
                events.append(
                    event_of(
                        applied.described.endpoint, applied.action, actor.name, where=actor.where, **applied.detail
                    )
                )
    await audit.record(tx, events)
    return outcomes


def event_of(endpoint: Endpoint, action: Action, actor: str, *, where: Where = NOWHERE, **detail: object) -> AuditEvent:
    """Return what the audit log is told of an endpoint. Never its address: a receiver may have a token in it."""
    return AuditEvent(
        issuer=endpoint.issuer, action=action, actor=actor, targets=(endpoint.public_id,), where=where, detail=detail
    )


async def disable(tx: Transaction, endpoint: Endpoint, why: WhyDisabled, *, now_ms: int) -> None:
    """Let an endpoint get nothing any more, because of how it answered; the audit log is told."""
    await sql.put(tx, replace(endpoint, disabled_at=now_ms // 1000, disabled_why=why))
    await audit.record(tx, [event_of(endpoint, "webhook_endpoint.disabled", SYSTEM, why=why)])


async def _begin(tx: Transaction, log: AuditLog) -> int:
    """Return the position from which an endpoint gets what is sealed.

    Where no other was enabled, nobody has followed the audit log meanwhile: then that goes on from there, too.
    """
    position = await log.end(tx)
    if not await sql.enabled(tx):
        await facts.put(tx, POSITION, str(position).encode())
    return position


async def _found(tx: Transaction, issuer: int, endpoint_id: bytes) -> Endpoint:
    endpoint = await sql.by_id(tx, issuer, endpoint_id)
    if endpoint is None:
        raise NotFound(NO_SUCH_ENDPOINT)
    return endpoint


async def _described(tx: Transaction, endpoint: Endpoint, now: float) -> Described:
    return Described(endpoint, await sql.secrets_of(tx, endpoint, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    actor: Actor
    endpoint: Endpoint
    seal: Seal

    async def apply(self, tx: Transaction, log: AuditLog, now: float) -> Applied:
        if await sql.count(tx, self.endpoint.issuer) >= ENDPOINTS_MAX:
            raise Conflict(f"There are {ENDPOINTS_MAX} webhook endpoints already; delete one first.")
        endpoint = replace(self.endpoint, position=await _begin(tx, log))
        await sql.add(tx, endpoint)
        await sql.add_secret(tx, endpoint, await self.seal(tx))
        return Applied(
            await _described(tx, endpoint, now), "webhook_endpoint.created", {"events": list(endpoint.events)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is UNSET stays as it is."""

    actor: Actor
    issuer: int
    endpoint_id: bytes
    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    events: tuple[str, ...] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET

    async def apply(self, tx: Transaction, log: AuditLog, now: float) -> Applied:
        before = await _found(tx, self.issuer, self.endpoint_id)
        after = self._edited(before, now)
        changed = [name for name in ("url", "description", "events") if getattr(before, name) != getattr(after, name)]
        changed += ["enabled"] if before.disabled_at != after.disabled_at else []
        if before.disabled_at is not None and after.disabled_at is None:
            after = replace(after, position=await _begin(tx, log))
        if not changed:
            return Applied(await _described(tx, before, now))
        await sql.put(tx, after)
        return Applied(await _described(tx, after, now), "webhook_endpoint.updated", {"changed": changed})

    def _edited(self, before: Endpoint, now: float) -> Endpoint:
        parts = {name: getattr(self, name) for name in ("url", "description", "events")}
        after = replace(before, **{name: value for name, value in parts.items() if value is not UNSET})
        if self.enabled is True and before.disabled_at is not None:
            return replace(after, disabled_at=None, disabled_why=None, failing_since_ms=None)
        if self.enabled is False and before.disabled_at is None:
            return replace(after, disabled_at=int(now), disabled_why="by_request")
        return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate:
    actor: Actor
    issuer: int
    endpoint_id: bytes
    seal: Seal
    overlap_seconds: int

    async def apply(self, tx: Transaction, log: AuditLog, now: float) -> Applied:  # noqa: ARG002
        before = await _described(tx, await _found(tx, self.issuer, self.endpoint_id), now)
        if self.overlap_seconds and len(before.secrets) >= SECRETS_MAX:
            raise Conflict(
                f"{SECRETS_MAX} secrets of this endpoint are in use. Wait until one has ended, or rotate with an "
                f"overlap of 0, which ends all of them."
            )
        await sql.end_secrets(tx, before.endpoint, ends_at=int(now) + self.overlap_seconds, now=int(now))
        await sql.add_secret(tx, before.endpoint, await self.seal(tx))
        after = await _described(tx, before.endpoint, now)
        rotated = {"changed": ["secret"], "overlapSeconds": self.overlap_seconds}
        return Applied(after, "webhook_endpoint.updated", rotated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    actor: Actor
    issuer: int
    endpoint_id: bytes

    async def apply(self, tx: Transaction, log: AuditLog, now: float) -> Applied:  # noqa: ARG002
        endpoint = replace(await _found(tx, self.issuer, self.endpoint_id), deleted_at=int(now))
        await sql.put(tx, endpoint)
        await sql.drop_secrets(tx, endpoint)
        return Applied(Described(endpoint, ()), "webhook_endpoint.deleted")
