"""Whose a cookie is, and which page may use it: two HMACs under keys that the host's API key gives.

Neither key is the API key, and neither gives it away: HKDF (RFC 5869) with a label each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
PROOF_CHARACTERS = 43  # 32 bytes in base64url without padding
OWNER_LABEL = b"guestpass/host/owner/v1"
CSRF_LABEL = b"guestpass/host/csrf/v1"
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose session it is: another organization of the same user is another owner, since the token names it."""

    external_user_id: str
    external_organization_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Keys:
    owner: bytes = field(repr=False)
    csrf: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: str) -> Self:
        return cls(_derived(secret, OWNER_LABEL), _derived(secret, CSRF_LABEL))


class Proofs:
    """Makes proofs under the newest secret, and knows those of earlier ones while servers change over.

    Args:
        secrets: Of API keys, the newest first; at least one.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [_Keys.of(secret) for secret in secrets]

    def of_owner(self, session_id: str, owner: Owner) -> str:
        """Return the 43 characters that say: this session (``sess_…``) is this owner's."""
        return _proof(self._keys[0].owner, _owner_text(session_id, owner))

    def is_owner(self, proof: str, session_id: str, owner: Owner) -> bool:
        text = _owner_text(session_id, owner)
        return any(_equal(proof, _proof(keys.owner, text)) for keys in self._keys)

    def csrf_token(self, session_id: str) -> str:
        """Return the 43 characters that a page of this session sends back in ``X-Guestpass-CSRF``."""
        return _proof(self._keys[0].csrf, session_id.encode())

    def is_csrf_token(self, shown: str, session_id: str) -> bool:
        return any(_equal(shown, _proof(keys.csrf, session_id.encode())) for keys in self._keys)


def _derived(secret: str, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=label).derive(secret.encode())


def _owner_text(session_id: str, owner: Owner) -> bytes:
    """Write each part with its length before it, so that no two owners have one text."""
    parts = (session_id, owner.external_user_id, owner.external_organization_id or "")
    # A lone surrogate is in no id that the service took, so it fits no cookie; it is no reason to fail.
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in encoded)


def _proof(key: bytes, text: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, text, hashlib.sha256)).rstrip(b"=").decode()


def _equal(shown: str, expected: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), expected.encode())
