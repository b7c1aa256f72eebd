"""Record what was done, in the transaction that does it: either both are there, or neither."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

from guestpass.core import ids
from guestpass.core.audit.commitments import SALT_BYTES, commitment
from guestpass.server.audit import sql
from guestpass.server.audit.model import (
    COMMAND_LINE,
    NOWHERE,
    STORE,
    SYSTEM,
    WORD,
    Action,
    AuditEvent,
    EventRow,
    Where,
)
from guestpass.server.storage import facts
from guestpass.server.storage.store import Locks, Transaction

__all__ = [
    "COMMAND_LINE", "NOWHERE", "STORE", "SYSTEM", "WORD", "Action", "AuditEvent", "Where", "begin", "edge_ms", "record",
]  # fmt: skip

# What is committed later than that after its id was made is missed by the sealer. A server's clock may be 5 s off, a
# mint whose id is 5 s old takes a new one, and no transaction lives longer than 8 s.
WINDOW_MS = 20_000
_ERASURES = "audit_erasures"
BEGINS = "audit_begins_ms"  # the name of a fact of the store

_json = msgspec.json.Encoder(order="deterministic")


async def record(tx: Transaction, events: Sequence[AuditEvent]) -> None:
    """Write the events of an act, all in one statement. What changes nothing is no event, and what is refused none.

    They keep their order, and their times are the store's own: nobody's clock puts one before another.
    """
    if not events:
        return
    now_ms = await tx.now_ms()
    # The kernel is asked here, not a pool of the process: acts run in threads of the store.
    event_ids = sorted(ids.time_ordered(now_ms, os.urandom(ids.ENTROPY_BYTES)) for _ in events)
    rows = [_row(event, event_id) for event, event_id in zip(events, event_ids, strict=True)]
    targets = [
        (row.issuer, target, row.id)
        for event, row in zip(events, rows, strict=True)
        for target in sorted({*event.targets})
    ]
    await sql.add(tx, rows, targets)


async def begin(tx: Transaction) -> None:
    """Let the chain hold what is minted from now on, where it has not begun: a store may be older than its log."""
    if await facts.get(tx, BEGINS) is None:
        await facts.put(tx, BEGINS, str(await tx.now_ms() - WINDOW_MS).encode())


async def erasures(tx: Transaction) -> int:
    """Return how often something sealed, or about to be, was erased."""
    return int(await facts.get(tx, _ERASURES) or 0)


async def lock_chain(tx: Transaction) -> None:
    """Take the turn of who writes to the chain."""
    await tx.lock(Locks.AUDIT, [0])


async def note_erasure(tx: Transaction) -> None:
    """Let a sealer that read rows before this transaction read them again: they say less now."""
    await lock_chain(tx)
    await facts.put(tx, _ERASURES, str(await erasures(tx) + 1).encode())


async def edge_ms(tx: Transaction, source: int) -> int:
    """Return the milliseconds below which nothing of a source waits to be sealed.

    ``source``: the number of an issuer, for its sessions; ``STORE`` for the recorded events of all.
    """
    edge = await sql.edge_ms(tx, source)
    if edge is not None or source == STORE:
        return edge or 0
    return await begins_ms(tx)


async def begins_ms(tx: Transaction) -> int:
    """Return the milliseconds from which on sessions are in the chain."""
    begins = await facts.get(tx, BEGINS)
    return 0 if begins is None else int(begins)


def _row(event: AuditEvent, event_id: bytes) -> EventRow:
    personal = dict(event.personal)
    if event.where.network is not None:
        personal["network"] = event.where.network
    salts = {name: os.urandom(SALT_BYTES) for name in personal}
    return EventRow(
        id=event_id,
        issuer=event.issuer,
        action=event.action,
        actor=event.actor,
        request_id=event.where.request_id,
        targets=_text(event.targets),
        detail=_text(event.detail),
        commitments=_text({name: commitment(salts[name], name, value) for name, value in personal.items()}),
        personal=_text({name: [salts[name].hex(), value] for name, value in personal.items()}),
    )


def _text(value: Mapping[str, object] | Sequence[str]) -> str:
    return _json.encode(value).decode()
