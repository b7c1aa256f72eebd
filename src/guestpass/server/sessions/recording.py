"""What the audit log is told of sessions that end, and of customers who are blocked."""

from __future__ import annotations

from guestpass.core import ids, times
from guestpass.server.api_keys import service as api_keys
from guestpass.server.audit.service import NOWHERE, AuditEvent, Where
from guestpass.server.customers import service as customers
from guestpass.server.revocation.service import CutMade
from guestpass.server.sessions.minted import USER, personal_of
from guestpass.server.sessions.model import SessionRow

_WORDS = {"user": customers.WORD, "api_key": api_keys.WORD}  # an organization has no public id


def session_revoked(row: SessionRow, by: str, where: Where, *, reissue: bool) -> AuditEvent:
    """Tell of one session that was ended."""
    return AuditEvent(
        issuer=row.issuer,
        action="session.revoked",
        actor=by,
        targets=(row.public_id, ids.encode_again(customers.WORD, row.customer_id)),
        where=where,
        detail={"scope": "session", "reissue": reissue},
        personal=personal_of(row),
    )


def sessions_revoked(made: CutMade, where: Where, external_user_id: str | None) -> AuditEvent:
    """Tell of a cut: one event, however many sessions it ended."""
    subject, ending = made.subject, made.ending
    word = _WORDS.get(subject.kind)
    return AuditEvent(
        issuer=made.issuer,
        action="session.revoked",
        actor=ending.by,
        targets=() if word is None else (ids.encode_again(word, subject.key),),
        where=where,
        detail={
            "scope": subject.kind,
            "before": times.of_milliseconds(made.before_ms),
            "reissue": ending.reissue,
        },
        personal=_personal(external_user_id),
    )


def customer_blocked(made: CutMade, where: Where, external_user_id: str | None) -> AuditEvent:
    return AuditEvent(
        issuer=made.issuer,
        action="customer.blocked",
        actor=made.ending.by,
        targets=(ids.encode_again(customers.WORD, made.subject.key),),
        where=where,
        personal=_personal(external_user_id),
    )


def customer_unblocked(issuer: int, customer_id: bytes, by: str, where: Where = NOWHERE) -> AuditEvent:
    return AuditEvent(
        issuer=issuer,
        action="customer.unblocked",
        actor=by,
        targets=(ids.encode_again(customers.WORD, customer_id),),
        where=where,
    )


def _personal(external_user_id: str | None) -> dict[str, str]:
    return {} if external_user_id is None else {USER: external_user_id}
