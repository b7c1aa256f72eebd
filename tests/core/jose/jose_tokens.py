"""Makes tokens, right ones and ones whose signature is right while their header is not."""

import json

from jose_keys import SIGNING_KEYS

from guestpass.core.jose import base64url
from guestpass.core.jose.jws import encode_header, sign_compact

ES256, HS256 = SIGNING_KEYS["ES256"], SIGNING_KEYS["HS256"]
PAYLOAD = b'{"sub":"ada","exp":1}'


def segment(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64url.encode(raw)


def good_token(key=ES256):
    return sign_compact(encode_header(key.algorithm, key.kid, "at+jwt"), PAYLOAD, key)


def signed_under(header, key=ES256):
    """A token whose signature is right, whatever its header says."""
    return sign_compact(segment(header), PAYLOAD, key)
