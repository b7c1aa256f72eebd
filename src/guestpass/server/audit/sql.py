"""The tables audit_events and audit_targets."""

from __future__ import annotations

from collections.abc import Sequence

from guestpass.server.audit.model import EventRow
from guestpass.server.storage.store import Transaction


async def add(tx: Transaction, rows: Sequence[EventRow], targets: Sequence[tuple[int, str, bytes]]) -> None:
    """Write events. ``targets``: (issuer, public id, event's id), by which they are found again."""
    await tx.insert("audit_events", EventRow._fields, rows)
    await tx.insert("audit_targets", ("issuer", "target", "id"), targets)
