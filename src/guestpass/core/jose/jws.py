"""JWS in compact form, strict (RFC 7515 sections 3.1, 5.1, 5.2, 7.1).

    ValueError
    ├── Malformed             not a compact JWS
    │   └── HeaderRefused     it is one, but its header asks for what we never do
    ├── AlgorithmRefused      its algorithm is not the key's
    └── SignatureInvalid      its signature does not fit

The errors stay inside: the token layer turns them into codes.
"""

from __future__ import annotations

import json

import msgspec

from guestpass.core import strict_json
from guestpass.core.bounds import TOKEN_BYTES_MAX
from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import KID_LENGTH_MAX, Algorithm, SigningKey, VerifyingKey

HEADER_BYTES_MAX = 2048  # of the decoded header: a kid and a typ at their limits fit
ALG_LENGTH_MAX = 32  # characters
TYP_LENGTH_MAX = 128  # characters
HEADER_DEPTH_MAX = 4

_PARTS = 3

# crit and b64 change what is signed (RFC 7797), zip and enc and the p2 names what is read, the rest
# brings a key or an address of one along. None is ever followed, so none may be there.
REFUSED_HEADER_NAMES = frozenset({
    "crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "epk", "apu", "apv", "iv", "tag",
    "p2s", "p2c",
})  # fmt: skip


class Malformed(ValueError):
    """The text is not a compact JWS, or not within our limits."""


class HeaderRefused(Malformed):
    """The header holds one of ``REFUSED_HEADER_NAMES``."""


class AlgorithmRefused(ValueError):
    """The header names another algorithm than the one the key is for (``none`` is no exception)."""


class SignatureInvalid(ValueError):
    """The signature does not fit the header, the payload and the key."""


class Header(msgspec.Struct, frozen=True):
    """The protected header, as far as we use it. Other harmless members are ignored (RFC 7515 section 4)."""

    alg: str
    kid: str | None = None
    typ: str | None = None


def split_compact(token: str) -> tuple[str, str, str]:
    """Return header, payload and signature segment of a compact JWS; only the signature may be empty.

    Args:
        token: ASCII, at most ``TOKEN_BYTES_MAX`` (3840); longer is refused unread.

    Raises: Malformed (ValueError).
    """
    if len(token) > TOKEN_BYTES_MAX or not token.isascii():
        raise Malformed("longer than a token may be, or not ASCII")
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise Malformed("not three parts")
    header, payload, signature = parts
    if not header or not payload:
        raise Malformed("the header or the payload is empty")
    return header, payload, signature


def read_header(segment: str) -> Header:
    """Read a header segment: strict base64url, a strict JSON object, strings of bounded length.

    Nothing is trusted by this: it tells what the token claims. Nothing is ever fetched.

    Raises: Malformed, or its kind HeaderRefused for a member of ``REFUSED_HEADER_NAMES``.
    """
    if len(segment) * 3 // 4 > HEADER_BYTES_MAX:
        raise Malformed("the header is too long")
    try:
        members = strict_json.loads(base64url.decode(segment), depth_max=HEADER_DEPTH_MAX)
    except ValueError as fault:
        raise Malformed(f"the header cannot be read: {fault}") from None
    if not isinstance(members, dict):
        raise Malformed("the header is not an object")
    alg = _text_of(members, "alg", ALG_LENGTH_MAX)
    if alg is None:
        raise Malformed("the header has no alg")
    refused = REFUSED_HEADER_NAMES.intersection(members)
    if refused:
        raise HeaderRefused(f"the header holds {', '.join(sorted(refused))}")
    return Header(alg, _text_of(members, "kid", KID_LENGTH_MAX), _text_of(members, "typ", TYP_LENGTH_MAX))


def encode_header(algorithm: Algorithm, kid: str, typ: str) -> str:
    """Return the header segment: the same text for the same values, so that it can be looked up whole."""
    header = json.dumps({"alg": algorithm, "kid": kid, "typ": typ}, separators=(",", ":"), ensure_ascii=False)
    return base64url.encode(header.encode())


def sign_compact(header_segment: str, payload: bytes, key: SigningKey) -> str:
    """Return a compact JWS. The header segment must be the one made for ``key``; its size is not checked."""
    signing_input = f"{header_segment}.{base64url.encode(payload)}"
    return f"{signing_input}.{base64url.encode(key.sign(signing_input.encode('ascii')))}"


def verify_compact(token: str, key: VerifyingKey) -> bytes:
    """Return the payload of a compact JWS that ``key`` signed (RFC 7515 section 5.2).

    The caller has chosen the key, and the key its algorithm: ``kid`` and ``typ`` decide nothing here.

    Raises: Malformed (HeaderRefused), AlgorithmRefused, SignatureInvalid (all ValueError).
    """
    header_segment, payload_segment, signature_segment = split_compact(token)
    header = read_header(header_segment)
    if header.alg != key.algorithm:
        raise AlgorithmRefused(f"the key is for {key.algorithm}")
    try:
        payload = base64url.decode(payload_segment)
    except ValueError:
        raise Malformed("the payload is not strict base64url") from None
    if not key.verifies_segment(f"{header_segment}.{payload_segment}".encode("ascii"), signature_segment):
        raise SignatureInvalid("the signature does not fit")
    return payload


def _text_of(members: dict[str, object], name: str, length_max: int) -> str | None:
    if name not in members:
        return None
    value = members[name]
    if not isinstance(value, str) or not 0 < len(value) <= length_max:
        raise Malformed(f"{name} must be a string of 1 to {length_max} characters")
    return value
