"""What a project may be called, and what it may set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from guestpass.core import text
from guestpass.core.bounds import (
    ACCESS_SECONDS_MAX,
    ACCESS_SECONDS_MIN,
    GRACE_SECONDS_MAX,
    LIFE_SECONDS_MAX,
    LIFE_SECONDS_MIN,
    RENEWABLE_SECONDS_MAX,
)
from guestpass.core.tokens import operations
from guestpass.errors import ValidationFailed
from guestpass.server.projects.model import WORD, IssuerSettings, OnSuspicion

MINTS_PER_MINUTE_MAX = 1_000_000_000


def check_name(name: str) -> None:
    """Raises: ValidationFailed."""
    fault = text.fault_of_id(name)
    if fault:
        raise ValidationFailed.of("name", fault)
    if name.startswith(f"{WORD}_"):
        raise ValidationFailed.of("name", f"must not begin with {WORD}_, as the ids of projects do")


def changed(settings: IssuerSettings, changes: Mapping[str, object]) -> IssuerSettings:
    """Return settings after a change; None puts one back to its default.

    Raises: ValidationFailed naming a setting that then breaks a rule of the contract, or contradicts another.
    """
    at_default = {field.name: field.default for field in msgspec.structs.fields(IssuerSettings)}
    new: dict[str, Any] = {name: at_default[name] if value is None else value for name, value in changes.items()}
    after = msgspec.structs.replace(settings, **new)
    _check(after)
    return after


def _check(settings: IssuerSettings) -> None:
    fault = text.fault_of_id(settings.audience) if settings.audience is not None else None
    if fault:
        raise ValidationFailed.of("audience", fault)
    least, usual, most = settings.min_expires_in, settings.default_expires_in, settings.max_expires_in
    if least < LIFE_SECONDS_MIN:
        raise ValidationFailed.of("minExpiresIn", f"must be at least {LIFE_SECONDS_MIN} seconds")
    if most > LIFE_SECONDS_MAX:
        raise ValidationFailed.of("maxExpiresIn", f"must be at most {LIFE_SECONDS_MAX} seconds")
    if not least <= usual <= most:
        rule = f"must lie between minExpiresIn ({least}) and maxExpiresIn ({most}); set them together"
        raise ValidationFailed.of("defaultExpiresIn", rule)
    limit = settings.mints_per_minute
    if limit is not None and not 0 <= limit <= MINTS_PER_MINUTE_MAX:
        raise ValidationFailed.of("mintsPerMinute", f"must be from 0 (any number) to {MINTS_PER_MINUTE_MAX}")
    _check_renewable(settings)


def _check_renewable(settings: IssuerSettings) -> None:
    for field, seconds, least, most in (
        ("accessExpiresIn", settings.access_expires_in, ACCESS_SECONDS_MIN, ACCESS_SECONDS_MAX),
        ("refreshExpiresIn", settings.refresh_expires_in, LIFE_SECONDS_MIN, RENEWABLE_SECONDS_MAX),
        ("refreshIdleIn", settings.refresh_idle_in, LIFE_SECONDS_MIN, RENEWABLE_SECONDS_MAX),
        ("refreshGrace", settings.refresh_grace, 0, GRACE_SECONDS_MAX),
    ):
        if not least <= seconds <= most:
            raise ValidationFailed.of(field, f"must be from {least} to {most} seconds")
    if settings.on_suspicion not in get_args(OnSuspicion):
        raise ValidationFailed.of("onSuspicion", f"must be one of {', '.join(get_args(OnSuspicion))}")
    names = operations.names_of(settings.suspended_operations)
    fault = "names what goes on; * would be all" if operations.UNRESTRICTED in names else None
    suffix, rule = ("", fault) if fault else operations.fault_of_list(names) or ("", "")
    if rule:
        raise ValidationFailed.of(f"suspendedOperations{suffix}", rule)
