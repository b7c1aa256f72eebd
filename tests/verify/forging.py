"""Tokens as an attacker would write them, from a good one and what he may know: public keys, and keys of his own."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from guestpass.core.jose import base64url

PREFIX = "gp_session_test_"
EVIL = "https://evil.example"


def parts(token):
    """Header and payload as values, the signature as bytes."""
    header, payload, signature = token.removeprefix(PREFIX).split(".")
    return json.loads(base64url.decode(header)), json.loads(base64url.decode(payload)), base64url.decode(signature)


def segment(value):
    return base64url.encode(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode())


def written(header, payload, signature=b"", *, prefix=PREFIX):
    return f"{prefix}{segment(header)}.{segment(payload)}.{base64url.encode(signature)}"


def signed(header, payload, key, *, prefix=PREFIX):
    """Under a signature that holds for ``key``, whatever the header says."""
    text = f"{segment(header)}.{segment(payload)}"
    return f"{prefix}{text}.{base64url.encode(key.sign(text.encode()))}"


def macced(header, payload, secret):
    text = f"{segment(header)}.{segment(payload)}"
    return f"{PREFIX}{text}.{base64url.encode(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def public_forms(key):
    """What anyone can make of a public key: the bytes that a careless verifier takes for a secret."""
    if key.algorithm == "HS256":
        return [b"", b"secret", key.kid.encode()]
    jwk = key.verifying_key.public_jwk()
    public = key.verifying_key.key
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, info)
    values = [value for name, value in jwk.items() if name in {"x", "y", "n", "e"}]
    return [
        pem,
        pem.strip(),
        public.public_bytes(serialization.Encoding.DER, info),
        base64.b64encode(public.public_bytes(serialization.Encoding.DER, info)),
        json.dumps(jwk).encode(),
        json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode(),
        *(base64url.decode(value) for value in values),
        *(value.encode() for value in values),
        b"",
    ]


def der_of(signature):
    """An ES256 signature as other libraries write it."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return encode_dss_signature(r, s)
