"""Hashes and seals: what is kept tells neither an Idempotency-Key nor what was answered, but to who sends the key again."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from guestpass.server.idempotency.model import HASH_BYTES, Keyed
from guestpass.server.storage.sealing import FINGERPRINT_BYTES, MasterKeyError, Sealer

_KEY_BYTES = 32
NONCE_BYTES = 12
_HEAD_BYTES = FINGERPRINT_BYTES + NONCE_BYTES
_BODY_HASH_BYTES = 32
_PURPOSE = "kept answers"


class Seals:
    """Seals under keys that come from a master key and a request's own.

    Args:
        hashing: 32 bytes that last as long as the store, so that a request is found whatever the master key is by now.
        sealer: What its first master key sealed can be told as long as servers have that key, be it as the one before.
    """

    def __init__(self, hashing: bytes, sealer: Sealer) -> None:
        self._hashing = hashing
        self._sealer = sealer
        self._fingerprint = bytes.fromhex(sealer.key.fingerprint)
        self._secret = sealer.key.derive(_PURPOSE)

    def hash_of(self, api_key_id: bytes, method: str, path: str, key: bytes) -> bytes:
        """Hash whose request this is, and which. An id has 16 bytes; neither a method nor a key holds a line feed."""
        scope = b"%b%b\n%b\n%b" % (api_key_id, method.encode(), path.encode(errors="surrogateescape"), key)
        # BLAKE2b keyed (RFC 7693 section 2.9): a key that someone could guess is not found in a stolen store.
        return hashlib.blake2b(scope, key=self._hashing, person=b"repeated request", digest_size=HASH_BYTES).digest()

    def seal(self, request: Keyed, made: bytes) -> bytes:
        """Seal what a request made: only once, as its nonce is."""
        cipher = _cipher(self._secret, request.key)
        sealed = cipher.encrypt(request.nonce, request.body_hash + made, request.hash)
        return self._fingerprint + request.nonce + sealed

    def open(self, request: Keyed, sealed: bytes) -> tuple[bytes, bytes] | None:
        """Return (body hash, what was made); None where the master key that sealed it is gone, or it was changed."""
        fingerprint, nonce = sealed[:FINGERPRINT_BYTES], sealed[FINGERPRINT_BYTES:_HEAD_BYTES]
        try:
            secret = self._sealer.named(fingerprint.hex()).derive(_PURPOSE)
            text = _cipher(secret, request.key).decrypt(nonce, sealed[_HEAD_BYTES:], request.hash)
        except (MasterKeyError, InvalidTag, ValueError):
            return None
        return text[:_BODY_HASH_BYTES], text[_BODY_HASH_BYTES:]


def _cipher(secret: bytes, key: bytes) -> AESGCM:
    return AESGCM(hashlib.blake2b(key, key=secret, person=b"repeated answer", digest_size=_KEY_BYTES).digest())


def body_hash_of(query_string: bytes, body: bytes) -> bytes:
    """Hash what else a request says. A query string holds no NUL."""
    return hashlib.sha256(query_string + b"\0" + body).digest()
