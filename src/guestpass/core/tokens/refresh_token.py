"""Refresh tokens: each proves by itself that it was ours, before anything is looked up.

``gp_refresh_{env}_`` + the 26 characters of the session id + its issuer's number (5 characters of base 62) + the generation (5)
+ 43 of secret + 22 of tag. The tag is a MAC of all before it, so a text that was forged or mistyped is known without the store,
and nothing needs to be kept about tokens that were used. See ADR 0018.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from guestpass.core import ids
from guestpass.core.callers import secret_text

NUMBER_CHARACTERS = 5  # of an issuer, and of a generation
GENERATION_FIRST = 1
GENERATION_LAST = 62**NUMBER_CHARACTERS - 1
TAG_BYTES = 16
TAG_CHARACTERS = 22  # 62**22 > 2**128

_KEY_BYTES = 32
_SECRET_BYTES = 32
_TEXT = re.compile(
    rf"[a-z0-9]+_refresh_(?:test|live)_([0-9a-z]{{{ids.ID_CHARACTERS}}})([0-9A-Za-z]{{{NUMBER_CHARACTERS}}})"
    rf"([0-9A-Za-z]{{{NUMBER_CHARACTERS}}})[0-9A-Za-z]{{{secret_text.SECRET_CHARACTERS + TAG_CHARACTERS}}}"
)
_TEXT_LENGTH_MAX = 256  # what is longer is not looked at


@dataclass(frozen=True, slots=True)
class RefreshKeys:
    """What refresh tokens are tagged and derived with: two keys, so that what one is used for says nothing of the other."""

    tagging: bytes = field(repr=False)
    deriving: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> RefreshKeys:
        """Return the keys of a store, from the secret that it was made with."""
        return cls(*(_keyed(b"", secret, person, _KEY_BYTES) for person in (b"refresh tagging", b"refresh deriving")))


class RefreshToken(NamedTuple):
    """A token that was ours: its tag holds. Whether it is still good is for the store to say."""

    text: str
    session_id: bytes
    issuer: int
    generation: int

    @property
    def hash(self) -> bytes:
        return hash_of(self.text)


def make(prefix: str, session_id: bytes, issuer: int, generation: int, secret: str, keys: RefreshKeys) -> RefreshToken:
    """Write a token. ``secret``: the 43 characters of ``first_secret`` or ``successor_secret``."""
    body = (
        f"{prefix}{ids.encode_again('sess', session_id).removeprefix('sess_')}"
        f"{secret_text.base_62(issuer, NUMBER_CHARACTERS)}{secret_text.base_62(generation, NUMBER_CHARACTERS)}{secret}"
    )
    return RefreshToken(body + _tag_of(body, keys), session_id, issuer, generation)


def read(text: str, keys: RefreshKeys) -> RefreshToken | None:
    """Return the token that ``text`` is, or None where we did not write it. No character of it may differ."""
    if len(text) > _TEXT_LENGTH_MAX:
        return None
    matched = _TEXT.fullmatch(text)
    body, tag = text[:-TAG_CHARACTERS], text[-TAG_CHARACTERS:]
    if matched is None or not hmac.compare_digest(_tag_of(body, keys), tag):
        return None
    session_id = ids.decode("sess", f"sess_{matched[1]}")
    if session_id is None:
        return None
    return RefreshToken(text, session_id, secret_text.number_of(matched[2]), secret_text.number_of(matched[3]))


def secret_of(text: str) -> str:
    """Return the characters of a token that are its secret."""
    return text[-TAG_CHARACTERS - secret_text.SECRET_CHARACTERS : -TAG_CHARACTERS]


def successor_secret(used: str, salt: bytes, keys: RefreshKeys) -> str:
    """Derive the secret of the token that follows ``used``: the same again, as long as the salt is there."""
    return secret_text.encode(_keyed(used.encode() + salt, keys.deriving, b"refresh next", _SECRET_BYTES))


def hash_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _tag_of(body: str, keys: RefreshKeys) -> str:
    tag = _keyed(body.encode(), keys.tagging, b"refresh tag", TAG_BYTES)
    return secret_text.base_62(int.from_bytes(tag, "big"), TAG_CHARACTERS)


def _keyed(text: bytes, key: bytes, person: bytes, size: int) -> bytes:
    # BLAKE2b keyed (RFC 7693 section 2.9) is a MAC in one call.
    return hashlib.blake2b(text, key=key, person=person, digest_size=size).digest()
