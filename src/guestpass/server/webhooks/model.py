"""Webhooks: endpoints, and deliveries to them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from guestpass.core import ids
from guestpass.server.audit.feed import Feed
from guestpass.server.storage.store import Transaction

WORD = "we"
EVENT_WORD = "evt"
SESSION_WORD = "sess"  # of the event that is a mint: the session itself
MINTED = "session.created"
ENDPOINTS_MAX = 16  # of one issuer: each event is held against all of them

WhyDisabled: TypeAlias = Literal["by_request", "gone", "failing", "overflowing"]
Status: TypeAlias = Literal["pending", "delivered", "failed"]


class Secret(NamedTuple):
    """One secret that an endpoint's deliveries are signed with. ``ends_at``: Unix seconds; None of the newest."""

    id: bytes
    created_at: int
    ends_at: int | None
    sealed: bytes

    def works(self, now: float) -> bool:
        return self.ends_at is None or now < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an issuer's events are sent.

    Args:
        events: Names and families, like ``session.revoked`` and ``api_key.*``.
        position: In the audit log; nothing that was sealed before it is sent.
        failing_since_ms: Since when no attempt has succeeded; None where the last one did.
        disabled_at: Unix seconds; nothing is queued or sent since then.
    """

    issuer: int
    id: bytes
    url: str
    description: str
    events: tuple[str, ...]
    created_at: int
    position: int
    failing_since_ms: int | None = None
    disabled_at: int | None = None
    disabled_why: WhyDisabled | None = None
    deleted_at: int | None = None

    @property
    def public_id(self) -> str:
        return ids.encode_again(WORD, self.id)


class Described(NamedTuple):
    """An endpoint, and its secrets that work, the newest first; of these only facts are ever shown."""

    endpoint: Endpoint
    secrets: tuple[Secret, ...]


class MadeSecret(Struct, frozen=True, array_like=True):
    """A secret that was made for an endpoint: kept, sealed, for who sends its Idempotency-Key again."""

    endpoint_id: bytes
    secret_id: bytes
    text: str


class AuditLog(Protocol):
    """The sealed events, as ``audit.feed`` gives them out."""

    async def end(self, tx: Transaction) -> int:
        """Return the position behind all that is sealed."""
        ...

    async def sealed_after(
        self, tx: Transaction, position: int, limit: int, *, sessions_of: Collection[int] = ()
    ) -> Feed:
        """Return up to ``limit`` events from ``position`` on, and where to go on.

        ``sessions_of``: the issuers whose ``session.created`` are wanted.
        """
        ...


def event_id_of(text: str) -> bytes | None:
    """Return the bytes of an event's public id, or None where it is none."""
    return ids.decode(EVENT_WORD, text) or ids.decode(SESSION_WORD, text)


class Delivery(NamedTuple):
    """An event on its way to an endpoint, in the order of its columns.

    Args:
        due_ms: When it is attempted next, by the store's clock; None where it is done.
        claim: Of the attempt under way, which has until ``due_ms``.
        last_status: The HTTP status of the last attempt that was answered.
        last_error: Why the last attempt was not answered.
        delivered_at: Unix seconds.
    """

    issuer: int
    endpoint_id: bytes
    event_id: bytes
    type: str
    body: str
    attempts: int
    due_ms: int | None
    claim: bytes | None
    last_status: int | None
    last_error: str | None
    delivered_at: int | None

    @property
    def public_event_id(self) -> str:
        return ids.encode(SESSION_WORD if self.type == MINTED else EVENT_WORD, self.event_id)

    @property
    def status(self) -> Status:
        if self.due_ms is not None:
            return "pending"
        return "failed" if self.delivered_at is None else "delivered"
