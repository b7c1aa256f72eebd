"""Projects and issuers: who tokens speak for."""

from __future__ import annotations

from dataclasses import dataclass

from guestpass.core.tokens.kinds import ENVIRONMENTS, Environment

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class Project:
    """One tenant. ``number`` is internal and small; ``id`` (``proj_…``) is what the world sees."""

    number: int
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One project in one environment. Nothing crosses from one issuer to another.

    Args:
        number: Internal; the first part of every key in the store.
        url: The ``iss`` of its tokens, exact bytes, no trailing slash.
        location: Where its keys and discovery are served; equals ``url`` unless a setting replaced that.
    """

    number: int
    project: Project
    environment: Environment
    url: str
    audience: str
    location: str


def issuer_number(project: Project, environment: Environment) -> int:
    return project.number * len(ENVIRONMENTS) + ENVIRONMENTS.index(environment)


def project_number_of(issuer: int) -> int:
    return issuer // len(ENVIRONMENTS)


def environment_of(issuer: int) -> Environment:
    return ENVIRONMENTS[issuer % len(ENVIRONMENTS)]
