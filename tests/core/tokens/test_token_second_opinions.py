"""PyJWT, joserfc and Authlib accept every good token of ours, with keys from our JWKS and nothing else."""

import json
import warnings

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet as JoserfcKeySet
from token_making import ISSUER, NOW, PREFIX, SIGNING_KEYS, code_of, look, minted, signed
from token_vectors import GOOD, each

from guestpass.core.jose import base64url
from guestpass.core.tokens import kinds

with warnings.catch_warnings(record=True):  # Authlib points to joserfc, its successor; it is an opinion all the same
    from authlib.jose import JsonWebKey, JsonWebToken

# RFC 9864 gives EdDSA with Ed25519 a name of its own; PyJWT, jose and jsonwebtoken know the old one.
old_name_of_eddsa = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
authlib_looks_ahead = pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning")

PUBLIC_KIDS = ("es256", "eddsa", "rs256")
OUR_JWKS = {"keys": [SIGNING_KEYS[kid].verifying_key.public_jwk() for kid in PUBLIC_KIDS]}
OUR_SECRET = {"keys": [SIGNING_KEYS["hs256"].private_jwk()]}
FORMS = {
    "plain": {},
    "with nbf": {"nbf": NOW - 1},
    "with an organization": {"organization_id": "org_7"},
    "with max_uses": {"max_uses": 3},
    "unrestricted": {"scope": "*"},
    "with nothing allowed": {"scope": ""},
    "with names beyond ASCII": {"sub": "zoë 🦉"},
    "an access token": {"kind": kinds.ACCESS},
}
OURS = [
    pytest.param(kid, minted(kid, **changed), id=f"{kid} {form}")
    for kid in (*PUBLIC_KIDS, "hs256")
    for form, changed in FORMS.items()
]


def jwks_for(kid):
    return OUR_SECRET if kid == "hs256" else OUR_JWKS


def by_pyjwt(token, jwks, audience):
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWKSet.from_dict(jwks)[kid]
    # It has no clock of ours: times are checked by the two others.
    no_clock = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    return jwt.decode(token, key, [key.algorithm_name], no_clock, audience=audience, issuer=audience)


def by_joserfc(token, jwks, audience, now):
    algorithms = [key["alg"] for key in jwks["keys"]]
    decoded = joserfc_jwt.decode(token, JoserfcKeySet.import_key_set(jwks), algorithms=algorithms)
    essential = {name: {"essential": True, "value": audience} for name in ("iss", "aud")}
    joserfc_jwt.JWTClaimsRegistry(now=now, leeway=5, **essential).validate(decoded.claims)
    return decoded.claims


def by_authlib(token, jwks, audience, now):
    essential = {name: {"essential": True, "value": audience} for name in ("iss", "aud")}
    keys = JsonWebKey.import_key_set(jwks)
    claims = JsonWebToken([key["alg"] for key in jwks["keys"]]).decode(token, keys, claims_options=essential)
    claims.validate(now=now, leeway=5)
    return dict(claims)


@old_name_of_eddsa
@authlib_looks_ahead
@pytest.mark.parametrize(("kid", "token"), OURS)
def test_the_others_accept_what_we_mint(kid, token):
    """And read the same claims from it."""
    written = json.loads(base64url.decode(token.split(".")[1]))
    jwks = jwks_for(kid)
    assert by_pyjwt(token, jwks, ISSUER) == written
    assert by_joserfc(token, jwks, ISSUER, NOW) == written
    assert by_authlib(token, jwks, ISSUER, NOW) == written


@old_name_of_eddsa
@authlib_looks_ahead
@each(GOOD)
def test_the_others_accept_every_good_vector(vector):
    """The vectors ask for nothing that only we would understand."""
    token = vector.token.removeprefix(vector.expect.prefix)
    written = json.loads(base64url.decode(token.split(".")[1]))
    audience, issuer = vector.expect.audience, vector.expect.issuer
    if audience == issuer:
        assert by_pyjwt(token, vector.jwks, issuer) == written
        assert by_joserfc(token, vector.jwks, issuer, min(vector.now, written["exp"])) == written
        assert by_authlib(token, vector.jwks, issuer, min(vector.now, written["exp"])) == written


@pytest.mark.parametrize("kid", PUBLIC_KIDS)
def test_we_accept_what_pyjwt_writes_with_our_key(kid):
    """Its header has another order of members: it is parsed, and found to mean the same."""
    claims = json.loads(base64url.decode(minted(kid).split(".")[1]))
    key = jwt.PyJWK(SIGNING_KEYS[kid].private_jwk())
    headers = {"kid": kid, "typ": "at+jwt"}
    token = jwt.encode(claims, key, key.algorithm_name, headers=headers)
    assert code_of(look(token)) == "ok"
    assert code_of(look(PREFIX + token)) == "TOKEN_TYPE_MISMATCH"
    assert code_of(look(signed({"typ": "at+jwt", "kid": kid, "alg": key.algorithm_name}, claims, kid))) == "ok"
