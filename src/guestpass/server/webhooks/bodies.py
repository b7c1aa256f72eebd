"""What is sent about an event: its type, its time, and what it happened to. Never a credential, never metadata."""

from __future__ import annotations

from typing import Any

import msgspec

from guestpass.core import times
from guestpass.server.audit.feed import SealedEvent
from guestpass.server.projects.service import Issuer

# Of what could name a person only what the host itself gave us; networks and agents stay in the audit log.
_PERSONAL = ("externalUserId", "externalOrganizationId")
_BY_WORD = {"sess": "sessionId", "cust": "customerId", "key": "apiKeyId"}

_encoder = msgspec.json.Encoder()


def body_of(event: SealedEvent, issuer: Issuer) -> str:
    """Return the body: ``{"type", "timestamp", "data"}``, in camelCase; the same bytes at every attempt."""
    data: dict[str, Any] = {"environment": issuer.environment, "projectId": issuer.project.id, "actor": event.actor}
    for target in event.targets:
        name = _BY_WORD.get(target.partition("_")[0])
        if name is None and event.action.startswith("signing_key."):
            name = "kid"
        if name is not None:
            data.setdefault(name, target)
    data |= {name: event.personal[name] for name in _PERSONAL if name in event.personal}
    data |= {name: value for name, value in event.detail.items() if name not in data}
    body = {"type": event.action, "timestamp": times.of_milliseconds(event.at_ms), "data": data}
    return _encoder.encode(body).decode()


def without_names(body: str) -> str:
    """Return a body that no longer tells who it is about; the ids of session and customer stay."""
    told: dict[str, Any] = msgspec.json.decode(body)
    told["data"] = {name: value for name, value in told["data"].items() if name not in _PERSONAL}
    return _encoder.encode(told).decode()
