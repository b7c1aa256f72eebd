"""Secrets at rest: AES-256-GCM under a versioned master key.

A sealed value says which master key opens it: format byte, key version, key fingerprint, nonce, ciphertext.
Its purpose is bound to it, so that a value moved to another row or table does not open.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
FINGERPRINT_BYTES = 4
VERSION_MAX = 255
_FORMAT = 1
_HEAD_BYTES = 2 + FINGERPRINT_BYTES


class MasterKeyError(Exception):
    """The master key is missing, malformed, or not the one of this store. The message says what to do."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """32 bytes and a version, written ``{version}:{base64url}``."""

    version: int
    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Eight hex characters that tell keys apart and reveal nothing."""
        return hashlib.sha256(b"guestpass master key" + self.secret).digest()[:FINGERPRINT_BYTES].hex()

    def to_text(self) -> str:
        return f"{self.version}:{base64.urlsafe_b64encode(self.secret).decode().rstrip('=')}"

    @classmethod
    def from_text(cls, text: str) -> MasterKey:
        """Read ``1:…``. Raises: MasterKeyError."""
        version, _, secret = text.strip().partition(":")
        try:
            key = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
            if len(key) != KEY_BYTES or not 1 <= int(version) <= VERSION_MAX:
                raise ValueError
        except (ValueError, binascii.Error):
            raise MasterKeyError(
                "The master key is malformed: it is a version, a colon and 43 base64url characters, like 1:Zm9v…. "
                "Check GUESTPASS_MASTER_KEY, or the file that GUESTPASS_MASTER_KEY_FILE names."
            ) from None
        return cls(int(version), key)

    @classmethod
    def generate(cls) -> MasterKey:
        return cls(1, os.urandom(KEY_BYTES))


class Sealer:
    """Seals and opens under one master key."""

    def __init__(self, key: MasterKey) -> None:
        self.key = key
        self._cipher = AESGCM(key.secret)
        self._head = bytes([_FORMAT, key.version]) + bytes.fromhex(key.fingerprint)

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """Seal ``plaintext`` for ``purpose``, like ``signing_key:{kid}``; the same purpose opens it."""
        nonce = os.urandom(NONCE_BYTES)
        return self._head + nonce + self._cipher.encrypt(nonce, plaintext, self._head + purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Return the plaintext. Raises: MasterKeyError where another key sealed it, or it was changed."""
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + NONCE_BYTES]
        if head != self._head:
            raise MasterKeyError(wrong_master_key(used=self.key.fingerprint, needed=head[2:].hex()))
        try:
            return self._cipher.decrypt(nonce, sealed[_HEAD_BYTES + NONCE_BYTES :], head + purpose.encode())
        except (InvalidTag, ValueError):  # a value that was cut short has no whole nonce
            raise MasterKeyError(
                f"A sealed value ({purpose}) was changed or moved; restore it from a backup."
            ) from None


def wrong_master_key(*, used: str, needed: str) -> str:
    return (
        f"The master key with fingerprint {used} does not open this store; its secrets were sealed under the one with "
        f"fingerprint {needed}. Set GUESTPASS_MASTER_KEY (or GUESTPASS_MASTER_KEY_FILE) to that key, or put back the "
        f"master.key file of this data directory. Nothing was changed."
    )


def load_or_create_key_file(path: Path) -> MasterKey:
    """Read the key file of a data directory, or make one that only its owner can read (0600).

    Raises: MasterKeyError where it holds something else; OSError.
    """
    if not path.exists():
        _create_key_file(path)
    return MasterKey.from_text(path.read_text(errors="replace"))


def _create_key_file(path: Path) -> None:
    # Linked into place whole: a second process that starts now finds no file, or all of it. Named at random: the
    # process that died here before may have had our number, as all have that start in a fresh container.
    descriptor, half_made = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(MasterKey.generate().to_text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(half_made, path)
    finally:
        Path(half_made).unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # or a power cut could leave secrets on the disk, and no key to them
    finally:
        os.close(directory)
