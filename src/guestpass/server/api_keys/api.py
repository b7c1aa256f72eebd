"""What goes over the wire about API keys. A secret is in two answers only: of the create and of the rotation."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from guestpass.core import times
from guestpass.core.bounds import ID_LENGTH_MAX, OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX
from guestpass.core.callers.api_key import ALL_CAN, Can
from guestpass.core.tokens import operations
from guestpass.server.api_keys.model import Described
from guestpass.server.projects.service import Issuer

Name = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_OWN = "Absent: as your own API key."


class CreateRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """Make a key of your own project and environment. Nothing of it may go beyond your own API key."""

    name: Annotated[Name, Meta(description="For people; names may be equal.")]
    can: Annotated[list[Can] | UnsetType, Meta(description=f"What it may call. {_OWN}")] = UNSET
    operations: Annotated[
        list[str] | UnsetType,
        Meta(description=f'The most that its tokens may do: at most 64 names and 1024 bytes, or `["*"]`. {_OWN}'),
    ] = UNSET
    ip_ranges: Annotated[
        list[str] | UnsetType | None,
        Meta(description=f"Networks that it may be used from, like `10.0.0.0/8`; `null`: anywhere. {_OWN}"),
    ] = UNSET
    expires_at: Annotated[
        Time | UnsetType | None, Meta(description=f"RFC 3339, in the future; `null`: never. {_OWN}")
    ] = UNSET
    signing: Annotated[bool, Meta(description="Let requests be signed with it; its secret is then kept, sealed.")] = (
        False
    )


class EditRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    """What is absent stays as it is. Neither before nor after may the key go beyond your own."""

    name: Name | UnsetType = UNSET
    can: list[Can] | UnsetType = UNSET
    operations: list[str] | UnsetType = UNSET
    ip_ranges: list[str] | UnsetType | None = UNSET
    expires_at: Time | UnsetType | None = UNSET


class RotateRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    overlap_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=OVERLAP_SECONDS_MAX)],
        Meta(description="How long older secrets work on; 0: none does."),
    ] = OVERLAP_SECONDS_DEFAULT


class RevokeRequest(Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    keep_sessions: Annotated[bool, Meta(description="Let the sessions that it minted live on.")] = False


class SecretView(Struct, rename="camel", frozen=True):
    """One secret that works. ``endsAt``: null of the newest."""

    created_at: Time
    ends_at: Time | None


class ApiKeyView(Struct, rename="camel", frozen=True, kw_only=True):
    """An API key; never its secret."""

    id: str
    name: str
    environment: Literal["test", "live"]
    project_id: str
    can: list[Can]
    operations: list[str]
    ip_ranges: Annotated[list[str] | None, Meta(description="`null`: anywhere.")]
    signing: bool
    created_at: Time
    expires_at: Annotated[Time | None, Meta(description="`null`: never.")]
    last_used_at: Annotated[Time | None, Meta(description="To the minute, and up to a minute late.")]
    revoked_at: Time | None
    secrets: Annotated[list[SecretView], Meta(description="Those that work, the newest first.")]


class NewApiKeyView(ApiKeyView, frozen=True, kw_only=True):
    """An API key with its newest secret, which is shown this once."""

    secret: str


class ApiKeyPage(Struct, rename="camel", frozen=True):
    data: list[ApiKeyView]
    next_cursor: str | None


def view_of(described: Described, issuer: Issuer, now: float) -> ApiKeyView:
    key, secrets = described
    ranges = key.grant.ip_ranges
    return ApiKeyView(
        id=key.public_id,
        name=key.name,
        environment=issuer.environment,
        project_id=issuer.project.id,
        can=[word for word in ALL_CAN if word in key.can],
        operations=operations.names_of(key.ceiling),
        ip_ranges=None if ranges is None else [str(network) for network in ranges],
        signing=described.signs,
        created_at=times.of_seconds(key.created_at),
        expires_at=_time(key.grant.expires_at),
        last_used_at=_time(key.last_used_at),
        revoked_at=_time(key.revoked_at),
        secrets=[SecretView(times.of_seconds(one.created_at), _time(one.ends_at)) for one in secrets if key.lives(now)],
    )


def new_view_of(described: Described, secret: str, issuer: Issuer, now: float) -> NewApiKeyView:
    return NewApiKeyView(**structs.asdict(view_of(described, issuer, now)), secret=secret)


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else times.of_seconds(seconds)
