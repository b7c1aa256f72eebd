"""Leaves: what the chain holds of one event, as canonical JSON. Of a person it holds commitments alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

_encoder = msgspec.json.Encoder()
_ordered = msgspec.json.Encoder(order="deterministic")


class EventLeaf(Struct, frozen=True, kw_only=True, rename="camel"):
    """An act that was recorded. ``commitments``: by field, 64 hexadecimal digits.

    ``project``, ``environment``: of the issuer; None of an act on the store as a whole.
    """

    id: str
    project: str | None
    environment: str | None
    action: str
    actor: str
    request_id: str | None
    targets: Sequence[str]
    detail: Mapping[str, object]
    commitments: Mapping[str, str]

    def encode(self) -> bytes:
        return _ordered.encode(self)


class SessionLeaf(Struct, frozen=True, rename="camel"):
    """A session as it was minted: its row is the event. Times are Unix seconds."""

    action: Literal["session.created"]
    id: str
    project: str | None
    environment: str | None
    actor: str
    customer_id: str
    operations: str
    issued_at: int
    not_before: int | None
    expires_at: int
    max_uses: int | None
    format: str
    user_commitment: str
    organization_commitment: str | None

    def encode(self) -> bytes:
        return _encoder.encode(self)
