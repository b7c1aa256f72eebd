"""Signed lists, right ones and wrong ones."""

import json

from cryptography.hazmat.primitives.asymmetric import ec

from guestpass.core.jose.jwk import signing_key_from_private
from guestpass.core.jose.jws import encode_header, sign_compact
from guestpass.core.tokens.keys import KeySet

IAT = 1_893_456_000
URI = "https://id.example/test/status-lists/7"
KEY = signing_key_from_private(ec.generate_private_key(ec.SECP256R1()))
EVIL = signing_key_from_private(ec.generate_private_key(ec.SECP256R1()))
KEYS = KeySet([KEY.verifying_key])


def sealed(typ="statuslist+jwt", without=None, **changed):
    """A status list with these claims in place of the right ones, under a signature that holds."""
    claims = {
        "sub": URI,
        "iat": IAT,
        "exp": IAT + 3600,
        "ttl": 5,
        "status_list": {"bits": 2, "lst": "eNpjYAAAAAIAAQ"},
    } | changed
    claims.pop(without, None)
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return sign_compact(encode_header(KEY.algorithm, KEY.kid, typ), payload, KEY)
