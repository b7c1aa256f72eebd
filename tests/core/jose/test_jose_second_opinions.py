"""PyJWT and joserfc read what we write, and we read what they write."""

import json

import jwt
import pytest
from jose_keys import PRIVATE_KEYS, SECRET
from jose_tokens import PAYLOAD
from joserfc import jws as joserfc_jws
from joserfc.jwk import import_key

from guestpass.core.jose.jwk import import_signing_key, thumbprint
from guestpass.core.jose.jws import encode_header, sign_compact, verify_compact


def public_jwk_of(key):
    """What a verifier is given: the secret itself, or the public key."""
    return key.private_jwk() if key.algorithm == "HS256" else key.verifying_key.public_jwk()


def our_token(key):
    return sign_compact(encode_header(key.algorithm, key.kid, "at+jwt"), PAYLOAD, key)


def test_pyjwt_accepts_our_tokens(key):
    """With our JWK and nothing else."""
    read = jwt.decode(our_token(key), jwt.PyJWK(public_jwk_of(key)).key, [key.algorithm], {"verify_exp": False})
    assert read == json.loads(PAYLOAD)


def test_we_accept_the_tokens_of_pyjwt(key):
    """Its header is in another order, and has the typ JWT."""
    private_key = SECRET if key.algorithm == "HS256" else PRIVATE_KEYS[key.algorithm]
    token = jwt.encode(json.loads(PAYLOAD), private_key, key.algorithm, headers={"kid": key.kid})
    assert json.loads(verify_compact(token, key.verifying_key)) == json.loads(PAYLOAD)


# RFC 9864 gives EdDSA with Ed25519 a name of its own; PyJWT, jose and jsonwebtoken know the old one.
old_name_of_eddsa = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")


@old_name_of_eddsa
def test_joserfc_accepts_our_tokens(key):
    """With our JWK and nothing else."""
    their_key = import_key(public_jwk_of(key))
    read = joserfc_jws.deserialize_compact(our_token(key), their_key, algorithms=[key.algorithm])
    assert read.payload == PAYLOAD


@old_name_of_eddsa
def test_we_accept_the_tokens_of_joserfc(key):
    """Made with our private JWK."""
    their_key = import_key(key.private_jwk())
    token = joserfc_jws.serialize_compact({"alg": key.algorithm}, PAYLOAD, their_key, algorithms=[key.algorithm])
    assert verify_compact(token, key.verifying_key) == PAYLOAD


def test_joserfc_writes_jwks_that_we_admit(key):
    """Their private JWK is a key of ours, with the same thumbprint (RFC 7638)."""
    their_key = import_key(key.private_jwk())
    again = import_signing_key(their_key.as_dict(private=True))
    assert again.private_jwk() == key.private_jwk()
    assert their_key.thumbprint() == thumbprint(key.private_jwk())
