"""Sessions as they are stored."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from guestpass.core import ids
from guestpass.server.api_keys.model import ApiKey
from guestpass.server.revocation.model import SubjectsOfSession
from guestpass.server.revocation.service import Entry

WORD = "sess"
Format = Literal["jwt", "opaque"]


class SessionRow(NamedTuple):
    """The hot row, in the order of its columns. Written once, never changed."""

    issuer: int
    id: bytes
    api_key_id: bytes
    customer_id: bytes
    external_user_id: str
    organization_key: bytes | None
    external_organization_id: str | None
    scope: str
    issued_at: int
    not_before: int | None
    expires_at: int
    max_uses: int | None
    format: Format
    status_list: int
    status_index: int

    @property
    def public_id(self) -> str:
        return ids.encode_again(WORD, self.id)

    @property
    def minted_ms(self) -> int:
        return ids.unix_ms_of(self.id)

    def is_used_up(self, uses: int) -> bool:
        """Say whether a token of this session was used ``uses`` times, and may be no more."""
        return self.max_uses is not None and uses >= self.max_uses

    @property
    def entry(self) -> Entry:
        """The place of its tokens in the status lists."""
        return Entry(self.status_list, self.status_index)

    @property
    def subjects(self) -> SubjectsOfSession:
        return SubjectsOfSession(self.customer_id, self.organization_key, self.api_key_id)


class Made(Struct, frozen=True, array_like=True):
    """Of a mint, what its session's row does not tell: kept for who sends its Idempotency-Key again.

    Args:
        kid: Of the key that signed; None for an opaque token.
        proof: How the token ends: with its signature, or with the secret and the checksum of an opaque one.
    """

    id: bytes
    kid: str | None
    proof: str
    denied: list[str] = []


class Mint(NamedTuple):
    """What one mint wants committed, in one piece. ``key``: as it was when the caller showed it."""

    key: ApiKey
    row: SessionRow
    token_hash: bytes | None  # of an opaque token
    metadata: str | None
    email: str | None
    email_verified: bool
    made: Made


class TooEarly(Exception):
    """The id lies below a cut that covers it, or below what is already indexed; take one from ``floor_ms`` on.

    An exception, so that nothing that rides with a mint takes it for done.
    """

    def __init__(self, floor_ms: int) -> None:
        super().__init__(floor_ms)
        self.floor_ms = floor_ms
