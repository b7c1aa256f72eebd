"""API keys: who may call, and for what."""

from __future__ import annotations

from dataclasses import dataclass, field

from guestpass.core import ids
from guestpass.core.callers.api_key import Can
from guestpass.errors import Forbidden

WORD = "key"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, without its secret.

    ``ceiling``: a scope, the most that tokens it mints may do. ``signing``: requests may be signed with its secret.
    """

    id: bytes
    issuer: int
    name: str
    can: frozenset[str]
    ceiling: str
    created_at: int
    revoked_at: int | None
    signing: bool = False

    @property
    def public_id(self) -> str:
        return ids.encode(WORD, self.id)

    def require(self, can: Can) -> None:
        """Raises: Forbidden where the key was made without ``can``."""
        if can not in self.can:
            have = ", ".join(sorted(self.can)) or "nothing"
            raise Forbidden(f'This API key lacks "{can}"; it has: {have}.')


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """What a signature is held against. ``key``: None for a stand-in, with whose secret nobody calls."""

    key: ApiKey | None
    secret: str = field(repr=False)
