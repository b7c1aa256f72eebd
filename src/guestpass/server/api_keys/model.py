"""API keys: who may call, and for what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from guestpass.core import ids
from guestpass.core.callers import ip_ranges
from guestpass.core.callers.api_key import Can
from guestpass.core.callers.client_address import IpAddress
from guestpass.core.callers.grant import Grant
from guestpass.errors import Forbidden
from guestpass.server.audit.service import COMMAND_LINE, NOWHERE, Where

WORD = "key"
SECRETS_HELD = 2  # a key that is being rotated has two, and is to look like every other, and like none


class Secret(NamedTuple):
    """One secret of a key.

    Attributes:
        hash: SHA-256 of the whole ``sk_…``.
        created_at: Unix seconds.
        ends_at: Unix seconds, from which on it works no more; None of the newest, which lasts as long as its key.
        sealed: The secret itself, where requests may be signed with it.
    """

    hash: bytes
    created_at: int
    ends_at: int | None = None
    sealed: bytes | None = None

    def works(self, now: float) -> bool:
        return self.ends_at is None or now < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key. ``shown``: the secret that a caller showed, or signed with; None where nobody did."""

    id: bytes
    issuer: int
    name: str
    grant: Grant
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None
    shown: Secret | None = field(default=None, repr=False)

    @property
    def public_id(self) -> str:
        return ids.encode_again(WORD, self.id)

    @property
    def can(self) -> frozenset[Can]:
        return self.grant.can

    @property
    def ceiling(self) -> str:
        return self.grant.ceiling

    def lives(self, now: float) -> bool:
        """Say whether it was neither revoked nor has reached its end."""
        return self.revoked_at is None and (self.grant.expires_at is None or now < self.grant.expires_at)

    def works(self, now: float) -> bool:
        """Say whether it lives, and the secret that was shown works."""
        return self.lives(now) and (self.shown is None or self.shown.works(now))

    def require(self, can: Can) -> None:
        """Raises: Forbidden where the key was made without ``can``."""
        if can not in self.can:
            have = ", ".join(sorted(self.can)) or "nothing"
            raise Forbidden(f'This API key lacks "{can}"; it has: {have}.')

    def require_from(self, address: IpAddress | None) -> None:
        """Raises: Forbidden where the key has IP ranges and ``address`` is in none, or not known. It names no range."""
        if not ip_ranges.hold(self.grant.ip_ranges, address):
            raise Forbidden(
                "This API key may not be used from this address: it has IP ranges, and they do not hold it."
            )


class Described(NamedTuple):
    """A key, and its secrets that work, the newest first; of these only facts are ever shown."""

    key: ApiKey
    secrets: tuple[Secret, ...]

    @property
    def signs(self) -> bool:
        """Whether requests may be signed with it."""
        return any(secret.sealed is not None for secret in self.secrets)


class MadeSecret(Struct, frozen=True, array_like=True):
    """A secret that was made for a key: kept, sealed, for who sends its Idempotency-Key again."""

    key_id: bytes
    text: str


class Actor(NamedTuple):
    """Who makes or changes keys. ``name`` is kept as the one who ended sessions; ``key`` is None for the operator."""

    name: str
    key: ApiKey | None
    where: Where = NOWHERE

    @classmethod
    def of(cls, key: ApiKey, where: Where = NOWHERE) -> Actor:
        return cls(key.public_id, key, where)


OPERATOR = Actor(COMMAND_LINE, None)


@dataclass(frozen=True, slots=True, eq=False)
class SigningSecrets:
    """What a signature is held against: each secret of a key that works, as text.

    Attributes:
        key: None where there is no such key.
        secrets: At least ``SECRETS_HELD``, whether or not there is a key; with the stand-ins among them nobody calls.
    """

    key: ApiKey | None
    secrets: tuple[tuple[Secret | None, str], ...] = field(repr=False)
