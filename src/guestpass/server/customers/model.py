"""Customers: the host's end users, known by ``externalUserId``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

WORD = "cust"
DERIVED_BYTES = 16


@dataclass(frozen=True, slots=True)
class Derivation:
    """Derives the id of a customer, and the key of an organization, from what the host calls them.

    Two servers that meet a new user at once agree on his id without asking the store, and a mint looks nothing
    up. The derivation is keyed by a secret of the store, so an id tells nothing about the user's id, and a block
    outlives the erasure of the customer.
    """

    secret: bytes

    def customer_id(self, issuer: int, external_user_id: str) -> bytes:
        return self._derive(b"user", issuer, external_user_id)

    def organization_key(self, issuer: int, external_organization_id: str) -> bytes:
        return self._derive(b"organization", issuer, external_organization_id)

    def _derive(self, what: bytes, issuer: int, name: str) -> bytes:
        # BLAKE2b keyed (RFC 7693 section 2.9): a MAC in one call, at a tenth of what hmac.digest costs here.
        text = b"%d\0%s" % (issuer, name.encode())
        return hashlib.blake2b(text, key=self.secret, person=what, digest_size=DERIVED_BYTES).digest()

    def __repr__(self) -> str:
        return "Derivation(secret=…)"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a mint says of a customer beyond his id."""

    issuer: int
    customer_id: bytes
    external_user_id: str
    email: str | None
    email_verified: bool
    seen_at: int
