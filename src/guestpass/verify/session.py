"""What a verified token says."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import UNSET, Struct

from guestpass.core.tokens import operations
from guestpass.core.tokens.claims import SessionClaims
from guestpass.errors import GuestpassError, OperationNotAllowed, SessionSuspended
from guestpass.verify import refusals


class Session(Struct, frozen=True, kw_only=True):
    """A session, as the token that was shown proves it. It does not change, and knows of no later revoke.

    Attributes:
        id: ``sess_…``.
        user_id: Your own id of the user, as it was given at the mint.
        organization_id: Your own id of the organization, None where there was none.
        operations: Sorted names; ``("*",)`` is unrestricted, ``()`` is nothing.
        project_id: ``proj_…``.
        environment: ``test`` or ``live``.
        issued_at, expires_at: Aware, of the token.
        suspended: The session is suspended, and ``operations`` are those that go on all the same.
    """

    id: str
    user_id: str
    organization_id: str | None
    operations: tuple[str, ...]
    project_id: str
    environment: str
    issued_at: datetime
    expires_at: datetime
    suspended: bool = False

    def allows(self, operation: str) -> bool:
        """Say whether the token may do ``operation``."""
        return operation != "" and (operation in self.operations or self.operations == (operations.UNRESTRICTED,))

    def require(self, operation: str, *, request_id: str | None = None) -> None:
        """Return if the token may do ``operation``. A refusal is logged, with ``request_id`` where it is given.

        Raises: OperationNotAllowed (403); SessionSuspended (401) while the session is suspended.
        """
        if self.allows(operation):
            return
        error: GuestpassError = SessionSuspended() if self.suspended else OperationNotAllowed()
        error.session_id = self.id
        refusals.log(error, request_id)
        raise error


_LAST_SECOND = 253_402_300_799  # of the year 9999: a claim may hold more, a datetime may not


def session_of(claims: SessionClaims, suspended_scope: str | None = None) -> Session:
    """Return the session of claims that were verified; while suspended, cut to what goes on."""
    scope = operations.NOTHING if claims.scope is UNSET else claims.scope
    if suspended_scope is not None:
        scope = operations.within(scope, suspended_scope)
    return Session(
        id=claims.sid,
        user_id=claims.sub,
        organization_id=None if claims.organization_id is UNSET else claims.organization_id,
        operations=tuple(operations.names_of(scope)),
        project_id=claims.project_id,
        environment=claims.environment,
        issued_at=_moment(claims.iat),
        expires_at=_moment(claims.exp),
        suspended=suspended_scope is not None,
    )


def _moment(unix_seconds: int) -> datetime:
    return datetime.fromtimestamp(min(unix_seconds, _LAST_SECOND), UTC)
