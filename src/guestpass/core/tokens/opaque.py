"""Opaque session tokens: found by their session id, proven by their hash.

``{prefix}`` + the 26 characters of the session id + 43 base-62 characters of secret + 6 of checksum.
Only the SHA-256 of the whole text is kept, and no index is needed on it.
"""

from __future__ import annotations

import hashlib
import hmac

from guestpass.core import ids
from guestpass.core.callers import secret_text

SECRET_CHARACTERS = secret_text.SECRET_CHARACTERS
PROOF_CHARACTERS = SECRET_CHARACTERS + secret_text.CHECKSUM_CHARACTERS
BODY_CHARACTERS = ids.ID_CHARACTERS + PROOF_CHARACTERS


def make(prefix: str, session_id: str, entropy: bytes) -> str:
    """Write the token of ``session_id`` (``sess_…``) from 32 bytes that the caller supplies."""
    return secret_text.with_checksum(prefix + session_id.removeprefix("sess_") + secret_text.encode(entropy))


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def session_id_of(token: str, prefix: str) -> str | None:
    """Return the id that a token with ``prefix`` carries, or None where its shape or checksum is wrong."""
    if len(token) != len(prefix) + BODY_CHARACTERS or not secret_text.checksum_holds(token):
        return None
    session_id = "sess_" + token[len(prefix) : len(prefix) + ids.ID_CHARACTERS]
    return session_id if ids.decode("sess", session_id) is not None else None


def is_token_of(token: str, stored_hash: bytes) -> bool:
    return hmac.compare_digest(hash_of(token), stored_hash)
