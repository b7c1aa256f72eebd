"""Wycheproof, CCTV and speccheck: the raw signatures that broken implementations accept."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import utils
from jose_vectors import load, wycheproof

from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import KeyRefused, hmac_key, import_verifying_key

SMALL_RSA_EXPONENT = {"Aw"}  # e = 3: Wycheproof calls it valid, we admit 65 537 and above
TRUNCATED_MAC_BITS = {128}  # HS256 has no truncated form (RFC 7518 section 3.2)


def p256_key(group):
    point = bytes.fromhex(group["publicKey"]["uncompressed"])
    x, y = point[1:33], point[33:]
    return import_verifying_key({"kty": "EC", "crv": "P-256", "x": base64url.encode(x), "y": base64url.encode(y)})


def ed25519_key(public):
    return import_verifying_key({"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(public)})


def verdict(key, message, signature):
    """Ask in both forms; they must agree."""
    answer = key.verifies(message, signature)
    assert key.verifies_segment(message, base64url.encode(signature)) is answer
    return answer


@pytest.mark.parametrize(("group", "test"), wycheproof("ecdsa_secp256r1_sha256_p1363_test"))
def test_es256(group, test):
    """r and s out of range, too short, too long, swapped, shifted: refused; every edge case that is right: accepted."""
    message, signature = bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    assert verdict(p256_key(group), message, signature) is (test["result"] == "valid")


@pytest.mark.parametrize(("group", "test"), wycheproof("ecdsa_secp256r1_sha256_test"))
def test_es256_never_takes_der(group, test):
    """A DER signature is refused however valid it is; the same numbers in JOSE form are accepted."""
    key, message, der = p256_key(group), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])
    assert verdict(key, message, der) is False
    if test["result"] == "valid":
        r, s = utils.decode_dss_signature(der)
        assert verdict(key, message, r.to_bytes(32, "big") + s.to_bytes(32, "big")) is True


@pytest.mark.parametrize(("group", "test"), wycheproof("ed25519_test"))
def test_eddsa(group, test):
    """Only the one encoding of a signature is accepted: no S above the order, no bytes more or less."""
    key = ed25519_key(bytes.fromhex(group["publicKey"]["pk"]))
    assert verdict(key, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])) is (test["result"] == "valid")


@pytest.mark.parametrize(("group", "test"), wycheproof("rsa_signature_2048_sha256_test"))
def test_rs256(group, test):
    """The padding has one form; a missing NULL ("acceptable") is not it. Keys with e = 3 are not admitted."""
    if group["keyJwk"]["e"] in SMALL_RSA_EXPONENT:
        with pytest.raises(KeyRefused, match="exponent"):
            import_verifying_key(group["keyJwk"])
        return
    key = import_verifying_key(group["keyJwk"])
    assert verdict(key, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])) is (test["result"] == "valid")


@pytest.mark.parametrize(("group", "test"), wycheproof("hmac_sha256_test"))
def test_hs256(group, test):
    """The whole MAC counts; a right but truncated one is refused, and so is a secret of 16 bytes."""
    secret, message, tag = (bytes.fromhex(test[name]) for name in ("key", "msg", "tag"))
    if len(secret) < 32:
        with pytest.raises(KeyRefused, match="at least 32 bytes"):
            hmac_key(secret, kid="k")
        return
    signing_key = hmac_key(secret, kid="k")
    right = test["result"] == "valid" and group["tagSize"] not in TRUNCATED_MAC_BITS
    assert verdict(signing_key.verifying_key, message, tag) is right
    if test["result"] == "valid":
        assert signing_key.sign(message)[: len(tag)] == tag


@pytest.mark.parametrize(("group", "test"), wycheproof("hmac_sha384_test") + wycheproof("hmac_sha512_test"))
def test_hs256_takes_no_mac_of_another_hash(group, test):
    """HS384 and HS512 are not HS256 under another name, neither whole nor cut to 32 bytes."""
    secret, message, tag = (bytes.fromhex(test[name]) for name in ("key", "msg", "tag"))
    if len(secret) < 32:
        with pytest.raises(KeyRefused, match="at least 32 bytes"):
            hmac_key(secret, kid="k")
        return
    key = hmac_key(secret, kid="k").verifying_key
    assert verdict(key, message, tag) is False
    assert verdict(key, message, tag[:32]) is False
    assert verdict(key, message, hmac.digest(secret, message, hashlib.sha256)) is True


def odd_points():
    return [
        pytest.param(case, id=f"cctv {case['number']}: {' '.join(case['flags'] or ['plain'])}")
        for case in load("ed25519/cctv_ed25519vectors.json")
    ]


@pytest.mark.parametrize("case", odd_points())
def test_eddsa_odd_points(case):
    """A key of small order or with a second encoding is not admitted; as R neither is accepted.

    What is left is decided without the cofactor: a residue of small order is refused.
    """
    flags = set(case["flags"] or [])
    public = bytes.fromhex(case["key"])
    if flags & {"low_order_A", "non_canonical_A"}:
        with pytest.raises(KeyRefused, match="not a point of Ed25519 that can be a key"):
            ed25519_key(public)
        return
    right = not flags & {"low_order_R", "non_canonical_R", "low_order_residue"}
    assert verdict(ed25519_key(public), case["msg"].encode(), bytes.fromhex(case["sig"])) is right


# "Taming the many EdDSAs", section 5: what each case is, and what a strict verifier says.
SPECCHECK = {
    0: "the key has small order",
    1: "the key has small order",
    2: "R has small order",
    3: "accepted: mixed order, and right without the cofactor",
    4: "right with the cofactor only",
    5: "right with the cofactor only",
    6: "S is above the order",
    7: "S is far above the order",
    8: "R is not canonical",
    9: "R is not canonical",
    10: "the key is not canonical",
    11: "the key is not canonical",
}


@pytest.mark.parametrize("number", SPECCHECK, ids=lambda number: f"speccheck {number}: {SPECCHECK[number]}")
def test_eddsa_speccheck(number):
    """The twelve cases on which libraries differ; ours is the strictest column of the paper."""
    case = load("ed25519/speccheck_cases.json")[number]
    public, message, signature = (bytes.fromhex(case[name]) for name in ("pub_key", "message", "signature"))
    if SPECCHECK[number].startswith("the key"):
        with pytest.raises(KeyRefused):
            ed25519_key(public)
    else:
        assert verdict(ed25519_key(public), message, signature) is SPECCHECK[number].startswith("accepted")


def test_every_speccheck_case_is_judged():
    """A case that upstream adds must not go unread."""
    assert len(load("ed25519/speccheck_cases.json")) == len(SPECCHECK)
