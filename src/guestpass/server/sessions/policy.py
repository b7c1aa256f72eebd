"""What a mint may ask for, decided without looking anything up."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from guestpass.core import text, times
from guestpass.core.bounds import METADATA_BYTES_MAX, NOT_BEFORE_PAST_SECONDS_MAX
from guestpass.core.tokens import operations
from guestpass.errors import Detail, Forbidden, InvalidExpiration, InvalidNotBefore, ValidationFailed
from guestpass.server.projects.service import IssuerSettings
from guestpass.server.sessions.api import MintRequest


class Plan(NamedTuple):
    """A mint that the rules allow; times in whole Unix seconds."""

    issued_at: int
    not_before: int | None
    expires_at: int
    scope: str
    denied: list[str]
    metadata: str | None


def plan(request: MintRequest, ceiling: str, settings: IssuerSettings, *, now: int) -> Plan:
    """Hold a request against the contract's table, the key's ceiling and the project's bounds, which lie within.

    Raises: ValidationFailed, InvalidExpiration, InvalidNotBefore; Forbidden where no operation is left.
    """
    check_host_id("externalUserId", request.external_user_id)
    check_host_id("externalOrganizationId", request.external_organization_id)
    _check_email(request.email)
    expires_at = now + _life(request.expires_in, settings)
    scope, denied = _scope(request.allowed_operations, ceiling)
    return Plan(
        now, _not_before(request.not_before, now, expires_at), expires_at, scope, denied, _metadata(request.metadata)
    )


def check_host_id(field: str, value: str | UnsetType) -> None:
    """Raises: ValidationFailed naming ``field`` and the rule."""
    fault = text.fault_of_id(value) if value is not UNSET else None
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
        rule = f"must be whole seconds from {least} to {most}"
        raise InvalidExpiration(f"expiresIn {rule}.", details=(Detail("expiresIn", rule),))
    return int(expires_in)


def _not_before(not_before: str | UnsetType, now: int, expires_at: int) -> int | None:
    if not_before is UNSET:
        return None
    try:
        start = math.ceil(times.parse(not_before))
    except ValueError as fault:
        raise _invalid_start(str(fault)) from None
    if start < now - NOT_BEFORE_PAST_SECONDS_MAX:
        clock = f"the server's clock says {times.of_seconds(now)}"
        raise _invalid_start(f"must not be more than {NOT_BEFORE_PAST_SECONDS_MAX} seconds past; {clock}")
    if start >= expires_at:
        raise _invalid_start(f"must be before the end of the session, {times.of_seconds(expires_at)}")
    return max(start, now)


def _invalid_start(rule: str) -> InvalidNotBefore:
    return InvalidNotBefore(f"notBefore {rule}.", details=(Detail("notBefore", rule),))


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
