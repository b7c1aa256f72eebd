"""Writes tokens for the vectors, right ones and wrong ones. Imports nothing of Guestpass: a second opinion."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NOW = 1_700_000_000
BASE = "https://id.example"
ISSUER = f"{BASE}/test"
PROJECT = "proj_01hf7yat00000000000000000a"
OTHER_PROJECT = "proj_01hf7yat00000000000000000b"
SESSION = "sess_01hf7yb2m8d2s9v4q6zj3k5n7p"
SESSION_TYP, ACCESS_TYP = "guestpass-session+jwt", "at+jwt"
PREFIX, LIVE_PREFIX = "gp_session_test_", "gp_session_live_"

JWKS = {key["kid"]: key for key in json.loads(Path(__file__).with_name("test-keys.json").read_text("utf-8"))["keys"]}
GOOD: dict[str, object] = {
    "iss": ISSUER,
    "aud": ISSUER,
    "sub": "user_42",
    "iat": NOW - 60,
    "exp": NOW + 3540,
    "sid": SESSION,
    "jti": SESSION,
    "client_id": "key_01hf7yamszx8f3c5r2w9e6t4hg",
    "project_id": PROJECT,
    "environment": "test",
    "scope": "read_invoices write_notes",
    "status": {"status_list": {"idx": 412, "uri": f"{ISSUER}/status-lists/1"}},
}
TOKEN_BYTES_MAX = 3840
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi"})
_SHA256 = hashes.SHA256()


Vector = dict[str, Any]


def vector(name: str, text: str, code: str, *, keys: str = "own", expect: str = "server", now: int = NOW) -> Vector:
    return {"name": name, "token": text, "keys": keys, "expect": expect, "now": now, "code": code}


def vector_of_parts(name: str, parts: Iterable[tuple[str, int]], code: str) -> Vector:
    """A token that is too long to be written out."""
    one = vector(name, "", code)
    return {"name": name, "tokenParts": [list(part) for part in parts]} | without(one, "name", "token")


def public(kid: str) -> dict[str, str]:
    return {name: value for name, value in JWKS[kid].items() if name not in _PRIVATE}


def without(values: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in values.items() if name not in names}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def segment(value: object) -> str:
    """Encode bytes as they are, anything else as JSON."""
    return encode(value if isinstance(value, bytes) else to_json(value))


def header_of(kid: str = "es256", typ: str = SESSION_TYP, **changed: object) -> dict[str, object]:
    return {"alg": JWKS[kid]["alg"], "kid": kid, "typ": typ} | changed


def claims(**changed: object) -> dict[str, object]:
    return GOOD | changed


def token(header: object = None, payload: object = None, *, by: str = "es256", prefix: str = "") -> str:
    """Sign with the key ``by``, whatever the header says; header and payload are values, or raw bytes."""
    header = header_of(by) if header is None else header
    payload = GOOD if payload is None else payload
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{prefix}{signed}.{encode(sign(by, signed.encode()))}"


def sign(kid: str, data: bytes) -> bytes:
    """Sign the same bytes always to the same signature (ECDSA: RFC 6979)."""
    jwk = JWKS[kid]
    if jwk["alg"] == "HS256":
        return hmac.digest(decode(jwk["k"]), data, hashlib.sha256)
    key = private_key(kid)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(sign_der(kid, data))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        return bytes(key.sign(data, padding.PKCS1v15(), _SHA256))
    return bytes(key.sign(data))


def sign_der(kid: str, data: bytes) -> bytes:
    return bytes(private_key(kid).sign(data, ec.ECDSA(_SHA256, deterministic_signing=True)))


def private_key(kid: str) -> Any:
    jwk = JWKS[kid]
    if jwk["kty"] == "EC":
        return ec.derive_private_key(_number(jwk["d"]), ec.SECP256R1())
    if jwk["kty"] == "OKP":
        return ed25519.Ed25519PrivateKey.from_private_bytes(decode(jwk["d"]))
    d, p, q, dp, dq, qi, e, n = (_number(jwk[name]) for name in ("d", "p", "q", "dp", "dq", "qi", "e", "n"))
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n)).private_key()


def public_bytes(kid: str, encoding: serialization.Encoding) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(private_key(kid).public_key().public_bytes(encoding, form))


def macced(header: object, secret: bytes) -> str:
    """Seal the good claims with HMAC under any secret."""
    signed = f"{segment(header)}.{segment(GOOD)}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def resigned(text: str, signature: bytes) -> str:
    """Put another signature in place of a token's own."""
    return f"{text.rpartition('.')[0]}.{encode(signature)}"


def _number(text: str) -> int:
    return int.from_bytes(decode(text), "big")
