"""What the token of a session says."""

from __future__ import annotations

from msgspec import UNSET, structs

from guestpass.core.tokens.claims import SessionClaims, Status, StatusListEntry
from guestpass.server.api_keys import service as api_keys
from guestpass.server.projects.service import Issuer
from guestpass.server.revocation import service as revocation
from guestpass.server.sessions.model import SessionRow


def access_claims_of(
    row: SessionRow, issuer: Issuer, *, jti: str, issued_at: int, expires_at: int, scope: str
) -> SessionClaims:
    """What one of the access tokens of a session says; they share its place in the status lists."""
    claims = claims_of(row, issuer, expires_at=expires_at)
    return structs.replace(claims, jti=jti, iat=issued_at, scope=scope)


def claims_of(row: SessionRow, issuer: Issuer, *, expires_at: int | None = None) -> SessionClaims:
    """What the token of a session says. ``expires_at``: where that is not the session's own."""
    session_id = row.public_id
    place = StatusListEntry(idx=row.status_index, uri=f"{issuer.location}/status-lists/{row.status_list}")
    status = Status(status_list=place, cuts=tuple(revocation.tag_of(subject) for subject in row.subjects.named()))
    return SessionClaims(
        iss=issuer.url,
        aud=issuer.audience,
        sub=row.external_user_id,
        iat=row.issued_at,
        exp=row.expires_at if expires_at is None else expires_at,
        sid=session_id,
        jti=session_id,
        client_id=api_keys.public_id(row.api_key_id),
        project_id=issuer.project.id,
        environment=issuer.environment,
        scope=row.scope,
        status=status,
        nbf=UNSET if row.not_before is None else row.not_before,
        organization_id=UNSET if row.external_organization_id is None else row.external_organization_id,
        max_uses=UNSET if row.max_uses is None else row.max_uses,
    )
