"""The sealed events in order, as a feed: whoever keeps a position in it misses nothing and gets nothing twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from guestpass.core import ids, times
from guestpass.core.tokens import operations
from guestpass.server.api_keys import service as api_keys
from guestpass.server.audit import batches, sql
from guestpass.server.audit.batches import Stretch
from guestpass.server.audit.model import STORE, WORD, EventRow
from guestpass.server.customers import service as customers
from guestpass.server.sessions import minted
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage.store import Transaction

STRETCHES_MAX = 256  # parts that one call looks at


class SealedEvent(NamedTuple):
    """An event that is in the chain. ``position``: of its leaf. ``personal``: what of it was not erased since.

    A mint is ``session.created``, with its session's id in place of an event's.
    """

    position: int
    id: str
    issuer: int
    at_ms: int
    action: str
    actor: str
    request_id: str | None
    targets: Sequence[str]
    detail: Mapping[str, object]
    personal: Mapping[str, str]


class Feed(NamedTuple):
    """Some events, and the position from which to go on; more may be waiting where it is not the one asked with."""

    events: list[SealedEvent]
    position: int


async def end(tx: Transaction) -> int:
    """Return the position behind all that is sealed: where a feed begins that tells only of what comes."""
    last = await batches.last(tx)
    return last.first_leaf + last.leaves if last else 0


async def sealed_after(tx: Transaction, position: int, limit: int, *, sessions_of: Collection[int] = ()) -> Feed:
    """Return up to ``limit`` events from ``position`` on, in the order in which they were sealed.

    ``sessions_of``: the issuers whose ``session.created`` are wanted; those of others are passed over at no cost.
    Sessions that are purged by now are passed over, too.
    """
    found: list[SealedEvent] = []
    for stretch in await batches.stretches_from(tx, position, most=STRETCHES_MAX):
        start = max(0, position - stretch.first_leaf)
        if start >= stretch.leaves:
            continue
        room = limit - len(found)
        if room <= 0:
            break
        if stretch.source != STORE and stretch.source not in sessions_of:
            position = stretch.first_leaf + stretch.leaves
            continue
        some = await batches.ids_in(tx, stretch, start, min(room, stretch.leaves - start))
        found += await _events(tx, stretch, start, some)
        position = stretch.first_leaf + start + len(some)
    return Feed(found, position)


async def _events(tx: Transaction, stretch: Stretch, start: int, some: Sequence[bytes]) -> list[SealedEvent]:
    positions = {one: stretch.first_leaf + start + place for place, one in enumerate(some)}
    if stretch.source == STORE:
        recorded = await sql.events_of(tx, some)
        return [of_event(recorded[one], position) for one, position in positions.items() if one in recorded]
    rows = await minted.rows(tx, stretch.source, some)
    renewable = await minted.renewable_among(tx, stretch.source, list(rows))
    return [
        _of_session(rows[one], position, renewable=one in renewable)
        for one, position in positions.items()
        if one in rows
    ]


def of_event(row: EventRow, position: int) -> SealedEvent:
    """Return an event as it was recorded."""
    personal = {} if row.personal is None else msgspec.json.decode(row.personal, type=dict[str, tuple[str, str]])
    return SealedEvent(
        position=position,
        id=ids.encode(WORD, row.id),
        issuer=row.issuer,
        at_ms=ids.unix_ms_of(row.id),
        action=row.action,
        actor=row.actor,
        request_id=row.request_id,
        targets=msgspec.json.decode(row.targets),
        detail=msgspec.json.decode(row.detail),
        personal={name: value for name, (_, value) in personal.items()},
    )


def _of_session(row: SessionRow, position: int, *, renewable: bool) -> SealedEvent:
    return SealedEvent(
        position=position,
        id=row.public_id,
        issuer=row.issuer,
        at_ms=row.minted_ms,
        action="session.created",
        actor=api_keys.public_id(row.api_key_id),
        request_id=None,
        targets=(row.public_id, ids.encode_again(customers.WORD, row.customer_id)),
        detail={
            "renewable": renewable,
            "format": row.format,
            "allowedOperations": operations.names_of(row.scope),
            "issuedAt": times.of_seconds(row.issued_at),
            "notBefore": None if row.not_before is None else times.of_seconds(row.not_before),
            "expiresAt": times.of_seconds(row.expires_at),
        },
        personal=minted.personal_of(row),
    )
