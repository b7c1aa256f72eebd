"""Whom a revoke is meant for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from guestpass.core.revocation.cutoff import CutKind, Ending

NOBODY_IN_PARTICULAR = b""  # the subject of a cut of the kind ``all``


class Subject(NamedTuple):
    """``key``: a customer's id, an organization's key, an API key's id, or empty for all."""

    kind: CutKind
    key: bytes = NOBODY_IN_PARTICULAR


ALL = Subject("all")


class SubjectsOfSession(NamedTuple):
    """All that a cut could name of one session."""

    customer_id: bytes
    organization_key: bytes | None
    api_key_id: bytes

    def each(self) -> tuple[Subject, ...]:
        """Return every subject whose cuts cover the session."""
        return ALL, *self.named()

    def named(self) -> tuple[Subject, ...]:
        """Return those that are not everybody."""
        organization = () if self.organization_key is None else (Subject("organization", self.organization_key),)
        return Subject("user", self.customer_id), Subject("api_key", self.api_key_id), *organization


@dataclass(frozen=True, slots=True)
class CutMade:
    """A cut that was written: it covers ids whose milliseconds are below ``before_ms``."""

    issuer: int
    subject: Subject
    before_ms: int
    ending: Ending
    is_new: bool  # False where the very same cut was there already
