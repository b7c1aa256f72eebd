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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

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
    def generate(cls, version: int = 1) -> MasterKey:
        return cls(version, os.urandom(KEY_BYTES))

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that only the holder of the master key can have, and that say nothing of it (RFC 5869)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(self.secret)

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """Seal ``plaintext`` for ``purpose``, like ``signing_key:{kid}``; the same purpose opens it.

        What is stored is sealed by ``facts.seal``, which knows under which key.
        """
        nonce = os.urandom(NONCE_BYTES)
        return self._head + nonce + AESGCM(self.secret).encrypt(nonce, plaintext, self._head + purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Return the plaintext. Raises: MasterKeyError where another key sealed it, or it was changed."""
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + NONCE_BYTES]
        if head != self._head:
            raise MasterKeyError(wrong_master_key(used=self.fingerprint, needed=fingerprint_of(sealed)))
        try:
            ciphertext = sealed[_HEAD_BYTES + NONCE_BYTES :]
            return AESGCM(self.secret).decrypt(nonce, ciphertext, head + purpose.encode())
        except (InvalidTag, ValueError):  # a value that was cut short has no whole nonce
            raise MasterKeyError(
                f"A sealed value ({purpose}) was changed or moved; restore it from a backup."
            ) from None

    @property
    def _head(self) -> bytes:
        return bytes([_FORMAT, self.version]) + bytes.fromhex(self.fingerprint)


class Sealer:
    """Opens what any of its master keys sealed. Which one seals is the store's word: see ``facts.seal``.

    Args:
        keys: The first is the one that is configured, the others those before it.
        look_again: Returns the keys that are there now, for a value that none of these opens.
    """

    def __init__(self, *keys: MasterKey, look_again: Callable[[], Sequence[MasterKey]] = tuple) -> None:
        self.key = keys[0]
        self._keys = {key.fingerprint: key for key in reversed(keys)}
        self._look_again = look_again

    def named(self, fingerprint: str) -> MasterKey:
        """Return the key of that fingerprint. Raises: MasterKeyError, saying what to do."""
        if fingerprint not in self._keys:
            self._keys |= {key.fingerprint: key for key in self._look_again()}
        key = self._keys.get(fingerprint)
        if key is None:
            raise MasterKeyError(wrong_master_key(used=" or ".join(self._keys), needed=fingerprint))
        return key

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Return the plaintext. Raises: MasterKeyError where another key sealed it, or it was changed."""
        return self.named(fingerprint_of(sealed)).open(purpose, sealed)


def fingerprint_of(sealed: bytes) -> str:
    """Return the fingerprint of the master key that sealed a value; nothing says that it is true."""
    return sealed[2:_HEAD_BYTES].hex()


class SealedColumn(NamedTuple):
    """Where sealed values are: what ``master-key rewrap`` walks. Each room that seals declares its own.

    Args:
        key: The columns of the primary key.
        purpose: Of a row, from what stands in its columns ``named_by``, in those of the key where that is empty.
        only: SQL; of a table of which not every row is sealed.
    """

    table: str
    column: str
    key: tuple[str, ...]
    purpose: Callable[..., str]
    named_by: tuple[str, ...] = ()
    only: str = "1 = 1"


def wrong_master_key(*, used: str, needed: str) -> str:
    return (
        f"The master key with fingerprint {used} does not open this store; its secrets were sealed under the one with "
        f"fingerprint {needed}. Set GUESTPASS_MASTER_KEY (or GUESTPASS_MASTER_KEY_FILE) to that key, or put back the "
        f"master.key file of this data directory; while you move to another key, GUESTPASS_MASTER_KEY_OLD names the one "
        f"before. Nothing was changed."
    )


def load_or_create_key_file(path: Path, *, version: int = 1) -> MasterKey:
    """Read a key file of a data directory, or make one that only its owner can read (0600).

    Raises: MasterKeyError where it holds something else; OSError.
    """
    if not path.exists():
        _create_key_file(path, MasterKey.generate(version))
    return MasterKey.from_text(path.read_text(errors="replace"))


def replace_key_file(path: Path, following: Path, kept: Path) -> None:
    """Let the file ``following`` take the place of ``path``, which is kept under another name.

    Whoever reads meanwhile finds either key, whole. Raises: OSError.
    """
    with contextlib.suppress(FileExistsError):
        os.link(path, kept)
    _sync(path.parent)
    following.replace(path)
    _sync(path.parent)


def _create_key_file(path: Path, key: MasterKey) -> None:
    # Linked into place whole: a second process that starts now finds no file, or all of it. Named at random: the
    # process that died here before may have had our number, as all have that start in a fresh container.
    descriptor, half_made = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(key.to_text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(half_made, path)
    finally:
        Path(half_made).unlink()
    _sync(path.parent)  # or a power cut could leave secrets on the disk, and no key to them


def _sync(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
