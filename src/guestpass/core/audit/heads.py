"""Heads: what is signed for each batch, so that whoever has one can tell whether anything before it was changed.

A head names its batch's root, and the head before by its digest. It is a compact JWS, and its digest is over the
payload alone: signing again, as ECDSA does differently each time, makes no other chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from guestpass.core import times
from guestpass.core.bounds import JSON_INTEGER_MAX
from guestpass.core.jose import base64url, jws
from guestpass.core.jose.jwk import Algorithm, SigningKey, import_verifying_key, thumbprint
from guestpass.core.strict_struct import StrictCodec

TYP = "guestpass-audit-head+jws"  # none of a token's, so that a head is none, and no token a head
ALGORITHMS = frozenset[Algorithm]({"ES256", "EdDSA", "RS256"})  # never a secret: who checks a head could write one
NO_HEAD = ""  # in place of the digest of the head before the first
_DOMAIN = b"guestpass audit head\0"

Count = Annotated[int, Meta(ge=0, le=JSON_INTEGER_MAX)]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class HeadRefused(ValueError):
    """A head that must not be believed; the text says why."""


class Head(Struct, frozen=True, kw_only=True, rename="camel"):
    """One batch.

    Args:
        issuer: The URL whose keys sign: ``iss`` of the default project in live.
        number: Of the batch, from 1 on, without a gap.
        previous: The digest of the head before; empty for the first.
        root: Of the tree over the batch's leaves, in hexadecimal.
        first: The position of its first leaf in the whole log, from 0 on.
        count: Of its leaves, at least 1.
        sealed_at: RFC 3339, by the store's clock.
    """

    issuer: str
    number: Annotated[int, Meta(ge=1, le=JSON_INTEGER_MAX)]
    previous: Annotated[str, Meta(pattern=r"\A([0-9a-f]{64})?\Z")]
    root: Digest
    first: Count
    count: Annotated[int, Meta(ge=1, le=JSON_INTEGER_MAX)]
    sealed_at: str


_codec = StrictCodec(Head)


def sign(head: Head, key: SigningKey) -> str:
    """Return the head as a compact JWS. Raises: HeadRefused for an HS256 key."""
    if key.algorithm not in ALGORITHMS:
        raise HeadRefused("a head is signed with an asymmetric key")
    return jws.sign_compact(jws.encode_header(key.algorithm, key.kid, TYP), _codec.encode(head), key)


def digest_of(signed: str) -> str:
    """Return the digest by which the next head names this one. Raises: ValueError."""
    _, payload, _ = jws.split_compact(signed)
    return hashlib.sha256(_DOMAIN + base64url.decode(payload)).hexdigest()


def number_of(signed: str) -> int:
    """Return the number of the batch that a head is of, before anything of it is believed. Raises: ValueError."""
    _, payload, _ = jws.split_compact(signed)
    return _codec.decode(base64url.decode(payload)).number


def kid_of(signed: str) -> str | None:
    """Return the kid that a head names, before anything of it is believed. Raises: ValueError."""
    return jws.read_header(jws.split_compact(signed)[0]).kid


def read(signed: str, public_jwk: Mapping[str, object]) -> Head:
    """Open a head that this key signed. The key must be the one that the head names by its thumbprint (RFC 7638).

    Raises: HeadRefused (ValueError).
    """
    try:
        key = import_verifying_key(public_jwk)
        payload = jws.verify_compact(signed, key)
        header = jws.read_header(jws.split_compact(signed)[0])
        head = _codec.decode(payload)
        times.parse(head.sealed_at)
    except ValueError as fault:
        raise HeadRefused(f"the head cannot be verified: {fault}") from None
    if key.algorithm not in ALGORITHMS or header.typ != TYP:
        raise HeadRefused("it is signed, but it is no head of an audit log")
    if header.kid != thumbprint(public_jwk):
        raise HeadRefused("the head names another key than the one that is given")
    return head


def public_jwk_text(key: SigningKey) -> str:
    """Return what a verifier needs of a key, as JSON."""
    return json.dumps(key.verifying_key.public_jwk())
