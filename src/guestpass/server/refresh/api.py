"""What goes over the wire about renewable sessions."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

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


class AccessAnswer(Struct, rename="camel", frozen=True):
    """An access token alone."""

    session_id: str
    access_token: str
    access_token_expires_at: Time
    access_token_expires_in: int


class RefreshAnswer(AccessAnswer, frozen=True, omit_defaults=True):
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
