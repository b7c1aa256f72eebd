"""Events of the audit log: who did what to whom, when, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

WORD = "evt"
STORE = 0  # in place of an issuer: the store as a whole
COMMAND_LINE = "command line"  # the operator; also revokedBy of what he ends
SYSTEM = "system"  # the servers themselves, because it was time

Action: TypeAlias = Literal[
    "session.created",  # a mint or a login; its session's row is the event, nobody records it
    "session.revoked",  # one session; or many, and ``detail`` names the scope
    "session.suspended",
    "session.reuse_detected",
    "session.anomaly",
    "customer.blocked",
    "customer.unblocked",
    "customer.erased",
    "api_key.created",
    "api_key.rotated",
    "api_key.updated",
    "api_key.revoked",
    "signing_key.created",
    "signing_key.activated",  # its turn was set: ``detail`` says from when it signs
    "signing_key.retired",  # its end was set, because the issuer turns to another kind of key
    "signing_key.revoked",
    "project.created",
    "project.updated",
    "webhook_endpoint.created",
    "webhook_endpoint.updated",
    "webhook_endpoint.deleted",
    "webhook_endpoint.disabled",
    "store.restored",
    "master_key.rewrapped",
]


class Where(NamedTuple):
    """From where an act came. ``network``: of the client, cut short; both None where there was no request."""

    network: str | None = None
    request_id: str | None = None


NOWHERE = Where()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One act, as whoever does it records it.

    Args:
        issuer: Number of the issuer; ``STORE`` where it is about the store as a whole.
        actor: The public id of an API key (``key_…``), ``COMMAND_LINE``, ``SYSTEM``, or ``session``: its own token.
        targets: Public ids of what it was done to: ``sess_…``, ``cust_…``, ``key_…``, a kid, ``proj_…``.
        detail: What else there is to know, in JSON's types; nothing personal, for it can never be erased.
        personal: What could name a person, by field, like ``externalUserId``: the chain holds commitments alone.
    """

    issuer: int
    action: Action
    actor: str
    targets: tuple[str, ...] = ()
    where: Where = NOWHERE
    detail: Mapping[str, object] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)


class EventRow(NamedTuple):
    """An event as it is stored, in the order of its columns. Only ``personal`` ever changes: it can be erased.

    Args:
        id: Time-ordered, by the store's clock.
        targets: JSON, a list.
        detail: JSON, an object, its members in order.
        commitments: JSON: by field of ``personal``, in hexadecimal.
        personal: JSON: by field, its salt in hexadecimal and its value; None once it was erased.
    """

    id: bytes
    issuer: int
    action: str
    actor: str
    request_id: str | None
    targets: str
    detail: str
    commitments: str
    personal: str | None
