"""The claims of a session or access token, and how they are written and read.

Wire rule: fields are only ever added, always with a default, and never before an old one; a changed
meaning gets a new name. A verifier ignores claims that it does not know. An absent ``scope`` means
that nothing is allowed.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from guestpass.core.bounds import JSON_INTEGER_MAX
from guestpass.core.revocation.cut_list import TAG_CHARACTERS, TAGS_MAX
from guestpass.core.strict_struct import StrictCodec, UnixSeconds

Tag = Annotated[str, Meta(min_length=TAG_CHARACTERS, max_length=TAG_CHARACTERS)]


class StatusListEntry(Struct, frozen=True, kw_only=True, gc=False):
    idx: Annotated[int, Meta(ge=0, le=JSON_INTEGER_MAX)]
    uri: str


class Status(Struct, frozen=True, kw_only=True, gc=False):
    """Where the token's status is published (Token Status List, section 6.1).

    ``cuts``: the tags by which the issuer's cut list may name this token; a mechanism of our own.
    """

    status_list: StatusListEntry
    cuts: Annotated[tuple[Tag, ...], Meta(max_length=TAGS_MAX)] | UnsetType = UNSET


class SessionClaims(Struct, frozen=True, kw_only=True, gc=False):
    """RFC 7519 section 4.1 and RFC 9068 section 2.2; times are whole Unix seconds."""

    iss: str
    aud: str
    sub: str  # externalUserId
    iat: UnixSeconds
    exp: UnixSeconds  # invalid from this second on (RFC 7519 section 4.1.4)
    sid: str  # the session, for revocation
    jti: str
    client_id: str  # the API key that minted
    project_id: str
    environment: str
    scope: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    nbf: UnixSeconds | UnsetType = UNSET
    organization_id: str | UnsetType = UNSET
    max_uses: Annotated[int, Meta(ge=1, le=JSON_INTEGER_MAX)] | UnsetType = UNSET


_codec = StrictCodec(SessionClaims)


def encode(claims: SessionClaims) -> bytes:
    return _codec.encode(claims)


def decode(payload: bytes) -> SessionClaims:
    """Read the payload of a token whose signature holds.

    Raises:
        ValueError: It is not one strict JSON object with these claims: a missing claim, a time that is
            a string, a fraction, negative or beyond 2^53, an audience that is an array, a duplicate member.
    """
    return _codec.decode(payload)
