"""Which keys are admitted, what a key may do, and what it tells of itself."""

import hmac

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from jose_keys import EC, OCT, OKP, PRIVATE_KEYS, PRIVATE_MEMBERS, RSA, SECRET, public, without

from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import (
    KeyRefused,
    hmac_key,
    import_signing_key,
    import_verifying_key,
    signing_key_from_private,
    thumbprint,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
OTHER = {
    "ES256": signing_key_from_private(ec.generate_private_key(ec.SECP256R1())),
    "RS256": signing_key_from_private(rsa.generate_private_key(65_537, 2048)),
}


def b64(number, size=32):
    return base64url.encode(number.to_bytes(size, "big"))


def resized(jwk, name, octets):
    """The same number with zero bytes in front."""
    return jwk | {name: base64url.encode(bytes(octets) + base64url.decode(jwk[name]))}


REFUSED_PUBLIC = [
    pytest.param({}, "kty must be", id="nothing"),
    pytest.param(without(public(EC), "kty"), "kty must be", id="no kty"),
    pytest.param(public(EC) | {"kty": 1}, "kty must be", id="kty is a number"),
    pytest.param(public(EC) | {"kty": "ec"}, "only EC P-256", id="kty in another case"),
    pytest.param(public(EC) | {"crv": "P-384"}, "only EC P-256", id="another curve"),
    pytest.param(public(EC) | {"crv": "secp256k1"}, "only EC P-256", id="the curve of a currency"),
    pytest.param(without(public(EC), "crv"), "crv must be", id="EC without crv"),
    pytest.param(public(OKP) | {"crv": "X25519"}, "only EC P-256", id="a curve for encryption"),
    pytest.param(public(OKP) | {"crv": "Ed448"}, "only EC P-256", id="Ed448"),
    pytest.param(public(EC) | {"crv": "Ed25519"}, "only EC P-256", id="a curve of another type"),
    pytest.param(public(EC) | {"use": "enc"}, "use must be", id="use is enc"),
    pytest.param(public(EC) | {"use": None}, "use must be", id="use is null"),
    pytest.param(public(EC) | {"use": ["sig"]}, "use must be", id="use is an array"),
    pytest.param(public(EC) | {"key_ops": []}, "key_ops must hold verify", id="key_ops is empty"),
    pytest.param(public(EC) | {"key_ops": ["sign"]}, "key_ops must hold verify", id="key_ops only signs"),
    pytest.param(public(EC) | {"key_ops": ["verify", "verify"]}, "twice", id="key_ops names one twice"),
    pytest.param(public(EC) | {"key_ops": ["verify", "deriveKey"]}, "nothing but", id="key_ops does more than use"),
    pytest.param(public(EC) | {"key_ops": "verify"}, "must be a list", id="key_ops is text"),
    pytest.param(public(EC) | {"key_ops": [["verify"]]}, "must be a list of strings", id="key_ops holds a list"),
    pytest.param(public(EC) | {"key_ops": None}, "must be a list", id="key_ops is null"),
    pytest.param(public(EC) | {"alg": "ES384"}, "alg must be", id="alg of another curve"),
    pytest.param(public(EC) | {"alg": "HS256"}, "alg must be", id="alg of a MAC on a public key"),
    pytest.param(public(EC) | {"alg": "none"}, "alg must be", id="alg is none"),
    pytest.param(public(EC) | {"alg": None}, "alg must be", id="alg is null"),
    pytest.param(public(RSA) | {"alg": "PS256"}, "alg must be", id="RSA for PS256"),
    pytest.param(OCT | {"alg": "HS512"}, "alg must be", id="a secret for HS512"),
    pytest.param(public(EC) | {"kid": ""}, "kid must be", id="kid is empty"),
    pytest.param(public(EC) | {"kid": "k" * 257}, "kid must be", id="kid of 257 characters"),
    pytest.param(public(EC) | {"kid": 7}, "kid must be", id="kid is a number"),
    pytest.param(public(EC) | {"kid": None}, "kid must be", id="kid is null"),
    pytest.param(public(EC) | {"kid": "a\nb"}, "kid must be", id="kid with a newline"),
    pytest.param(public(EC) | {"kid": "a\0"}, "kid must be", id="kid with a NUL"),
    pytest.param(public(EC) | {"kid": "\ud800"}, "kid must be", id="kid with a lone surrogate"),
    pytest.param(EC, "private key was given", id="a private EC key"),
    pytest.param(OKP, "private key was given", id="a private OKP key"),
    pytest.param(RSA, "private key was given", id="a private RSA key"),
    pytest.param(public(RSA) | {"d": None}, "private key was given", id="a private member that is null"),
    pytest.param(without(public(EC), "y"), "y must be", id="EC without y"),
    pytest.param(public(EC) | {"x": 5}, "x must be", id="x is a number"),
    pytest.param(public(EC) | {"x": EC["x"] + "="}, "x must be base64url", id="x with padding"),
    pytest.param(public(EC) | {"x": EC["x"] + "\n"}, "x must be base64url", id="x with a newline"),
    pytest.param(public(EC) | {"x": "A" * 10_000}, "x is too long", id="x of 10 000 characters"),
    pytest.param(resized(public(EC), "x", 1), "x must have 32 bytes", id="x with a leading zero byte"),
    pytest.param(public(EC) | {"x": EC["x"][:-3]}, "x must (have|be)", id="x too short"),
    pytest.param(public(EC) | {"x": b64(0), "y": b64(0)}, "not a point", id="the point at infinity as zeros"),
    pytest.param(public(EC) | {"x": EC["y"], "y": EC["x"]}, "not a point", id="x and y swapped"),
    pytest.param(public(EC) | {"x": b64(P256_FIELD)}, "not a point", id="x not below the field"),
    pytest.param(without(public(OKP), "x"), "x must be", id="OKP without x"),
    pytest.param(resized(public(OKP), "x", 1), "x must have 32 bytes", id="OKP x of 33 bytes"),
    pytest.param(
        public(OKP) | {"x": base64url.encode(b"\2" + bytes(31))}, "not a point of Ed25519", id="not on Ed25519"
    ),
    pytest.param(public(OKP) | {"x": base64url.encode(bytes(32))}, "not a point of Ed25519", id="order 4"),
    pytest.param(public(OKP) | {"x": base64url.encode(b"\1" + bytes(31))}, "not a point", id="the identity"),
    pytest.param(public(OKP) | {"x": base64url.encode(b"\xff" * 32)}, "not a point", id="y not below the field"),
    pytest.param(without(public(RSA), "n"), "n must be", id="RSA without n"),
    pytest.param(without(public(RSA), "e"), "e must be", id="RSA without e"),
    pytest.param(resized(public(RSA), "n", 1), "without leading zero", id="n with a leading zero byte"),
    pytest.param(resized(public(RSA), "e", 1), "without leading zero", id="e with a leading zero byte"),
    pytest.param(public(RSA) | {"n": ""}, "positive integer", id="n is empty"),
    pytest.param(public(RSA) | {"n": "Aw"}, "2048 to 8192 bits", id="n of two bits"),
    pytest.param(public(RSA) | {"n": b64(2**2047 - 1, 256)[1:]}, "n must|2048 to", id="n of 2047 bits"),
    pytest.param(public(RSA) | {"n": b64(2**8192 + 1, 1025)}, "2048 to 8192 bits", id="n of 8193 bits"),
    pytest.param(public(RSA) | {"n": b64(2**2048 - 2, 256)}, "modulus must be odd", id="n is even"),
    pytest.param(public(RSA) | {"e": "AQ"}, "exponent", id="e is 1"),
    pytest.param(public(RSA) | {"e": "Aw"}, "exponent", id="e is 3"),
    pytest.param(public(RSA) | {"e": b64(65_535, 2)}, "exponent", id="e is 65535"),
    pytest.param(public(RSA) | {"e": b64(65_538, 3)}, "exponent", id="e is even"),
    pytest.param(public(RSA) | {"e": b64(2**32 + 1, 5)}, "exponent", id="e above 2^32"),
    pytest.param(OCT | {"k": base64url.encode(SECRET[:31])}, "at least 32 bytes", id="a secret of 31 bytes"),
    pytest.param(OCT | {"k": base64url.encode(bytes(1025))}, "at most 1024 bytes", id="a secret of 1025 bytes"),
    pytest.param(without(OCT, "k"), "k must be", id="oct without k"),
]


@pytest.mark.parametrize(("jwk", "reason"), REFUSED_PUBLIC)
def test_a_key_that_breaks_a_rule_is_refused(jwk, reason):
    """Each rule of admission on its own; the reason names the rule."""
    with pytest.raises(KeyRefused, match=reason):
        import_verifying_key(jwk)


@pytest.mark.parametrize("jwk", [public(EC), public(OKP), public(RSA), OCT], ids=["EC", "OKP", "RSA", "oct"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="as we publish it"),
        pytest.param({"key_ops": ["verify"]}, id="key_ops verify"),
        pytest.param({"key_ops": ["sign", "verify"]}, id="key_ops sign and verify"),
        pytest.param({"ext": True, "x5u": "https://example.com", "x5c": 3}, id="members that we do not read"),
        pytest.param({"kid": "bilbo.baggins@hobbiton.example"}, id="another kid"),
        pytest.param({"kid": "k" * 256}, id="kid of 256 characters"),
    ],
)
def test_a_key_that_breaks_no_rule_is_admitted(jwk, change):
    """What the rules allow must not be refused by accident."""
    key = import_verifying_key(jwk | change)
    assert key.kid == change.get("kid", jwk["kid"])
    assert key.algorithm == jwk["alg"]


@pytest.mark.parametrize("jwk", [public(EC), public(OKP), public(RSA), OCT], ids=["EC", "OKP", "RSA", "oct"])
def test_alg_use_and_kid_may_be_absent(jwk):
    """The type of a key decides its algorithm; the thumbprint is its kid."""
    key = import_verifying_key(without(jwk, "alg", "use", "kid"))
    assert key.algorithm == jwk["alg"]
    assert key.kid == thumbprint(jwk)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256", "HS256"])
def test_the_caller_can_name_the_algorithm(keys, algorithm):
    """A key of any other algorithm is then refused, for signing as for verifying."""
    for own, key in keys.items():
        verifying_jwk = key.private_jwk() if own == "HS256" else key.verifying_key.public_jwk()
        if own == algorithm:
            assert import_verifying_key(verifying_jwk, algorithm=algorithm).algorithm == own
            assert import_signing_key(key.private_jwk(), algorithm=algorithm).algorithm == own
            continue
        with pytest.raises(KeyRefused, match=f"a key for {own}, not for {algorithm}"):
            import_verifying_key(verifying_jwk, algorithm=algorithm)
        with pytest.raises(KeyRefused, match=f"a key for {own}, not for {algorithm}"):
            import_signing_key(key.private_jwk(), algorithm=algorithm)


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        pytest.param(public(EC), "d must be", id="EC without d"),
        pytest.param(public(OKP), "d must be", id="OKP without d"),
        pytest.param(public(RSA), "d must be", id="RSA without d"),
        pytest.param(EC | {"d": OTHER["ES256"].private_jwk()["d"]}, "d does not belong", id="EC d of another key"),
        pytest.param(EC | {"d": b64(0)}, "d is out of range", id="EC d is zero"),
        pytest.param(EC | {"d": b64(P256_ORDER)}, "d is out of range", id="EC d is the order"),
        pytest.param(EC | {"d": b64(2**256 - 1)}, "d is out of range", id="EC d is above the order"),
        pytest.param(resized(EC, "d", 1), "d must have 32 bytes", id="EC d with a leading zero byte"),
        pytest.param(OKP | {"d": base64url.encode(bytes(32))}, "d does not belong", id="OKP d of another key"),
        pytest.param(OKP | {"d": base64url.encode(bytes(64))}, "d must have 32 bytes", id="OKP d of 64 bytes"),
        pytest.param(RSA | {"d": OTHER["RS256"].private_jwk()["d"]}, "do not belong", id="RSA d of another key"),
        pytest.param(
            RSA | {name: OTHER["RS256"].private_jwk()[name] for name in PRIVATE_MEMBERS},
            "do not belong",
            id="RSA: all private members of another key",
        ),
        pytest.param(RSA | {"p": RSA["q"], "q": RSA["p"]}, "do not belong", id="RSA p and q swapped alone"),
        pytest.param(RSA | {"dp": RSA["dq"]}, "do not belong", id="RSA dp is dq"),
        pytest.param(RSA | {"qi": "Aw"}, "do not belong", id="RSA qi is 3"),
        pytest.param(without(RSA, "p"), "p must be", id="RSA without p"),
        pytest.param(without(RSA, "qi"), "qi must be", id="RSA without qi"),
        pytest.param(RSA | {"oth": []}, "two primes", id="RSA of more primes"),
        pytest.param(RSA | {"key_ops": ["verify"]}, "key_ops must hold sign", id="a key that may only verify"),
        pytest.param(EC | {"use": "enc"}, "use must be", id="a key for encryption"),
        pytest.param(OCT | {"k": base64url.encode(bytes(16))}, "at least 32 bytes", id="a short secret"),
    ],
)
def test_a_private_key_that_does_not_fit_is_refused(jwk, reason):
    """A half-wrong private key would sign tokens that nobody can verify, or leak through its faults."""
    with pytest.raises(KeyRefused, match=reason):
        import_signing_key(jwk)


def test_a_key_goes_out_and_comes_back(key):
    """private_jwk and public_jwk hold all there is to a key."""
    again = import_signing_key(key.private_jwk())
    assert again.private_jwk() == key.private_jwk()
    assert (again.kid, again.algorithm) == (key.kid, key.algorithm)
    assert again.verifying_key.verifies(b"message", key.sign(b"message"))


def test_a_public_jwk_holds_no_secret(key):
    """What is published has exactly the public members, kid, alg and use; a secret is never published."""
    if key.algorithm == "HS256":
        with pytest.raises(KeyRefused, match="no public form"):
            key.verifying_key.public_jwk()
        return
    jwk = key.verifying_key.public_jwk()
    assert set(jwk) == {"ES256": {"crv", "x", "y"}, "EdDSA": {"crv", "x"}, "RS256": {"n", "e"}}[key.algorithm] | {
        *("kty", "kid", "alg", "use"),
    }
    assert (jwk["kid"], jwk["alg"], jwk["use"]) == (key.kid, key.algorithm, "sig")
    assert import_verifying_key(jwk).public_jwk() == jwk


def test_a_repr_tells_no_secret(key):
    """A key in a log line or a traceback gives nothing away."""
    for shown in (repr(key), str(key), repr(key.verifying_key), f"{key}"):
        assert key.kid in shown
        for name, value in key.private_jwk().items():
            assert name == "kid" or value not in shown or value in {"sig", key.algorithm}
        assert repr(SECRET)[2:-1] not in shown


def test_a_refusal_tells_no_secret():
    """The text of a refusal goes into logs."""
    with pytest.raises(KeyRefused) as caught:
        import_signing_key(OCT | {"k": "c2VjcmV0LXNlY3JldA"})
    assert "c2VjcmV0LXNlY3JldA" not in str(caught.value)
    assert "secret-secret" not in str(caught.value)


def test_a_key_cannot_be_changed(key):
    """Whoever holds a key cannot turn it into another."""
    for changed in (key, key.verifying_key):
        with pytest.raises(AttributeError):
            changed.kid = "other"
        with pytest.raises((AttributeError, TypeError)):
            changed.algorithm = "HS256"
        with pytest.raises((AttributeError, TypeError)):
            changed.something_new = 1


@pytest.mark.parametrize(
    "private_key",
    [
        pytest.param(ec.generate_private_key(ec.SECP384R1()), id="P-384"),
        pytest.param(ec.generate_private_key(ec.SECP256K1()), id="secp256k1"),
        pytest.param(ed448.Ed448PrivateKey.generate(), id="Ed448"),
        pytest.param(x25519.X25519PrivateKey.generate(), id="X25519"),
        pytest.param(rsa.generate_private_key(65_537, 1024), id="RSA of 1024 bits"),
        pytest.param(rsa.generate_private_key(3, 2048), id="RSA with e = 3"),
        pytest.param(PRIVATE_KEYS["ES256"].public_key(), id="a public key"),
        pytest.param(SECRET, id="bytes"),
        pytest.param(None, id="nothing"),
    ],
)
def test_other_private_keys_are_refused(private_key):
    """The rules of admission hold for keys that come as objects, too."""
    with pytest.raises(KeyRefused):
        signing_key_from_private(private_key)


def test_a_private_key_gets_its_thumbprint_or_the_given_kid():
    """RFC 7638 gives one kid to one key, on every server."""
    private_key = PRIVATE_KEYS["ES256"]
    key = signing_key_from_private(private_key)
    assert key.kid == thumbprint(key.verifying_key.public_jwk())
    assert signing_key_from_private(private_key, kid="mine").kid == "mine"
    with pytest.raises(KeyRefused, match="kid must be"):
        signing_key_from_private(private_key, kid="")


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({"kty": "EC", "crv": "P-256", "x": "A"}, id="a member is missing"),
        pytest.param({"kty": "RSA", "n": 3, "e": "AQAB"}, id="a member is a number"),
        pytest.param({"kty": "oct", "k": "\ud800"}, id="a lone surrogate"),
        pytest.param({"kty": "PQC"}, id="an unknown type"),
    ],
)
def test_a_thumbprint_needs_its_members(jwk):
    """Half a key has no thumbprint."""
    with pytest.raises(KeyRefused):
        thumbprint(jwk)


def public_keys_in_disguise():
    public_key = PRIVATE_KEYS["ES256"].public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    rsa_key = PRIVATE_KEYS["RS256"].public_key()
    ssh = public_key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return [
        pytest.param(public_key.public_bytes(serialization.Encoding.PEM, info), id="EC in PEM"),
        pytest.param(public_key.public_bytes(serialization.Encoding.DER, info), id="EC in DER"),
        pytest.param(rsa_key.public_bytes(serialization.Encoding.PEM, info), id="RSA in PEM"),
        pytest.param(rsa_key.public_bytes(serialization.Encoding.DER, info), id="RSA in DER"),
        pytest.param(
            rsa_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1), id="RSA in PKCS#1 DER"
        ),
        pytest.param(ssh, id="EC for OpenSSH"),
        pytest.param(str(public(EC)).replace("'", '"').encode(), id="EC as JWK"),
        pytest.param(
            b"\n" + public_key.public_bytes(serialization.Encoding.PEM, info), id="EC in PEM after an empty line"
        ),
    ]


@pytest.mark.parametrize("secret", public_keys_in_disguise())
def test_a_public_key_is_no_secret(secret):
    """RFC 8725 section 2.1: who takes a public key as HMAC secret lets everybody sign."""
    with pytest.raises(KeyRefused, match="a public key is not an HS256 secret"):
        hmac_key(secret, kid="k")


@pytest.mark.parametrize("size", [32, 33, 63, 64, 65, 128, 1024])
def test_secrets_of_32_to_1024_bytes_are_admitted(size):
    """At the block size of SHA-256 (64) and over it the MAC is still the standard one (RFC 2104)."""
    secret = bytes(n % 251 for n in range(size))
    assert hmac_key(secret, kid="k").sign(b"message") == hmac.digest(secret, b"message", "sha256")


@pytest.mark.parametrize("size", [0, 1, 16, 31, 1025])
def test_secrets_of_other_sizes_are_refused(size):
    """RFC 7518 section 3.2: at least the size of the hash."""
    with pytest.raises(KeyRefused, match="bytes"):
        hmac_key(bytes(size), kid="k")


def test_a_random_secret_in_text_form_is_never_taken_for_a_public_key():
    """The marks of public keys cannot occur by chance in hex or base64url."""
    assert hmac_key(b"xxssh-ecdsa-sha2-" + b"a" * 40, kid="k").kid == "k"
