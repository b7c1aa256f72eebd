"""Refreshes as the store decides them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from guestpass.core.anomalies import Kind
from guestpass.core.recent_refreshes import Origin
from guestpass.core.refresh import Held
from guestpass.core.tokens.refresh_token import RefreshToken
from guestpass.server.api_keys.service import ApiKey
from guestpass.server.audit.service import Where
from guestpass.server.projects.service import IssuerSettings
from guestpass.server.sessions.model import Known, RenewalRow, SessionRow

SessionKey: TypeAlias = tuple[int, bytes]  # issuer and id


class Use(NamedTuple):
    """A refresh token that was shown. ``prefix``: of its successor. ``origin``, ``where``: from where, as it is kept."""

    token: RefreshToken
    settings: IssuerSettings
    prefix: str
    origin: Origin
    where: Where

    @property
    def session(self) -> SessionKey:
        return self.token.issuer, self.token.session_id


class Refreshed(NamedTuple):
    """What a refresh is answered with, but for the access token, which is signed when all this is on disk.

    Attributes:
        scope: What its access token may do.
        ends_at: Unix seconds: the end of the session, unless it is refreshed again.
        rotated: Whether the token is new; else it was given before, and is given again.
    """

    row: SessionRow
    token: RefreshToken
    scope: str
    ends_at: int
    rotated: bool


class Lend(NamedTuple):
    """A session of which a host wants an access token. ``key``: as it was when the caller showed it."""

    key: ApiKey
    session_id: bytes

    @property
    def session(self) -> SessionKey:
        return self.key.issuer, self.session_id


class Lent(NamedTuple):
    """What that access token may do, the end of the session in Unix seconds, and whether it is suspended."""

    row: SessionRow
    scope: str
    ends_at: int
    suspended: bool


@dataclass(slots=True)
class Standing:
    """A renewable session inside the transaction that decides about it. Uses of one transaction see each other's changes."""

    known: Known
    renewal: RenewalRow
    blocked: bool
    ceiling: str

    @property
    def ends_at(self) -> int:
        return min(self.known.row.expires_at, self.renewal.idle_ends_at)

    @property
    def held(self) -> Held:
        renewal = self.renewal
        return Held(
            renewal.generation, renewal.token_hash, renewal.rotated_at_ms, self.ends_at, self.known.ending, self.blocked
        )


Outcome: TypeAlias = Literal["recorded", "suspended", "revoked"]


class AnomalyRow(NamedTuple):
    """A refresh that was odd, in the order of its columns. ``evidence``: JSON."""

    issuer: int
    id: bytes
    session_id: bytes
    kind: Kind
    outcome: Outcome
    evidence: str


class LoggedIn(Struct, frozen=True, array_like=True):
    """Of a login, what its session's row does not tell: kept for who sends its Idempotency-Key again."""

    id: bytes
    secret: str
