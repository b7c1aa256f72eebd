"""The keys a verifier trusts for one issuer, ready for the shortest possible look-up.

The whole encoded header of a token is looked up in a table that is built from our keys, so the token
chooses neither its algorithm nor its key (RFC 8725 section 3.1). Only a header that is not in the table
is parsed, mostly to say what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from guestpass.core.jose.jwk import VerifyingKey
from guestpass.core.jose.jws import encode_header
from guestpass.core.tokens.kinds import JWT_KINDS, Kind


class Sealed(NamedTuple):
    """What a header stands for: the key that must have signed, and the kind that was signed."""

    key: VerifyingKey
    kind: Kind


class KeySet:
    """Verifying keys of one issuer, by ``kid`` and by encoded header.

    ``only``: a secret that was handed over without its ``kid``, and stands for any.
    """

    __slots__ = ("by_header", "by_kid", "only")

    def __init__(self, keys: Iterable[VerifyingKey], *, only: VerifyingKey | None = None) -> None:
        self.only = only
        self.by_kid = {key.kid: key for key in keys}
        self.by_header = {
            encode_header(key.algorithm, key.kid, kind.typ): Sealed(key, kind)
            for key in self.by_kid.values()
            for kind in JWT_KINDS
            if kind.typ is not None
        }

    def named(self, kid: str | None) -> VerifyingKey | None:
        """Return the key that a header names, or None."""
        return self.only or self.by_kid.get(kid or "")
