"""Commitments to personal fields: what the log's chain holds in their place, so that they can be forgotten.

A field's commitment is a hash over a random salt, its name and its value. With the salt it proves the value; once
salt and value are erased, it says nothing any more, and the chain that holds it stays whole.
"""

from __future__ import annotations

import hashlib

SALT_BYTES = 16
_DOMAIN = b"guestpass audit field\0"


def commitment(salt: bytes, name: str, value: str) -> str:
    """Return 64 hexadecimal digits. ``salt``: 16 random bytes that no other field shares; ``name``: without NUL."""
    return hashlib.sha256(b"%b%b%b\0%b" % (_DOMAIN, salt, name.encode(), value.encode())).hexdigest()
