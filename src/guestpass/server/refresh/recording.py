"""What the audit log is told of renewable sessions. That one was opened, its row tells."""

from __future__ import annotations

from guestpass.core import ids
from guestpass.server.audit.service import AuditEvent, Where
from guestpass.server.customers import service as customers
from guestpass.server.sessions.minted import personal_of
from guestpass.server.sessions.model import SessionRow


def reuse_detected(row: SessionRow, by: str, where: Where, *, generation: int, current: int) -> AuditEvent:
    """Tell that an old refresh token was shown, and that its session ended. ``by``: also its revokedBy."""
    return AuditEvent(
        issuer=row.issuer,
        action="session.reuse_detected",
        actor=by,
        targets=(row.public_id, ids.encode_again(customers.WORD, row.customer_id)),
        where=where,
        detail={"generation": generation, "currentGeneration": current},
        personal=personal_of(row),
    )
