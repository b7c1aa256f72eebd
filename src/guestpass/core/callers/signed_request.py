"""Signed requests: an HMAC-SHA256 over what is sent, under the secret of an API key, so that the secret never travels.

The *canonical text* is five parts, joined by line feeds:

    METHOD
    path with query, exactly as sent
    timestamp, or timestamp.nonce, or timestamp.nonce.idempotency-key
    content type as sent; empty without a body
    raw body

The body is last and no other part can hold a line feed, so no two requests share a text: nothing that one part
says can be re-cut into another. ``spec/vectors/signatures.json`` holds every language to this.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from guestpass.core import times
from guestpass.errors import Detail, GuestpassError, Unauthorized, ValidationFailed

WINDOW_SECONDS = 300  # either way, in whole seconds of both clocks
SIGNING_HEADERS = frozenset({b"x-api-key", b"x-api-timestamp", b"x-api-nonce", b"x-api-signature"})

_COVERED_HEADERS = SIGNING_HEADERS | {b"idempotency-key", b"content-type"}
_METHOD = re.compile(r"[A-Z]+")
_LINE_BREAK = re.compile(rb"[\r\n]")


class _Shape(NamedTuple):
    pattern: re.Pattern[str]
    rule: str

    def holds(self, text: str) -> bool:
        return self.pattern.fullmatch(text) is not None


_KEY_ID = _Shape(re.compile(r"key_[0-9a-z]{26}"), "must be the id of an API key, key_…; its secret is never sent")
_TIMESTAMP = _Shape(re.compile(r"[1-9][0-9]{9}"), "must be Unix seconds, ten digits")
_NONCE = _Shape(re.compile(r"[A-Za-z0-9_-]{16,64}"), "must be 16 to 64 of A-Za-z0-9_-")
_IDEMPOTENCY_KEY = _Shape(re.compile(r"[\x21-\x7e]{1,255}"), "must be 1 to 255 visible ASCII characters")
_SIGNATURE = _Shape(re.compile(r"[0-9a-f]{64}"), "must be 64 lower-case hex characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedParts:
    """What a signature covers.

    Attributes:
        method: Upper case.
        path: With its query, byte for byte as it is sent.
        timestamp: Unix seconds, ten digits.
        nonce: 16 to 64 of ``A-Za-z0-9_-``.
        idempotency_key: 1 to 255 visible ASCII characters; needs a nonce.
        content_type: As it is sent; counts only beside a body.
    """

    method: str
    path: bytes
    timestamp: int
    nonce: str | None = None
    idempotency_key: str | None = None
    content_type: bytes = b""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the headers of a signed request say, each in its right shape. Nothing of it is proven yet."""

    key_id: str
    timestamp: int
    nonce: str | None
    idempotency_key: str | None
    content_type: bytes
    signature: str

    def parts(self, method: str, path: bytes, body: bytes) -> SignedParts:
        """Return what the signature must cover for a request that arrived like this."""
        return SignedParts(
            method=method,
            path=path,
            timestamp=self.timestamp,
            nonce=self.nonce,
            idempotency_key=self.idempotency_key,
            content_type=self.content_type,
            body=body,
        )


def canonical_text(parts: SignedParts) -> bytes:
    """Return the text that is signed. Raises: ValueError naming a part that breaks its rule."""
    if not _METHOD.fullmatch(parts.method):
        raise ValueError("method must be upper-case letters")
    if not parts.path.startswith(b"/") or _LINE_BREAK.search(parts.path):
        raise ValueError("path must begin with / and hold no line break")
    content_type = parts.content_type if parts.body else b""
    if _LINE_BREAK.search(content_type):
        raise ValueError("content_type must be one line")
    return b"\n".join((parts.method.encode(), parts.path, _third_line(parts).encode(), content_type, parts.body))


def signature_of(secret: str, parts: SignedParts) -> str:
    """Return the value of ``X-API-Signature``: 64 lower-case hex characters.

    ``secret`` is the whole ``sk_…``; its ASCII bytes are the key. Raises: ValueError as ``canonical_text`` does.
    """
    return hmac.digest(secret.encode("ascii"), canonical_text(parts), hashlib.sha256).hex()


def fits(signature: str, parts: SignedParts, secret: str) -> bool:
    """Say whether ``secret`` made this signature of these parts; in time that tells nothing of either.

    Raises: ValueError where no signature could cover such parts.
    """
    return hmac.compare_digest(signature_of(secret, parts).encode(), signature.encode())


def read_proof(headers: Iterable[tuple[bytes, bytes]]) -> Proof:
    """Return what the headers of a signed request say. Names are lower case.

    Raises: ValidationFailed where one that is signed was sent twice, or Idempotency-Key is none; Unauthorized where
    one of the rest is missing or misshapen.
    """
    found: dict[bytes, str] = {}
    for name, value in headers:
        if name in _COVERED_HEADERS:
            if name in found:
                raise _at_fault(
                    ValidationFailed, _shown(name), "was sent more than once; which one was signed cannot be told"
                )
            found[name] = value.decode("latin-1")
    key, nonce = found.get(b"idempotency-key"), found.get(b"x-api-nonce")
    if key is not None and not _IDEMPOTENCY_KEY.holds(key):
        raise _at_fault(ValidationFailed, "Idempotency-Key", _IDEMPOTENCY_KEY.rule)
    if key is not None and nonce is None:
        raise _at_fault(Unauthorized, "X-API-Nonce", "is required beside Idempotency-Key in a signed request")
    return Proof(
        key_id=_text(found, b"x-api-key", _KEY_ID),
        timestamp=int(_text(found, b"x-api-timestamp", _TIMESTAMP)),
        nonce=None if nonce is None else _text(found, b"x-api-nonce", _NONCE),
        idempotency_key=key,
        content_type=found.get(b"content-type", "").encode("latin-1"),
        signature=_text(found, b"x-api-signature", _SIGNATURE),
    )


def check_window(timestamp: int, now: float) -> None:
    """Raises: Unauthorized where ``timestamp`` is over 300 s from ``now``, by the seconds that both clocks show."""
    seconds = timestamp - int(now)
    if abs(seconds) > WINDOW_SECONDS:
        clocks = f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} the server's clock"
        rule = f"is {clocks}, which says {times.of_seconds(int(now))}; at most {WINDOW_SECONDS} s are allowed"
        raise _at_fault(Unauthorized, "X-API-Timestamp", rule)


def _third_line(parts: SignedParts) -> str:
    timestamp = str(parts.timestamp)
    if not _TIMESTAMP.holds(timestamp):
        raise ValueError(f"timestamp {_TIMESTAMP.rule}")
    if parts.nonce is None:
        if parts.idempotency_key is not None:
            raise ValueError("an idempotency_key needs a nonce")
        return timestamp
    if not _NONCE.holds(parts.nonce):
        raise ValueError(f"nonce {_NONCE.rule}")
    if parts.idempotency_key is None:
        return f"{timestamp}.{parts.nonce}"
    if not _IDEMPOTENCY_KEY.holds(parts.idempotency_key):
        raise ValueError(f"idempotency_key {_IDEMPOTENCY_KEY.rule}")
    return f"{timestamp}.{parts.nonce}.{parts.idempotency_key}"  # a nonce has no dot: the key begins after the second


def _text(found: dict[bytes, str], name: bytes, shape: _Shape) -> str:
    text = found.get(name)
    if text is None:
        raise _at_fault(Unauthorized, _shown(name), "is required in a signed request")
    if not shape.holds(text):
        raise _at_fault(Unauthorized, _shown(name), shape.rule)
    return text


def _shown(name: bytes) -> str:
    return name.decode().title().replace("Api", "API")


def _at_fault(kind: type[GuestpassError], header: str, rule: str) -> GuestpassError:
    return kind(f"{header} {rule}.", details=(Detail(header, rule),))
