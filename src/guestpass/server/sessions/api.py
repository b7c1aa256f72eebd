"""What goes over the wire about sessions. Field rules that need more than a type are in ``policy.py``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guestpass.core.bounds import (
    ANALYTICS_ID_LENGTH_MAX,
    EMAIL_LENGTH_MAX,
    ID_LENGTH_MAX,
    LIFE_SECONDS_DEFAULT,
    MAX_USES_MAX,
    TOKEN_BYTES_MAX,
)
from guestpass.server.sessions.model import Format

HostId = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
Operation = Annotated[str, Meta(description=r"`[a-z][a-z0-9_.:-]{0,63}`, or `*` alone")]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class SessionRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """What is said of a session, fixed or renewable."""

    external_user_id: Annotated[HostId, Meta(description="Your own id of the user. Compared exactly.")]
    email: Annotated[
        Annotated[str, Meta(min_length=3, max_length=EMAIL_LENGTH_MAX)] | UnsetType,
        Meta(description="Kept with the customer; will bind one that was imported."),
    ] = UNSET
    email_verified: Annotated[bool, Meta(description="Whether you have verified that address.")] = False
    external_organization_id: Annotated[
        HostId | UnsetType, Meta(description="Your own id of the user's organization.")
    ] = UNSET
    not_before: Annotated[Time | UnsetType, Meta(description="RFC 3339; at most 60 s past, and before the end.")] = (
        UNSET
    )
    allowed_operations: Annotated[
        list[Operation] | UnsetType,
        Meta(description="Absent: all that the key may. `[]`: none. At most 64 names and 1024 bytes together."),
    ] = UNSET
    metadata: Annotated[
        msgspec.Raw | UnsetType,
        Meta(description="An object of at most 16 KiB, kept as sent.", extra_json_schema={"type": "object"}),
    ] = UNSET


class LoginRequest(SessionRequest, frozen=True):
    """Open a renewable session. Its life is a setting of the project."""


class MintRequest(SessionRequest, frozen=True):
    """Mint a fixed session and its token."""

    expires_in: Annotated[
        int | float | UnsetType,
        Meta(
            description="Whole seconds, 60 to 86400, from issue; a project may set closer bounds, and another default.",
            extra_json_schema={"type": "integer", "default": LIFE_SECONDS_DEFAULT},
        ),
    ] = UNSET
    format: Annotated[Format, Meta(description="A signed JWT, or an opaque token that only the server can read.")] = (
        "jwt"
    )
    max_uses: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_USES_MAX)] | UnsetType,
        Meta(description="How often the token may be used where uses are counted."),
    ] = UNSET


class MintAnswer(Struct, rename="camel", frozen=True, omit_defaults=True, kw_only=True):
    """A session and its token. The token is shown this once."""

    id: str
    session_token: str
    expires_at: Time
    expires_in: int
    issued_at: Time
    environment: Literal["test", "live"]
    external_user_id: str
    allowed_operations: list[str]
    denied_operations: list[str] | UnsetType = UNSET
    external_organization_id: str | UnsetType = UNSET
    not_before: Time | UnsetType = UNSET


class AnalyticsUser(Struct, forbid_unknown_fields=True, frozen=True):
    id: Annotated[str, Meta(min_length=1, max_length=ANALYTICS_ID_LENGTH_MAX)]


class AnalyticsOrganization(Struct, forbid_unknown_fields=True, frozen=True):
    id: Annotated[str, Meta(min_length=1, max_length=ANALYTICS_ID_LENGTH_MAX)]


class AnalyticsRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """Mint by the contract of embedded analytics, in its words. Times are ISO 8601; without an offset they are UTC."""

    user: AnalyticsUser
    organization: AnalyticsOrganization | UnsetType = UNSET
    expiration: Annotated[
        Time | UnsetType,
        Meta(description="1 s to 24 h ahead, where 300 s more are taken for 24 h; by default 1 h."),
    ] = UNSET
    not_before: Annotated[Time | UnsetType, Meta(description="At most 60 s past, and before the end.")] = UNSET


class AnalyticsAnswer(Struct, frozen=True):
    """A bare JWT, which is shown this once."""

    token: str


class SessionView(Struct, rename="camel", frozen=True, kw_only=True):
    """A session as its host sees it; never a token."""

    id: str
    environment: Literal["test", "live"]
    status: Literal["scheduled", "active", "expired", "revoked", "suspended"]
    renewable: bool
    format: Format
    customer_id: str
    external_user_id: str
    external_organization_id: str | None
    allowed_operations: list[str]
    metadata: Annotated[msgspec.Raw | None, Meta(extra_json_schema={"type": ["object", "null"]})] | UnsetType = UNSET
    api_key_id: str
    issued_at: Time
    not_before: Time | None
    expires_at: Time
    last_refreshed_at: Time | None
    revoked_at: Time | None
    revoked_by: str | None


class SessionPage(Struct, rename="camel", frozen=True):
    data: list[SessionView]
    next_cursor: str | None


class Revoked(Struct, rename="camel", frozen=True):
    id: str
    revoked_at: Time


class RevokeRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """Exactly one of the first five says whose sessions end."""

    id: str | UnsetType = UNSET
    external_user_id: HostId | UnsetType = UNSET
    external_organization_id: HostId | UnsetType = UNSET
    api_key_id: str | UnsetType = UNSET
    all: Literal[True] | UnsetType = UNSET
    issued_before: Time | UnsetType = UNSET
    reissue: bool = False


class RevokeAnswer(Struct, rename="camel", frozen=True):
    """``revoked``: living sessions that this call ended; null over 10 000. Dead is what was minted before ``before``."""

    revoked: int | None
    before: Time


class VerifyRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    token: Annotated[
        str,
        Meta(
            description=f"At most {TOKEN_BYTES_MAX} bytes. Or the id of a session (`sess_…`), or of a request in which a "
            "token was refused during the last day (`req_…`)."
        ),
    ]
    operation: str | UnsetType = UNSET


class CheckResult(Struct, frozen=True):
    check: str
    passed: bool
    detail: str


class RefusalView(Struct, rename="camel", frozen=True, omit_defaults=True, kw_only=True):
    """A token that was not accepted; kept for a day, without the token."""

    at: Time
    code: str
    message: str
    remedy: str
    route: str
    request_id: str
    session_id: str | UnsetType = UNSET


class VerifyAnswer(Struct, rename="camel", frozen=True, omit_defaults=True):
    """``code``: the first check that failed, as any verifier of ours would say it."""

    valid: bool
    checks: list[CheckResult]
    code: str | UnsetType = UNSET
    remedy: Annotated[str | UnsetType, Meta(description="What to do about it.")] = UNSET
    session: SessionView | UnsetType = UNSET
    refusals: Annotated[
        list[RefusalView] | UnsetType,
        Meta(description="Of a session or a request by its id: the last 20, newest first."),
    ] = UNSET


class UserRevokeRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    external_user_id: HostId
    block: bool = False


class UserRevokeAnswer(Struct, rename="camel", frozen=True, kw_only=True):
    """``customerId`` is what block and unblock take."""

    customer_id: str
    blocked: bool
    revoked: int | None
    before: Time


class BlockAnswer(Struct, rename="camel", frozen=True, omit_defaults=True):
    """A customer after a block or an unblock."""

    id: str
    blocked: bool
    revoked: int | UnsetType | None = UNSET
    before: Time | UnsetType = UNSET


class TokenForm(Struct, frozen=True):
    """The token, and perhaps who asks. ``token_type_hint`` is accepted and not needed: a token says what it is."""

    token: str
    client_id: str | None = None
    client_secret: str | None = None
