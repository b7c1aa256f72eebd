"""Tokens whose signature was already found to hold, so that the next look costs no mathematics."""

from __future__ import annotations

from collections import OrderedDict

from guestpass.core.tokens.check import TIME_CHECKS, TOKEN_CHECKS, Expectation, Inspection, verify
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.keys import KeySet
from guestpass.errors import TokenExpired

REMEMBERED_MAX = 20_000  # entries; about 2 KB each


class RememberingVerifier:
    """Verify signed tokens of one issuer; time is checked at every look, and state is left to the caller.

    It belongs to one key set and one expectation: when either changes, make a new one, and nothing
    that an old key signed is remembered. The whole token is the key of the table: every character counts.

    With ``ratchet`` a clock that is set back revives nothing: what ends no later than a token that was refused as
    expired stays expired. ``expired_up_to`` goes on from the verifier before, 0 in the first.
    """

    __slots__ = ("_claims", "_expect", "_keys", "_max", "_ratchet", "expired_up_to")

    def __init__(
        self,
        keys: KeySet,
        expect: Expectation,
        *,
        remembered_max: int = REMEMBERED_MAX,
        ratchet: bool = False,
        expired_up_to: int = 0,
    ) -> None:
        self._keys = keys
        self._expect = expect
        self._max = remembered_max
        self._claims: OrderedDict[str, SessionClaims] = OrderedDict()
        self._ratchet = ratchet
        self.expired_up_to = expired_up_to

    def verify(self, token: str, *, now: int, max_age_seconds: int | None = None) -> SessionClaims:
        """Return the claims, or raise what ``check.verify`` raises."""
        ins = Inspection(token, self._expect, self._keys, now, max_age_seconds=max_age_seconds)
        known = self._claims.get(token)
        if known is not None:
            ins.claims = known
        try:
            claims = verify(ins, TOKEN_CHECKS if known is None else TIME_CHECKS)
        except TokenExpired:
            if self._ratchet:
                self.expired_up_to = max(self.expired_up_to, ins.claims.exp)
            raise
        if claims.exp <= self.expired_up_to:
            raise _already_expired(claims.sid)
        if known is None:
            self._claims[token] = claims
            if len(self._claims) > self._max:
                self._claims.popitem(last=False)
        return claims


def _already_expired(session_id: str) -> TokenExpired:
    error = TokenExpired("The token expired before this verifier's clock was set back.")
    error.session_id = session_id
    return error
