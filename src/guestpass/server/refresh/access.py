"""Access tokens: short, signed, and several over the life of a session, whose one place in the status lists they share."""

from __future__ import annotations

from typing import NamedTuple

from guestpass.core import ids
from guestpass.core.tokens import issue
from guestpass.server.clock import Clock, Entropy
from guestpass.server.projects.service import Issuer
from guestpass.server.sessions.claims import access_claims_of
from guestpass.server.sessions.model import SessionRow
from guestpass.server.signing_keys.service import Signer

WORD = "tok"  # of a jti: unique, since a session has many


class Access(NamedTuple):
    """An access token. ``expires_at``: Unix seconds; ``expires_in``: seconds from its issue."""

    token: str
    expires_at: int
    expires_in: int
    scope: str


class AccessTokens:
    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy

    def sign(self, row: SessionRow, issuer: Issuer, signer: Signer, *, scope: str, ends_at: int) -> Access:
        """Sign a bare JWT (RFC 9068) that ends with its session, or before. ``ends_at``: of the session, Unix seconds.

        Raises: ValidationFailed where the ids and operations are too long for one token.
        """
        now = self._clock()
        expires_at = min(int(now) + issuer.settings.access_expires_in, ends_at)
        claims = access_claims_of(
            row,
            issuer,
            jti=ids.encode(WORD, ids.time_ordered(int(now * 1000), self._entropy(ids.ENTROPY_BYTES))),
            issued_at=int(now),
            expires_at=expires_at,
            scope=scope,
        )
        token = issue.issue(claims, prefix="", header_segment=signer.access_header, key=signer.key)
        return Access(token, expires_at, expires_at - int(now), scope)
