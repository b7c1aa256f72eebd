"""What an issuer publishes about endings: signed, named by its address, and good for a while.

    ValueError
    └── PublishedRefused          a document that must not be used; the text says why, for a log
        └── PublishedKeyUnknown   signed by a key that is not known here: it may be a new one

Two kinds: status lists, and the cut list. The server seals them, verifiers open them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from guestpass.core.bounds import JSON_INTEGER_MAX, LEEWAY_SECONDS_MAX
from guestpass.core.jose import base64url, jws
from guestpass.core.jose.jwk import Algorithm, SigningKey, VerifyingKey
from guestpass.core.strict_struct import UnixSeconds
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import Kind

ALGORITHMS = frozenset[Algorithm]({"ES256", "EdDSA", "RS256"})  # never a secret: who checks a list could write one


class PublishedRefused(ValueError):
    """The document must not be used."""


class PublishedKeyUnknown(PublishedRefused):
    """The document names a key that is not in the key set."""


class Published(Struct, frozen=True, kw_only=True):
    """The claims that every document has (Token Status List, section 5.1).

    Attributes:
        sub: The address at which it is published.
        exp: Unix seconds; not to be used from this second on.
        ttl: Seconds after which a copy is to be fetched again.
    """

    sub: str
    iat: UnixSeconds
    exp: UnixSeconds
    ttl: Annotated[int, Meta(ge=1, le=JSON_INTEGER_MAX)]


def seal(payload: bytes, kind: Kind, key: SigningKey) -> str:
    """Sign a document. Raises: PublishedRefused for an HS256 key."""
    if key.algorithm not in ALGORITHMS or kind.typ is None:
        raise PublishedRefused("a published document is signed with an asymmetric key")
    return jws.sign_compact(jws.encode_header(key.algorithm, key.kid, kind.typ), payload, key)


def open_sealed(text: str, kind: Kind, keys: KeySet, *, length_max: int) -> bytes:
    """Return the payload of a document that one of ``keys`` signed, whatever it says of itself.

    A compact JWS of more than ``length_max`` characters is refused unread.

    Raises: PublishedRefused (ValueError).
    """
    if len(text) > length_max:
        raise PublishedRefused(f"it is longer than {length_max} characters")
    signed, _, signature = text.rpartition(".")
    header, _, payload = signed.partition(".")
    sealed = keys.by_header.get(header)
    try:
        key, typ = (sealed.key, sealed.kind.typ) if sealed else _named(jws.read_header(header), keys)
        octets = base64url.decode(payload)
    except PublishedRefused:
        raise
    except ValueError as fault:
        raise PublishedRefused(str(fault)) from None
    if typ != kind.typ:
        raise PublishedRefused(f"its type is not {kind.typ}")
    if key.algorithm not in ALGORITHMS:
        raise PublishedRefused("it is sealed with a secret")
    if not key.verifies_segment(signed.encode(), signature):
        raise PublishedRefused("its signature does not fit")
    return octets


def _named(header: jws.Header, keys: KeySet) -> tuple[VerifyingKey, str | None]:
    key = keys.by_kid.get(header.kid or "")
    if key is None:
        raise PublishedKeyUnknown("it names a key that the issuer does not publish")
    if key.algorithm != header.alg:
        raise PublishedRefused("it names an algorithm that is not its key's")
    return key, header.typ


def check_place_and_time(document: Published, *, uri: str, now: int) -> None:
    """Refuse a document of another address, one that is over, and one from the future.

    Raises: PublishedRefused.
    """
    if document.sub != uri:
        raise PublishedRefused("it is the document of another address")
    if now >= document.exp:
        raise PublishedRefused(f"it expired {now - document.exp} s ago by this verifier's clock")
    if document.iat - now > LEEWAY_SECONDS_MAX:
        raise PublishedRefused(f"it begins {document.iat - now} s from now by this verifier's clock")
