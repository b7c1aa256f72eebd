"""Make, find and change webhook endpoints; see what was sent to them, and send it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guestpass.core import ids
from guestpass.core.bounds import OVERLAP_SECONDS_DEFAULT
from guestpass.errors import Conflict, GuestpassError, NotFound
from guestpass.server.api_keys import service as api_keys
from guestpass.server.api_keys.service import Actor
from guestpass.server.clock import Clock, Entropy
from guestpass.server.storage.sealing import Sealer
from guestpass.server.storage.store import Locks, Riders, Store, Transaction, noting
from guestpass.server.webhooks import changes, queue, secrets, sql
from guestpass.server.webhooks.changes import NO_SUCH_ENDPOINT, Change, Create, Delete, Edit, Rotate, Seal
from guestpass.server.webhooks.model import (
    ENDPOINTS_MAX,
    WORD,
    AuditLog,
    Delivery,
    Described,
    Endpoint,
    MadeSecret,
    WhyDisabled,
    event_id_of,
)
from guestpass.server.webhooks.secrets import SEALED_WEBHOOK_SECRETS

__all__ = [
    "SEALED_WEBHOOK_SECRETS", "WORD", "AuditLog", "Delivery", "Described", "Edit", "Endpoint", "MadeSecret", "NewEndpoint",
    "Webhooks", "WhyDisabled", "decoded",
]  # fmt: skip


class NewEndpoint(NamedTuple):
    """An endpoint and its newest secret, which is shown this once."""

    described: Described
    secret: str


class _Resend(NamedTuple):
    actor: Actor
    issuer: int
    endpoint_id: bytes
    event_id: bytes


class Webhooks:
    def __init__(self, store: Store, log: AuditLog, sealer: Sealer, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._log = log
        self._sealer = sealer
        self._clock = clock
        self._entropy = entropy

    async def create(
        self, issuer: int, *, actor: Actor, url: str, description: str, events: tuple[str, ...], riders: Riders = ()
    ) -> NewEndpoint:
        """Make an endpoint; it gets what happens from now on. Raises: Conflict where there are too many."""
        endpoint_id = ids.time_ordered(int(self._clock() * 1000), self._entropy(ids.ENTROPY_BYTES))
        endpoint = Endpoint(
            issuer=issuer, id=endpoint_id, url=url, description=description, events=events,
            created_at=int(self._clock()), position=0,
        )  # fmt: skip
        made, seal = self._new_secret(endpoint_id)
        described = await self._change(
            Create(actor=actor, endpoint=endpoint, seal=seal), noting(riders, lambda _: made)
        )
        return NewEndpoint(described, made.text)

    async def edit(self, edit: Edit, riders: Riders = ()) -> Described:
        """Change what is named of an endpoint. Raises: NotFound."""
        return await self._change(edit, riders)

    async def rotate(
        self,
        issuer: int,
        endpoint_id: str,
        *,
        actor: Actor,
        overlap_seconds: int = OVERLAP_SECONDS_DEFAULT,
        riders: Riders = (),
    ) -> NewEndpoint:
        """Give an endpoint a new secret; until the overlap ends, deliveries are signed with the older ones too.

        Raises: NotFound; Conflict where too many are in use.
        """
        target = decoded(endpoint_id)
        made, seal = self._new_secret(target)
        rotate = Rotate(actor=actor, issuer=issuer, endpoint_id=target, seal=seal, overlap_seconds=overlap_seconds)
        return NewEndpoint(await self._change(rotate, noting(riders, lambda _: made)), made.text)

    async def again(self, issuer: int, made: MadeSecret) -> NewEndpoint:
        """Return an endpoint as it is now, with the secret that was made for it.

        Raises: Conflict where it has another one since; NotFound.
        """
        described = await self.get(issuer, ids.encode(WORD, made.endpoint_id))
        if not described.secrets or described.secrets[0].id != made.secret_id:
            raise Conflict("This secret was rotated since, so the one that was made then is not told again.")
        return NewEndpoint(described, made.text)

    async def delete(self, issuer: int, endpoint_id: str, *, actor: Actor, riders: Riders = ()) -> Endpoint:
        """Delete an endpoint, its secrets and what waits for it. Raises: NotFound."""
        delete = Delete(actor=actor, issuer=issuer, endpoint_id=decoded(endpoint_id))
        return (await self._change(delete, riders)).endpoint

    async def get(self, issuer: int, endpoint_id: str) -> Described:
        """Raises: NotFound."""
        target = decoded(endpoint_id)

        async def query(tx: Transaction) -> list[Described]:
            found = await sql.by_id(tx, issuer, target)
            return await sql.described(tx, [found] if found else [], self._clock())

        found = await self._store.read(query)
        if not found:
            raise NotFound(NO_SUCH_ENDPOINT)
        return found[0]

    async def issuer_of(self, endpoint_id: str) -> int:
        """Return the number of the issuer that an endpoint is of: for the operator. Raises: NotFound."""
        target = decoded(endpoint_id)
        for endpoint in await self._store.read(sql.all_of_them):
            if endpoint.id == target and endpoint.deleted_at is None:
                return endpoint.issuer
        raise NotFound(NO_SUCH_ENDPOINT)

    async def page(self, issuer: int, *, below: bytes, limit: int) -> list[Described]:
        """Return up to ``limit`` endpoints whose ids are below ``below``, newest first."""

        async def query(tx: Transaction) -> list[Described]:
            found = await sql.page(tx, issuer, below=below, limit=limit)
            return await sql.described(tx, found, self._clock())

        return await self._store.read(query)

    async def all_of(self, issuers: Sequence[int]) -> list[Described]:
        """Return every endpoint of these issuers, newest first."""
        return [one for issuer in issuers for one in await self.page(issuer, below=ids.AFTER_ALL, limit=ENDPOINTS_MAX)]

    async def deliveries(self, issuer: int, endpoint_id: str, *, below: bytes, limit: int) -> list[Delivery]:
        """Return up to ``limit`` deliveries of events with ids below ``below``, newest first. Raises: NotFound."""
        endpoint = (await self.get(issuer, endpoint_id)).endpoint
        return await self._store.read(lambda tx: queue.page(tx, endpoint, below=below, limit=limit))

    async def resend(
        self, issuer: int, endpoint_id: str, event_id: str, *, actor: Actor, riders: Riders = ()
    ) -> Delivery:
        """Send an event again, whatever came of it, with a new round of attempts and the same ``webhook-id``.

        Raises: NotFound; Conflict where the endpoint is disabled.
        """
        event = event_id_of(event_id)
        if event is None:
            raise NotFound(_NO_SUCH_DELIVERY)
        resend = _Resend(actor, issuer, decoded(endpoint_id), event)
        return await self._store.write(self._resend_each, resend, riders)

    def _new_secret(self, endpoint_id: bytes) -> tuple[MadeSecret, Seal]:
        now = self._clock()
        secret_id, text = secrets.make(now, self._entropy)
        made = MadeSecret(endpoint_id, secret_id, text)
        return made, lambda tx: secrets.seal(tx, self._sealer, secret_id, text, now=now)

    async def _change(self, change: Change, riders: Riders) -> Described:
        return await self._store.write(self._apply_each, change, riders)

    async def _resend_each(self, tx: Transaction, items: list[_Resend]) -> list[Delivery | Exception]:
        await tx.lock(Locks.WEBHOOKS, [0])
        return [await _resend(tx, item, self._clock()) for item in items]

    async def _apply_each(self, tx: Transaction, items: list[Change]) -> list[Described | Exception]:
        return await changes.apply_each(tx, items, self._log, self._clock())


_NO_SUCH_DELIVERY = "Nothing about this event was sent to this endpoint, or it was more than a week ago."


def decoded(endpoint_id: str) -> bytes:
    """Raises: NotFound where it is no id of an endpoint."""
    found = ids.decode(WORD, endpoint_id)
    if found is None:
        raise NotFound(NO_SUCH_ENDPOINT)
    return found


async def _resend(tx: Transaction, item: _Resend, now: float) -> Delivery | Exception:
    try:
        await api_keys.own_grant(tx, item.actor, now)
    except GuestpassError as refusal:
        return refusal
    endpoint = await sql.by_id(tx, item.issuer, item.endpoint_id)
    if endpoint is None:
        return NotFound(NO_SUCH_ENDPOINT)
    if endpoint.disabled_at is not None:
        return Conflict("This endpoint is disabled; enable it first.")
    delivery = await queue.by_id(tx, item.issuer, item.endpoint_id, item.event_id)
    if delivery is None:
        return NotFound(_NO_SUCH_DELIVERY)
    return await queue.send_again(tx, delivery, await tx.now_ms())
