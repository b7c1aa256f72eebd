"""Tokens whose signature was already found to hold, so that the next look costs no mathematics."""

from __future__ import annotations

from collections import OrderedDict

from guestpass.core.tokens.check import TIME_CHECKS, TOKEN_CHECKS, Expectation, Inspection, verify
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.keys import KeySet

REMEMBERED_MAX = 20_000  # entries; about 2 KB each


class RememberingVerifier:
    """Verify signed tokens of one issuer; time is checked at every look, and state is left to the caller.

    It belongs to one key set and one expectation: when either changes, make a new one, and nothing
    that an old key signed is remembered. The whole token is the key of the table: every character counts.
    """

    __slots__ = ("_claims", "_expect", "_keys", "_max")

    def __init__(self, keys: KeySet, expect: Expectation, *, remembered_max: int = REMEMBERED_MAX) -> None:
        self._keys = keys
        self._expect = expect
        self._max = remembered_max
        self._claims: OrderedDict[str, SessionClaims] = OrderedDict()

    def verify(self, token: str, *, now: int) -> SessionClaims:
        """Return the claims, or raise what ``check.verify`` raises."""
        ins = Inspection(token, self._expect, self._keys, now)
        known = self._claims.get(token)
        if known is not None:
            ins.claims = known
            return verify(ins, TIME_CHECKS)
        claims = verify(ins, TOKEN_CHECKS)
        self._claims[token] = claims
        if len(self._claims) > self._max:
            self._claims.popitem(last=False)
        return claims
