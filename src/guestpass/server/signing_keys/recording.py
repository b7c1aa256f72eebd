"""What the audit log is told of signing keys."""

from __future__ import annotations

from guestpass.core import times
from guestpass.server.audit.service import AuditEvent
from guestpass.server.signing_keys.model import StoredKey
from guestpass.server.signing_keys.policy import NEVER_MS


def made(issuer: int, key: StoredKey, actor: str) -> list[AuditEvent]:
    """Tell of a key that was added and, where its turn is set, of that."""
    created = AuditEvent(
        issuer=issuer,
        action="signing_key.created",
        actor=actor,
        targets=(key.kid,),
        detail={"algorithm": key.algorithm},
    )
    return (
        [created] if key.signs_from_ms == NEVER_MS else [created, activated(issuer, key.kid, key.signs_from_ms, actor)]
    )


def activated(issuer: int, kid: str, signs_from_ms: int, actor: str) -> AuditEvent:
    """Tell that a key's turn was set."""
    detail = {"signsFrom": times.of_milliseconds(signs_from_ms)}
    return AuditEvent(issuer=issuer, action="signing_key.activated", actor=actor, targets=(kid,), detail=detail)


def retired(issuer: int, kid: str, retires_at_ms: int, actor: str) -> AuditEvent:
    """Tell that a key's end was set, before what it signed has ended."""
    detail = {"retiresAt": times.of_milliseconds(retires_at_ms)}
    return AuditEvent(issuer=issuer, action="signing_key.retired", actor=actor, targets=(kid,), detail=detail)


def revoked(issuer: int, kid: str, actor: str) -> AuditEvent:
    return AuditEvent(issuer=issuer, action="signing_key.revoked", actor=actor, targets=(kid,))
