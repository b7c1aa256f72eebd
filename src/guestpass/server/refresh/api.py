"""What goes over the wire about renewable sessions."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guestpass.core.anomalies import Kind
from guestpass.server.refresh.model import Outcome
from guestpass.server.sessions.api import HostId, Time

RefreshText = Annotated[str, Meta(description="`gp_refresh_…`, exactly as it was answered.")]


class TokensAnswer(Struct, rename="camel", frozen=True, kw_only=True):
    """A pair of tokens. Each is shown this once; the refresh token takes the place of the one before."""

    session_id: str
    access_token: str
    access_token_expires_at: Time
    access_token_expires_in: int
    refresh_token: str
    refresh_token_expires_at: Time


class AccessAnswer(Struct, rename="camel", frozen=True, omit_defaults=True):
    """An access token alone. `suspended`: true where its session is, absent elsewhere."""

    session_id: str
    access_token: str
    access_token_expires_at: Time
    access_token_expires_in: int
    suspended: bool = False


class RefreshAnswer(AccessAnswer, frozen=True):
    """A pair of tokens; with `sessionId`, an access token alone."""

    refresh_token: str | UnsetType = UNSET
    refresh_token_expires_at: Time | UnsetType = UNSET


class RefreshRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """The refresh token that was answered last; or, from a backend with its API key, a session."""

    refresh_token: RefreshText | UnsetType = UNSET
    session_id: Annotated[str | UnsetType, Meta(description="With an API key that can `mint`.")] = UNSET


class LogoutRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """A refresh token, or nothing where the access token is sent as Bearer."""

    refresh_token: RefreshText | UnsetType = UNSET
    everywhere: Annotated[bool, Meta(description="End every session of the user, fixed and renewable.")] = False
    external_user_id: Annotated[HostId | UnsetType, Meta(description="With an API key: whose sessions end.")] = UNSET


class LogoutAnswer(Struct, rename="camel", frozen=True):
    """``tokensRevoked``: living sessions that this call ended; null over 10 000."""

    tokens_revoked: int | None


class AnomalyView(Struct, rename="camel", frozen=True, kw_only=True):
    """A refresh that was odd. `customerId` and `externalUserId`: null once the session was purged."""

    id: str
    kind: Annotated[
        Kind,
        Meta(
            description="`reuse`: an old token. `rate`: over 10 refreshes in 60 s. `origin`: network and agent changed at "
            "once. `pause`: the first after 72 h"
        ),
    ]
    at: Time
    session_id: str
    customer_id: str | None
    external_user_id: str | None
    outcome: Annotated[
        Outcome, Meta(description="What was done, as the project's `onSuspicion` says; reuse always ends the session")
    ]
    evidence: Annotated[msgspec.Raw, Meta(description="By what it was seen", extra_json_schema={"type": "object"})]


class AnomalyPage(Struct, rename="camel", frozen=True):
    data: list[AnomalyView]
    next_cursor: str | None
