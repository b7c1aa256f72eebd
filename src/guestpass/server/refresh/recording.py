"""What the audit log is told of renewable sessions. That one was opened, its row tells."""

from __future__ import annotations

from collections.abc import Mapping

from guestpass.core import ids
from guestpass.core.anomalies import Anomaly
from guestpass.server.audit.service import SYSTEM, Action, AuditEvent, Where
from guestpass.server.customers import service as customers
from guestpass.server.refresh.model import Outcome
from guestpass.server.sessions.minted import personal_of
from guestpass.server.sessions.model import SessionRow
from guestpass.server.sessions.recording import session_revoked


def anomaly(row: SessionRow, found: Anomaly, outcome: Outcome, where: Where) -> AuditEvent:
    """Tell of a refresh that was odd. What was seen of networks and agents is kept apart, where it can be erased."""
    return _of(row, "session.anomaly", SYSTEM, where, {"kind": found.kind, "outcome": outcome})


def suspended(row: SessionRow, by: str, where: Where) -> AuditEvent:
    return _of(row, "session.suspended", SYSTEM, where, {"reason": by})


def revoked(row: SessionRow, by: str, where: Where) -> AuditEvent:
    return session_revoked(row, by, where, reissue=False)


def reuse_detected(row: SessionRow, by: str, where: Where, *, generation: int, current: int) -> AuditEvent:
    """Tell that an old refresh token was shown, and that its session ended. ``by``: also its revokedBy."""
    detail = {"generation": generation, "currentGeneration": current}
    return _of(row, "session.reuse_detected", by, where, detail)


def _of(row: SessionRow, action: Action, by: str, where: Where, detail: Mapping[str, object]) -> AuditEvent:
    return AuditEvent(
        issuer=row.issuer,
        action=action,
        actor=by,
        targets=(row.public_id, ids.encode_again(customers.WORD, row.customer_id)),
        where=where,
        detail=detail,
        personal=personal_of(row),
    )
