"""API keys: ``sk_{environment}_`` + 43 characters of secret + 6 of checksum, known to us by their SHA-256.

A 256-bit random secret needs no password hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

from guestpass.core.callers import secret_text
from guestpass.core.tokens.kinds import ENVIRONMENTS, Environment

Can = Literal["mint", "read", "revoke", "verify", "manage"]
ALL_CAN: tuple[Can, ...] = get_args(Can)

_BODY_CHARACTERS = secret_text.SECRET_CHARACTERS + secret_text.CHECKSUM_CHARACTERS


def make(environment: Environment, entropy: bytes) -> str:
    """Write a secret from 32 bytes that the caller supplies."""
    return secret_text.with_checksum(f"sk_{environment}_{secret_text.encode(entropy)}")


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def environment_of(secret: str) -> Environment | None:
    """Return what a secret says of its environment, or None where it was mistyped, cut or is something else."""
    for environment in ENVIRONMENTS:
        prefix = f"sk_{environment}_"
        if secret.startswith(prefix):
            whole = len(secret) == len(prefix) + _BODY_CHARACTERS and secret_text.checksum_holds(secret)
            return environment if whole else None
    return None
