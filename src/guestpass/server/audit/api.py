"""What goes over the wire about the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from guestpass.core import ids, times
from guestpass.server.audit.model import WORD, EventRow


class AuditEventView(Struct, frozen=True, rename="camel", kw_only=True):
    """One act."""

    id: str
    action: str
    actor: Annotated[
        str,
        Meta(description="The id of the API key, `command line`, `system`, `restore`, or `session`: its own token."),
    ]
    targets: Annotated[
        list[str], Meta(description="Ids of what it was done to, like `sess_…`, `cust_…`, `key_…`, a `kid`.")
    ]
    at: str
    request_id: str | None
    detail: dict[str, Any]
    personal: Annotated[
        dict[str, str] | None, Meta(description="What names a person, by field; `null` once it was erased.")
    ]


class AuditEventPage(Struct, frozen=True, rename="camel"):
    data: list[AuditEventView]
    next_cursor: str | None


def view_of(row: EventRow) -> AuditEventView:
    salted = None if row.personal is None else msgspec.json.decode(row.personal, type=dict[str, tuple[str, str]])
    return AuditEventView(
        id=ids.encode(WORD, row.id),
        action=row.action,
        actor=row.actor,
        targets=msgspec.json.decode(row.targets),
        at=times.of_milliseconds(ids.unix_ms_of(row.id)),
        request_id=row.request_id,
        detail=msgspec.json.decode(row.detail),
        personal=None if salted is None else {name: value for name, (_, value) in salted.items()},
    )


def views_of(rows: Sequence[EventRow]) -> list[AuditEventView]:
    return [view_of(row) for row in rows]
