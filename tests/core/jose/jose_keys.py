"""One key of each algorithm, made once for the whole run."""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from guestpass.core.jose import jwk

PRIVATE_KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65_537, 2048),
}
SECRET = bytes(range(100, 132))
SIGNING_KEYS = {name: jwk.signing_key_from_private(key) for name, key in PRIVATE_KEYS.items()}
SIGNING_KEYS["HS256"] = jwk.hmac_key(SECRET, kid="shared")
EC, OKP, RSA, OCT = (SIGNING_KEYS[name].private_jwk() for name in ("ES256", "EdDSA", "RS256", "HS256"))
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi"}


def public(jwk):
    """The public part of a JWK."""
    return without(jwk, *PRIVATE_MEMBERS)


def without(jwk, *names):
    return {name: value for name, value in jwk.items() if name not in names}
