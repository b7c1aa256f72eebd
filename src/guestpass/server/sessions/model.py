"""Sessions as they are stored."""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

from guestpass.core import ids
from guestpass.core.revocation.cutoff import Ending, Status, status_of
from guestpass.core.tokens.refresh_token import GENERATION_FIRST
from guestpass.server.api_keys.model import ApiKey
from guestpass.server.revocation.model import SubjectsOfSession
from guestpass.server.revocation.service import Entry

WORD = "sess"
Format = Literal["jwt", "opaque"]


class SessionRow(NamedTuple):
    """The hot row, in the order of its columns. Written once, and never changed but to forget a person."""

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


class RenewalRow(NamedTuple):
    """What of a renewable session changes, in the order of its columns.

    Attributes:
        generation: Of the current refresh token; ``token_hash``: its SHA-256.
        rotated_at_ms: When that token was made, by the store's clock.
        salt: The number of the salt that it was derived with; None of the first, and where there is no grace.
        idle_ends_at: Unix seconds.
        recent: The last refreshes, as ``core.recent_refreshes`` writes them.
    """

    issuer: int
    id: bytes
    generation: int
    token_hash: bytes
    rotated_at_ms: int
    salt: int | None
    idle_ends_at: int
    recent: bytes

    @property
    def last_refreshed_at_ms(self) -> int | None:
        return None if self.generation == GENERATION_FIRST else self.rotated_at_ms


class Known(NamedTuple):
    """A session as the store has it now. ``renewal``: of a renewable one, which may be ``suspended``."""

    row: SessionRow
    ending: Ending | None
    used_up: bool
    renewal: RenewalRow | None
    suspended: bool = False

    @property
    def ends_at(self) -> int:
        """Unix seconds: its end, which refreshes may move."""
        return self.row.expires_at if self.renewal is None else min(self.row.expires_at, self.renewal.idle_ends_at)

    def status(self, now: int) -> Status:
        return status_of(
            ended=self.ending is not None,
            suspended=self.suspended,
            not_before=self.row.not_before,
            expires_at=self.ends_at,
            now=now,
            used_up=self.used_up,
        )


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


class Credential(NamedTuple):
    """What is made for a session before its row is committed.

    Attributes:
        tokens: As they are answered.
        made: Kept for who sends the Idempotency-Key again.
        token_hash: Of an opaque token.
        renewal: Of a renewable session.
    """

    tokens: tuple[str, ...]
    made: Struct
    token_hash: bytes | None = None
    renewal: RenewalRow | None = None


class Mint(NamedTuple):
    """What one mint wants committed, in one piece. ``key``: as it was when the caller showed it."""

    key: ApiKey
    row: SessionRow
    credential: Credential
    metadata: str | None
    email: str | None
    email_verified: bool


class TooEarly(Exception):
    """The id lies below a cut that covers it, or below what is already indexed; take one from ``floor_ms`` on.

    An exception, so that nothing that rides with a mint takes it for done.
    """

    def __init__(self, floor_ms: int) -> None:
        super().__init__(floor_ms)
        self.floor_ms = floor_ms
