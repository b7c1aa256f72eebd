"""The attacks on record, each with the refusal that it must meet."""

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import utils
from jose_keys import PRIVATE_KEYS, SIGNING_KEYS
from jose_tokens import ES256, HS256, PAYLOAD, good_token, segment, signed_under

from guestpass.core.jose import _es256, _hs256, base64url
from guestpass.core.jose.jws import (
    AlgorithmRefused,
    HeaderRefused,
    Malformed,
    SignatureInvalid,
    encode_header,
    read_header,
    sign_compact,
    verify_compact,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_every_algorithm_signs_and_verifies(key):
    """The payload comes back as it was, for every algorithm."""
    assert verify_compact(good_token(key), key.verifying_key) == PAYLOAD


def test_a_key_takes_only_its_own_algorithm(key):
    """Any header that names another algorithm is refused by name, before the signature is looked at."""
    for name in ["ES256", "EdDSA", "RS256", "HS256", "ES384", "HS512", "PS256", "Ed25519", "dir", "RSA1_5", "A128KW"]:
        if name == key.algorithm:
            continue
        with pytest.raises(AlgorithmRefused):
            verify_compact(signed_under({"alg": name, "kid": key.kid}, key), key.verifying_key)


@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "nOnE", "none ", " none", "n\0one", "null", "\uff4eone", "es256", "ES256 ", "ES-256"],
)
@pytest.mark.parametrize("signature", ["", "AA", "right"])
def test_alg_none_is_refused_in_every_spelling(alg, signature):
    """With no signature, with any, and with a right one."""
    token = signed_under({"alg": alg})
    if signature != "right":
        token = token[: token.rindex(".") + 1] + signature
    with pytest.raises(AlgorithmRefused):
        verify_compact(token, ES256.verifying_key)


def published_forms():
    for name in ("ES256", "RS256", "EdDSA"):
        public_key = PRIVATE_KEYS[name].public_key()
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        yield pytest.param(name, public_key.public_bytes(serialization.Encoding.PEM, info), id=f"{name} PEM")
        yield pytest.param(
            name, public_key.public_bytes(serialization.Encoding.PEM, info).strip(), id=f"{name} PEM, bare"
        )
        yield pytest.param(name, public_key.public_bytes(serialization.Encoding.DER, info), id=f"{name} DER")
        jwk = SIGNING_KEYS[name].verifying_key.public_jwk()
        yield pytest.param(name, json.dumps(jwk).encode(), id=f"{name} JWK")
        yield pytest.param(name, base64url.decode(jwk.get("x") or jwk["n"]), id=f"{name} x or n")


@pytest.mark.parametrize(("name", "public_bytes"), list(published_forms()))
def test_a_public_key_never_verifies_a_mac(name, public_bytes):
    """The oldest attack: HS256 under the bytes of the public key (RFC 8725 section 2.1)."""
    key = SIGNING_KEYS[name].verifying_key
    for header in ({"alg": "HS256", "kid": key.kid}, {"alg": name, "kid": key.kid}):
        signing_input = f"{segment(header)}.{segment(PAYLOAD)}"
        mac = base64url.encode(hmac.digest(public_bytes, signing_input.encode(), hashlib.sha256))
        with pytest.raises((AlgorithmRefused, SignatureInvalid)):
            verify_compact(f"{signing_input}.{mac}", key)


def test_one_key_is_no_other(keys):
    """Under each other's algorithms and headers, nothing of one key is good for another."""
    for signer in keys.values():
        for verifier in keys.values():
            if signer is verifier:
                continue
            token = sign_compact(encode_header(verifier.algorithm, verifier.kid, "at+jwt"), PAYLOAD, signer)
            with pytest.raises(SignatureInvalid):
                verify_compact(token, verifier.verifying_key)


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "/etc/passwd", "' OR 1=1 --", "http://127.0.0.1/k", "a\0b", "x" * 256, "\u202e", "|id"],
)
def test_a_kid_is_only_a_name(kid):
    """It is read, never followed: the same key verifies whatever a right token calls it."""
    token = signed_under({"alg": "ES256", "kid": kid})
    assert read_header(token.split(".")[0]).kid == kid
    assert verify_compact(token, ES256.verifying_key) == PAYLOAD


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_a_key_that_the_token_brings_is_never_used(name):
    """CVE-2018-0114: the attacker signs with a key of his own and sends it along."""
    own = SIGNING_KEYS["RS256"]
    brought = {"jwk": own.verifying_key.public_jwk(), "x5c": ["MII"]}.get(name, "https://attacker.example/keys")
    with pytest.raises(HeaderRefused):
        verify_compact(signed_under({"alg": "RS256", name: brought}, own), own.verifying_key)


def test_every_changed_character_is_refused(key):
    """Header, payload, signature, dots: no single character can be changed, dropped or doubled."""
    token = good_token(key)
    for position, character in enumerate(token):
        other = "B" if character != "B" else "C"
        for changed in (
            token[:position] + other + token[position + 1 :],
            token[:position] + token[position + 1 :],
            token[:position] + character + token[position:],
        ):
            if changed != token:
                with pytest.raises((Malformed, AlgorithmRefused, SignatureInvalid)):
                    verify_compact(changed, key.verifying_key)


def raw(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def es256_variants():
    r_and_s = ES256.sign(b"message")
    r, s = int.from_bytes(r_and_s[:32], "big"), int.from_bytes(r_and_s[32:], "big")
    return [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(64), id="all zero (CVE-2022-21449)"),
        pytest.param(raw(r, 0), id="s is zero"),
        pytest.param(raw(0, s), id="r is zero"),
        pytest.param(raw(P256_ORDER, s), id="r is the order"),
        pytest.param(raw(r, P256_ORDER), id="s is the order"),
        pytest.param(b"\xff" * 64, id="all ones"),
        pytest.param(raw(s, r), id="r and s swapped"),
        pytest.param(r_and_s[:-1], id="63 bytes"),
        pytest.param(r_and_s + b"\0", id="65 bytes"),
        pytest.param(b"\0" + r_and_s, id="65 bytes, a zero in front"),
        pytest.param(r_and_s[:32] + b"\0" + r_and_s[32:], id="65 bytes, a zero between"),
        pytest.param(utils.encode_dss_signature(r, s), id="DER"),
        pytest.param(r_and_s * 2, id="twice"),
    ]


@pytest.mark.parametrize("signature", es256_variants())
def test_es256_takes_one_form_only(signature):
    """64 bytes, r and s from 1 to n - 1; all else is False and never an error."""
    key = ES256.verifying_key
    assert key.verifies(b"message", signature) is False
    assert key.verifies_segment(b"message", base64url.encode(signature)) is False


@pytest.mark.parametrize(
    ("r", "s"), [(1, 2), (2**247, 2**200), (2**255, 2**255 + 1), (0x80, 0xFF), (2**248 - 1, 2**255)]
)
def test_es256_signatures_always_have_64_bytes(r, s):
    """One r in 256 is shorter in DER; a JWS has leading zeros instead (RFC 7518 section 3.4)."""

    class SignsShort:
        def sign(self, *_):
            return utils.encode_dss_signature(r, s)

    key = _es256.Es256SigningKey("k", ES256.verifying_key, SignsShort())
    assert key.sign(b"message") == raw(r, s)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 63, 65, 255, 257, 4000])
def test_a_signature_of_another_size_is_false(key, size):
    """Never an exception: a verifier that raises is a verifier that can be probed."""
    assert key.verifying_key.verifies(b"message", bytes(size)) is False
    assert key.verifying_key.verifies_segment(b"message", "A" * size) is False


@pytest.mark.parametrize("text", ["=", " ", "\n", "+/", "\u00e9", "\ud800", "A" * 41 + "==", "\0" * 43, '"', "\\u0041"])
def test_a_segment_that_is_not_base64url_is_false(key, text):
    """Nor is what no encoder writes."""
    assert key.verifying_key.verifies_segment(b"message", text) is False
    right = base64url.encode(key.sign(b"message"))
    assert key.verifying_key.verifies_segment(b"message", right + text) is False
    assert key.verifying_key.verifies_segment(b"message", text + right) is False
    assert key.verifying_key.verifies_segment(b"message", right) is True


def test_hs256_takes_one_text_only():
    """A MAC has 43 characters; the last has two bits over, and only zeros there are right."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    right = base64url.encode(HS256.sign(b"message"))
    accepted = [last for last in alphabet if HS256.verifying_key.verifies_segment(b"message", right[:-1] + last)]
    assert accepted == [right[-1]]


def test_hs256_compares_in_constant_time(monkeypatch):
    """Both forms go through compare_digest, with the whole of both sides."""
    compared = []

    def watched(a, b):
        compared.append((a, b))
        return hmac.compare_digest(a, b)

    monkeypatch.setattr(_hs256, "compare_digest", watched)
    mac = HS256.sign(b"message")
    assert HS256.verifying_key.verifies(b"message", mac)
    assert HS256.verifying_key.verifies_segment(b"message", base64url.encode(mac))
    assert compared == [(mac, mac), (base64url.encode(mac).encode(),) * 2]
