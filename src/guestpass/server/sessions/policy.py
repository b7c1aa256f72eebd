"""What a mint may ask for, decided without looking anything up."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from guestpass.core import text, times
from guestpass.core.bounds import (
    ANALYTICS_CLOCK_SECONDS_MAX,
    ANALYTICS_ID_LENGTH_MAX,
    ANALYTICS_LIFE_SECONDS_MIN,
    ID_LENGTH_MAX,
    METADATA_BYTES_MAX,
    NOT_BEFORE_PAST_SECONDS_MAX,
)
from guestpass.core.tokens import operations
from guestpass.errors import Detail, Forbidden, InvalidExpiration, InvalidNotBefore, ValidationFailed
from guestpass.server.projects.service import IssuerSettings
from guestpass.server.sessions.api import AnalyticsRequest, LoginRequest, MintRequest
from guestpass.server.sessions.model import Format

Given = TypeVar("Given")


class Plan(NamedTuple):
    """A mint that the rules allow, whichever door it came through; times in whole Unix seconds."""

    external_user_id: str
    external_organization_id: str | None
    issued_at: int
    not_before: int | None
    expires_at: int
    scope: str
    denied: list[str]
    metadata: str | None = None
    email: str | None = None
    email_verified: bool = False
    format: Format = "jwt"
    max_uses: int | None = None
    idle_ends_at: int | None = None  # of a renewable session

    @property
    def is_renewable(self) -> bool:
        return self.idle_ends_at is not None


def plan(
    request: MintRequest | LoginRequest | AnalyticsRequest, ceiling: str, settings: IssuerSettings, *, now: int
) -> Plan:
    """Hold a request against the contract's table, the key's ceiling and the project's bounds, which lie within.

    Raises: ValidationFailed, InvalidExpiration, InvalidNotBefore; Forbidden where no operation is left.
    """
    if isinstance(request, AnalyticsRequest):
        return _plan_of_analytics(request, ceiling, settings, now=now)
    check_host_id("externalUserId", request.external_user_id)
    check_host_id("externalOrganizationId", request.external_organization_id)
    _check_email(request.email)
    fixed = request if isinstance(request, MintRequest) else None
    life = settings.refresh_expires_in if fixed is None else _life(fixed.expires_in, settings)
    expires_at = now + life
    scope, denied = _scope(request.allowed_operations, ceiling)
    return Plan(
        external_user_id=request.external_user_id,
        external_organization_id=_or_none(request.external_organization_id),
        issued_at=now,
        not_before=_not_before(request.not_before, now, expires_at),
        expires_at=expires_at,
        scope=scope,
        denied=denied,
        metadata=_metadata(request.metadata),
        email=_or_none(request.email),
        email_verified=request.email_verified,
        format="jwt" if fixed is None else fixed.format,
        max_uses=None if fixed is None else _or_none(fixed.max_uses),
        idle_ends_at=now + settings.refresh_idle_in if fixed is None else None,
    )


def _plan_of_analytics(request: AnalyticsRequest, ceiling: str, settings: IssuerSettings, *, now: int) -> Plan:
    """Hold a request in the words of embedded analytics against that contract, which has a least life of its own."""
    organization = UNSET if request.organization is UNSET else request.organization.id
    check_host_id("user.id", request.user.id, length_max=ANALYTICS_ID_LENGTH_MAX)
    check_host_id("organization.id", organization, length_max=ANALYTICS_ID_LENGTH_MAX)
    expires_at = _end_of_analytics(request.expiration, settings, now)
    start = None if request.not_before is UNSET else _moment("not_before", request.not_before)
    return Plan(
        external_user_id=request.user.id,
        external_organization_id=_or_none(organization),
        issued_at=now,
        not_before=None if start is None else _start("not_before", math.ceil(start), now, expires_at),
        expires_at=expires_at,
        scope=ceiling,
        denied=[],
    )


def _end_of_analytics(expiration: str | UnsetType, settings: IssuerSettings, now: int) -> int:
    if expiration is UNSET:
        return now + settings.default_expires_in
    moment = _moment("expiration", expiration)
    clock = f"the server's clock says {times.of_seconds(now)}"
    if moment < now + ANALYTICS_LIFE_SECONDS_MIN:
        raise _invalid_end("expiration", f"must be at least {ANALYTICS_LIFE_SECONDS_MIN} second ahead; {clock}")
    if moment > now + settings.max_expires_in + ANALYTICS_CLOCK_SECONDS_MAX:
        raise _invalid_end("expiration", f"must be at most {settings.max_expires_in} seconds ahead; {clock}")
    return min(math.floor(moment), now + settings.max_expires_in)


def _moment(field: str, iso_8601: str) -> float:
    try:
        return times.parse_iso_8601(iso_8601)
    except ValueError as fault:
        raise invalid(field, str(fault)) from None


def _or_none(value: Given | UnsetType) -> Given | None:
    return None if value is UNSET else value


def check_host_id(field: str, value: str | UnsetType, *, length_max: int = ID_LENGTH_MAX) -> None:
    """Raises: ValidationFailed naming ``field`` and the rule."""
    fault = text.fault_of_id(value, length_max=length_max) if value is not UNSET else None
    if fault:
        raise invalid(field, fault)


def invalid(field: str, rule: str) -> ValidationFailed:
    return ValidationFailed.of(field, rule)


def _check_email(email: str | UnsetType) -> None:
    if email is UNSET:
        return
    local, at, domain = email.rpartition("@")
    if not (local and at and domain) or text.fault_of_id(email) or any(character.isspace() for character in email):
        raise invalid("email", "must be an email address, like ada@example.com")


def _life(expires_in: float | UnsetType, settings: IssuerSettings) -> int:
    if expires_in is UNSET:
        return settings.default_expires_in
    least, most = settings.min_expires_in, settings.max_expires_in
    if expires_in != math.floor(expires_in) or not least <= expires_in <= most:
        raise _invalid_end("expiresIn", f"must be whole seconds from {least} to {most}")
    return int(expires_in)


def _not_before(not_before: str | UnsetType, now: int, expires_at: int) -> int | None:
    if not_before is UNSET:
        return None
    try:
        start = math.ceil(times.parse(not_before))
    except ValueError as fault:
        raise _invalid_start("notBefore", str(fault)) from None
    return _start("notBefore", start, now, expires_at)


def _start(field: str, start: int, now: int, expires_at: int) -> int:
    if start < now - NOT_BEFORE_PAST_SECONDS_MAX:
        clock = f"the server's clock says {times.of_seconds(now)}"
        raise _invalid_start(field, f"must not be more than {NOT_BEFORE_PAST_SECONDS_MAX} seconds past; {clock}")
    if start >= expires_at:
        raise _invalid_start(field, f"must be before the end of the session, {times.of_seconds(expires_at)}")
    return max(start, now)


def _invalid_start(field: str, rule: str) -> InvalidNotBefore:
    return InvalidNotBefore(f"{field} {rule}.", details=(Detail(field, rule),))


def _invalid_end(field: str, rule: str) -> InvalidExpiration:
    return InvalidExpiration(f"{field} {rule}.", details=(Detail(field, rule),))


def _scope(requested: list[str] | UnsetType, ceiling: str) -> tuple[str, list[str]]:
    if requested is UNSET:
        return ceiling, []
    fault = operations.fault_of_list(requested)
    if fault:
        suffix, rule = fault
        raise invalid(f"allowedOperations{suffix}", rule)
    wanted = operations.scope_of(requested)
    if wanted == operations.UNRESTRICTED:
        return ceiling, []  # ["*"] is absent, said aloud
    granted = operations.within(wanted, ceiling)
    if wanted and not granted:
        raise Forbidden(f"This API key may not grant any of: {', '.join(operations.names_of(wanted))}.")
    granted_names = operations.names_of(granted)
    return granted, [name for name in operations.names_of(wanted) if name not in granted_names]


def _metadata(raw: msgspec.Raw | UnsetType) -> str | None:
    if raw is UNSET:
        return None
    sent = bytes(raw)
    if not sent.startswith(b"{"):
        raise invalid("metadata", "must be an object")
    if len(sent) > METADATA_BYTES_MAX:
        raise invalid("metadata", f"has {len(sent)} bytes; at most {METADATA_BYTES_MAX} are allowed")
    return sent.decode()
