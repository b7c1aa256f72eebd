"""Key sets: what an issuer publishes, and when it is too ambiguous to use."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jose_keys import EC, OCT, OKP, RSA, public

from guestpass.core.jose.jwk import KeyRefused, signing_key_from_private
from guestpass.core.jose.jwks import import_key_set

OTHER = signing_key_from_private(ec.generate_private_key(ec.SECP256R1()))
PUBLIC = [public(EC), public(OKP), public(RSA)]


def test_a_key_set_is_read_in_order():
    """All admitted keys, as published."""
    assert [key.kid for key in import_key_set({"keys": PUBLIC, "more": 1})] == [jwk["kid"] for jwk in PUBLIC]
    assert import_key_set({"keys": []}) == ()
    assert [key.algorithm for key in import_key_set({"keys": [OCT]})] == ["HS256"]


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({"kty": "AKP", "alg": "ML-DSA-44", "kid": "q"}, id="of a type to come"),
        pytest.param(public(EC) | {"use": "enc", "kid": "e"}, id="for encryption"),
        pytest.param(public(EC) | {"x": EC["y"], "y": EC["x"], "kid": "b"}, id="off the curve"),
        pytest.param(OTHER.private_jwk(), id="that lost its private part"),
        pytest.param({}, id="that is empty"),
        pytest.param({"kty": "oct", "k": "short", "kid": "s"}, id="secret, and too short to be admitted"),
    ],
)
def test_a_key_that_is_not_admitted_is_left_out_of_the_set(jwk):
    """RFC 7517 section 5: the others go on; an issuer can add keys of kinds that we do not know."""
    assert [key.kid for key in import_key_set({"keys": [public(EC), jwk]})] == [EC["kid"]]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param([], "a key set is an object", id="an array"),
        pytest.param(None, "a key set is an object", id="null"),
        pytest.param({}, "a key set is an object", id="no keys"),
        pytest.param({"keys": {}}, "a key set is an object", id="keys is an object"),
        pytest.param({"keys": [public(EC), "key"]}, "a key set is an object", id="a key is text"),
        pytest.param({"keys": [{}] * 101}, "at most 100", id="101 keys"),
        pytest.param(
            {"keys": [public(EC), OTHER.verifying_key.public_jwk() | {"kid": EC["kid"]}]},
            "one kid",
            id="one kid on two keys",
        ),
        pytest.param(
            {"keys": [public(EC), public(OKP) | {"use": "enc", "kid": EC["kid"]}]},
            "one kid",
            id="one kid on two keys, one not ours",
        ),
        pytest.param({"keys": [public(EC), OCT]}, "a secret beside public keys", id="a secret beside public keys"),
    ],
)
def test_an_ambiguous_set_is_refused_whole(document, reason):
    """Where it is not clear which key a token means, none is used."""
    with pytest.raises(KeyRefused, match=reason):
        import_key_set(document)
