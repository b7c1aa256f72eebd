"""Projects and issuers: who tokens speak for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from msgspec import Struct

from guestpass.core.bounds import (
    ACCESS_SECONDS_DEFAULT,
    GRACE_SECONDS_DEFAULT,
    IDLE_SECONDS_DEFAULT,
    LIFE_SECONDS_DEFAULT,
    LIFE_SECONDS_MAX,
    LIFE_SECONDS_MIN,
    RENEWABLE_SECONDS_MAX,
)
from guestpass.core.tokens.kinds import ENVIRONMENTS, Environment

WORD = "proj"
DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class Project:
    """One tenant. ``number`` is internal and small; ``id`` (``proj_…``) is what the world sees."""

    number: int
    id: str
    name: str
    created_at: int


OnSuspicion: TypeAlias = Literal["record", "suspend", "revoke"]


class IssuerSettings(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a project may set for one of its environments; stored is only what differs from here.

    Args:
        audience: The ``aud`` of its tokens; None: its issuer.
        min_expires_in: Seconds; the least ``expiresIn`` that a mint may ask for.
        default_expires_in: Seconds, where a mint asks for none.
        max_expires_in: Seconds.
        mints_per_minute: With each of its API keys; None: what the server's setting says.
        access_expires_in: Seconds; the life of an access token.
        refresh_idle_in: Seconds after the last refresh in which a renewable session can be refreshed.
        refresh_expires_in: Seconds; the life of a renewable session in all.
        refresh_grace: Seconds in which a refresh token that was used is answered once more.
        on_suspicion: What becomes of a session of which a refresh was odd.
        suspended_operations: A scope: what goes on while a session is suspended.
    """

    audience: str | None = None
    min_expires_in: int = LIFE_SECONDS_MIN
    default_expires_in: int = LIFE_SECONDS_DEFAULT
    max_expires_in: int = LIFE_SECONDS_MAX
    mints_per_minute: int | None = None
    access_expires_in: int = ACCESS_SECONDS_DEFAULT
    refresh_idle_in: int = IDLE_SECONDS_DEFAULT
    refresh_expires_in: int = RENEWABLE_SECONDS_MAX
    refresh_grace: int = GRACE_SECONDS_DEFAULT
    on_suspicion: OnSuspicion = "record"
    suspended_operations: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One project in one environment. Nothing crosses from one issuer to another.

    Args:
        number: Internal; the first part of every key in the store.
        url: The ``iss`` of its tokens, exact bytes, no trailing slash.
        audience: The ``aud`` of its tokens.
        location: Where its keys and discovery are served; equals ``url`` unless a setting replaced that.
        settings: As they were up to ``SETTINGS_SECONDS`` ago.
    """

    number: int
    project: Project
    environment: Environment
    url: str
    audience: str
    location: str
    settings: IssuerSettings


def issuer_number(project: Project, environment: Environment) -> int:
    return issuer_of(project.number, environment)


def issuer_of(project_number: int, environment: Environment) -> int:
    return project_number * len(ENVIRONMENTS) + ENVIRONMENTS.index(environment)


def project_number_of(issuer: int) -> int:
    return issuer // len(ENVIRONMENTS)


def environment_of(issuer: int) -> Environment:
    return ENVIRONMENTS[issuer % len(ENVIRONMENTS)]
