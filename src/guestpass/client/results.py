"""What the service answers, as frozen structs: snake_case names, aware datetimes, unknown fields ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

T = TypeVar("T")

# A time without an offset would be read in the reader's own zone: it is refused, never guessed.
Instant = Annotated[datetime, Meta(tz=True)]


class SessionToken(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session that was just opened, with its token. The token is answered once and never again.

    Attributes:
        id: The session, ``sess_…``; this is what :meth:`revoke_session_token` takes.
        session_token: The credential for the browser. It is left out of ``repr``.
        expires_in: Seconds from issue to end. Schedule on this, not on ``expires_at``, where clocks may differ.
        allowed_operations: Sorted names; ``("*",)`` is unrestricted, ``()`` is none.
        denied_operations: Asked for, but beyond what the API key may give.
        unresolved_customers: Imported customers that still wait for their first session; 0 when none.
    """

    id: str
    session_token: str
    expires_at: Instant
    expires_in: int
    issued_at: Instant
    environment: str
    external_user_id: str
    allowed_operations: tuple[str, ...]
    denied_operations: tuple[str, ...] = ()
    external_organization_id: str | None = None
    not_before: Instant | None = None
    unresolved_customers: int = 0

    def __repr__(self) -> str:
        return f"SessionToken(id={self.id!r}, external_user_id={self.external_user_id!r}, expires_at={self.expires_at:%Y-%m-%dT%H:%M:%S%z})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id), ("external_user_id", self.external_user_id), ("expires_at", self.expires_at)]


class RevokedSessionToken(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session that is over. Revoking again answers the same."""

    id: str
    revoked_at: Instant


class SessionDetails(Struct, frozen=True, kw_only=True, rename="camel"):
    """One session as its host sees it; never a token.

    Attributes:
        status: ``scheduled``, ``active``, ``expired``, ``revoked`` or ``suspended``; later servers may add words.
        renewable: Whether it has access and refresh tokens; else it has one token and ends with it.
        format: ``jwt`` or ``opaque``.
        customer_id: The service's own id of the user, ``cust_…``, for :meth:`customers.block`.
        metadata: As it was sent when the session was opened.
    """

    id: str
    environment: str
    status: str
    external_user_id: str
    allowed_operations: tuple[str, ...]
    issued_at: Instant
    expires_at: Instant
    renewable: bool = False
    format: str = "jwt"
    customer_id: str | None = None
    external_organization_id: str | None = None
    metadata: dict[str, Any] | None = None
    api_key_id: str | None = None
    not_before: Instant | None = None
    last_refreshed_at: Instant | None = None
    revoked_at: Instant | None = None
    revoked_by: str | None = None


class Page(Struct, Generic[T], frozen=True, kw_only=True, rename="camel"):
    """One page of a list; ``next_cursor`` is None on the last."""

    data: tuple[T, ...]
    next_cursor: str | None = None


class Revocation(Struct, frozen=True, kw_only=True, rename="camel"):
    """A bulk revoke that is done: whatever was minted before ``before`` is dead.

    Attributes:
        revoked: How many living sessions ended; exact to 10 000, None above.
    """

    revoked: int | None
    before: Instant


class UserRevocation(Struct, frozen=True, kw_only=True, rename="camel"):
    """All sessions of one user ended, and perhaps the user blocked.

    Attributes:
        revoked: How many living sessions ended; exact to 10 000, None above.
        customer_id: ``cust_…``, for :meth:`customers.unblock`.
    """

    revoked: int | None
    before: Instant
    blocked: bool
    customer_id: str | None = None


class CustomerBlock(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether a customer is blocked: while blocked, no session can be opened for that user.

    Attributes:
        revoked: How many living sessions the block ended; None above 10 000, and after an unblock.
        before: What was minted before it is dead; None after an unblock.
    """

    id: str
    blocked: bool
    revoked: int | None = None
    before: Instant | None = None


class Check(Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the checklist a token went through; ``passed`` is None where it was not reached."""

    check: str
    passed: bool | None
    detail: str | None = None


class Verification(Struct, frozen=True, kw_only=True, rename="camel"):
    """The verdict on one token, with the ordered checklist behind it. It is true only if the token is valid.

    Attributes:
        code: Why not, one of the codes of :mod:`guestpass.errors`; None when valid.
        session: Absent until the signature holds.
    """

    valid: bool
    code: str | None = None
    session: SessionDetails | None = None
    checks: tuple[Check, ...] = ()

    def __bool__(self) -> bool:
        # Without it ``if gp.tokens.verify(token):`` would let everyone in.
        return self.valid


class ApiKeySecret(Struct, frozen=True, kw_only=True, rename="camel"):
    """A fact about one secret of an API key that works; ``ends_at`` is None of the newest."""

    created_at: Instant
    ends_at: Instant | None = None


class ApiKey(Struct, frozen=True, kw_only=True, rename="camel"):
    """One API key of the project and environment; never its secret.

    Attributes:
        can: What it may call; later servers may add words.
        operations: The most that its tokens may do; ``("*",)``: everything.
        ip_ranges: Networks that it may be used from; None: anywhere.
        signing: Whether requests may be signed with it.
        expires_at: From then on it works no more; None: never.
        last_used_at: To the minute, and up to a minute late.
        secrets: Those that work, the newest first; none when it has ended.
    """

    id: str
    name: str
    environment: str
    created_at: Instant
    project_id: str | None = None
    can: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] | None = None
    signing: bool = False
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None
    secrets: tuple[ApiKeySecret, ...] = ()


class NewApiKey(ApiKey, frozen=True, kw_only=True, rename="camel"):
    """An API key with its newest secret, which is answered once and never again; ``repr`` leaves it out."""

    secret: str

    def __repr__(self) -> str:
        return f"NewApiKey(id={self.id!r}, name={self.name!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id), ("name", self.name)]


class AccessToken(Struct, frozen=True, kw_only=True, rename="camel"):
    """An access token of a renewable session. It is answered once, and left out of ``repr``.

    Attributes:
        access_token_expires_in: Seconds from issue to end. Schedule on this where clocks may differ.
        suspended: Whether its session is: then it is good for what the project lets suspended sessions do, no more.
    """

    access_token: str
    access_token_expires_at: Instant
    access_token_expires_in: int
    suspended: bool = False

    def __repr__(self) -> str:
        return f"AccessToken(access_token_expires_at={self.access_token_expires_at:%Y-%m-%dT%H:%M:%S%z})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("access_token_expires_at", self.access_token_expires_at)]


class TokenPair(Struct, frozen=True, kw_only=True, rename="camel"):
    """The tokens of a renewable session: what a login opens it with, and what a refresh goes on with.

    Attributes:
        session_id: ``sess_…``, for :meth:`Auth.access_token` and :meth:`Sessions.revoke`.
        access_token_expires_in: Seconds from issue to end. Schedule on this where clocks may differ.
        refresh_token: For the next :meth:`Auth.refresh`, once. Never for a script in a page.
        refresh_token_expires_at: When the session ends unless it is refreshed before.
    """

    session_id: str
    access_token: str
    access_token_expires_at: Instant
    access_token_expires_in: int
    refresh_token: str
    refresh_token_expires_at: Instant

    def __repr__(self) -> str:
        ends_at = f"{self.refresh_token_expires_at:%Y-%m-%dT%H:%M:%S%z}"
        return f"TokenPair(session_id={self.session_id!r}, refresh_token_expires_at={ends_at})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("session_id", self.session_id), ("refresh_token_expires_at", self.refresh_token_expires_at)]


class Logout(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many living sessions a sign-out ended; exact to 10 000, None above."""

    tokens_revoked: int | None


class AuditEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """An act that matters for security.

    Attributes:
        action: Like ``session.revoked``; later servers may add words.
        actor: The id of the API key, ``command line``, ``system``, ``restore``, or ``session``: its own token.
        targets: Ids of what it was done to.
        detail: What else there is to know, as the service says it: camelCase names, times as text.
        personal: What names a person, by field, like ``externalUserId``; None once it was erased.
    """

    id: str
    action: str
    actor: str
    targets: list[str]
    at: Instant
    detail: dict[str, Any]
    request_id: str | None = None
    personal: dict[str, str] | None = None


class Anomaly(Struct, frozen=True, kw_only=True, rename="camel"):
    """A refresh that was odd.

    Attributes:
        kind: ``reuse``: an old token was shown. ``rate``: over 10 refreshes in 60 s. ``origin``: network and user agent
            changed at once. ``pause``: the first refresh after 72 h. Later servers may add words.
        outcome: What was done about it: ``recorded``, ``suspended`` or ``revoked``.
        evidence: What it was seen by, as the service says it: camelCase names, times as text.
        external_user_id: None once the session was deleted, long after its end; so ``customer_id``.
    """

    id: str
    kind: str
    at: Instant
    session_id: str
    outcome: str
    evidence: dict[str, Any]
    customer_id: str | None = None
    external_user_id: str | None = None
