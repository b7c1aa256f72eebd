"""Compact JWS: how a token is split, how its header is read."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jose_keys import SIGNING_KEYS
from jose_tokens import ES256, HS256, segment, signed_under

from guestpass.core.bounds import TOKEN_BYTES_MAX
from guestpass.core.jose import base64url
from guestpass.core.jose.jws import (
    REFUSED_HEADER_NAMES,
    AlgorithmRefused,
    Header,
    HeaderRefused,
    Malformed,
    SignatureInvalid,
    encode_header,
    read_header,
    sign_compact,
    split_compact,
    verify_compact,
)

# Splitting.


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("a", id="one part"),
        pytest.param("a.b", id="two parts"),
        pytest.param("a.b.c.d", id="four parts"),
        pytest.param("a.b.c.d.e", id="five parts, an encrypted token"),
        pytest.param("..", id="three empty parts"),
        pytest.param(".b.c", id="an empty header"),
        pytest.param("a..c", id="an empty payload"),
        pytest.param("a.b.\u00e9", id="a character beyond ASCII"),
        pytest.param("a.b.\ud800", id="a lone surrogate"),
        pytest.param("a\u3002b\u3002c", id="ideographic full stops"),
        pytest.param("a." + "b" * TOKEN_BYTES_MAX + ".c", id="too long"),
        pytest.param("." * 10_000_000, id="ten million dots"),
    ],
)
def test_what_is_not_three_parts_is_malformed(token):
    """The shape is checked before anything is decoded."""
    with pytest.raises(Malformed):
        split_compact(token)


def test_a_token_may_be_as_long_as_the_bound():
    """3840 bytes are read, 3841 are not."""
    token = "h.p." + "s" * (TOKEN_BYTES_MAX - 4)
    assert split_compact(token) == ("h", "p", "s" * (TOKEN_BYTES_MAX - 4))
    with pytest.raises(Malformed, match="longer"):
        split_compact(token + "s")


def test_an_empty_signature_is_left_to_the_key():
    """Its shape is a JWS; no key takes it."""
    assert split_compact("h.p.") == ("h", "p", "")


# Headers.


def test_a_header_is_read_back():
    """What we write is what we read; other harmless members are ignored (RFC 7515 section 4)."""
    assert read_header(encode_header("ES256", "k", "at+jwt")) == Header("ES256", "k", "at+jwt")
    assert read_header(segment({"alg": "RS256"})) == Header("RS256", None, None)
    assert read_header(segment({"alg": "RS256", "cty": "JWT", "v": [1]})) == Header("RS256", None, None)
    assert read_header(segment(b' {"alg" :\r\n"RS256"}\t')) == Header("RS256", None, None)


def test_the_same_values_give_the_same_header():
    """The verifier looks the whole segment up in a table: one text for one key and type, without white space."""
    assert encode_header("HS256", "k", "at+jwt") == segment(b'{"alg":"HS256","kid":"k","typ":"at+jwt"}')
    awkward = 'q"\\\u00e9\N{GRINNING FACE}'
    assert read_header(encode_header("HS256", awkward, "t")) == Header("HS256", awkward, "t")


@pytest.mark.parametrize("character", ["k", '"', "\N{GRINNING FACE}"], ids=["plain", "escaped", "of four bytes"])
def test_a_header_of_the_longest_values_is_read_back(character):
    """Every kid that is admitted can stand in a token."""
    kid, typ = character * 256, "t" * 128
    assert read_header(encode_header("ES256", kid, typ)) == Header("ES256", kid, typ)


@pytest.mark.parametrize("name", sorted(REFUSED_HEADER_NAMES))
@pytest.mark.parametrize("value", [None, False, True, 0, "", "x", [], ["b64"], {}], ids=repr)
def test_a_header_that_brings_its_own_rules_is_refused(name, value):
    """Whatever the value: crit known or not, b64 true or not, a key, a certificate or an address of one."""
    with pytest.raises(HeaderRefused, match=name):
        read_header(segment({"alg": "ES256", name: value}))


@pytest.mark.parametrize(
    "name", ["crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "p2c", "p2s"]
)
def test_the_list_of_refused_names_is_complete(name):
    """RFC 7515 section 4.1, RFC 7516 section 4.1, RFC 7797 section 3, RFC 7518 section 4.8."""
    assert name in REFUSED_HEADER_NAMES


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({}, id="empty"),
        pytest.param([], id="an array"),
        pytest.param("ES256", id="text"),
        pytest.param(b"", id="no bytes"),
        pytest.param(b"null", id="null"),
        pytest.param(b"not json", id="not JSON"),
        pytest.param({"kid": "k"}, id="no alg"),
        pytest.param({"alg": None}, id="alg is null"),
        pytest.param({"alg": ["ES256"]}, id="alg is an array"),
        pytest.param({"alg": 256}, id="alg is a number"),
        pytest.param({"alg": ""}, id="alg is empty"),
        pytest.param({"alg": "A" * 33}, id="alg is long"),
        pytest.param({"alg": "ES256", "kid": 1}, id="kid is a number"),
        pytest.param({"alg": "ES256", "kid": None}, id="kid is null"),
        pytest.param({"alg": "ES256", "kid": ""}, id="kid is empty"),
        pytest.param({"alg": "ES256", "kid": "k" * 257}, id="kid of 257 characters"),
        pytest.param({"alg": "ES256", "kid": "k" * 100_000}, id="kid of 100 kB"),
        pytest.param({"alg": "ES256", "typ": 1}, id="typ is a number"),
        pytest.param({"alg": "ES256", "typ": "t" * 129}, id="typ is long"),
        pytest.param({"alg": "ES256", "typ": ["at+jwt"]}, id="typ is an array"),
        pytest.param({"alg": "ES256", "pad": "x" * 2048}, id="over 2048 bytes"),
        pytest.param(b'{"alg":"none","alg":"ES256"}', id="alg twice"),
        pytest.param(b'{"alg":"ES256","\\u0061lg":"none"}', id="alg twice, once escaped"),
        pytest.param(b'{"alg":"ES256","kid":"a","kid":"b"}', id="kid twice"),
        pytest.param(b'{"alg":"ES256","x":{"y":1,"y":1}}', id="a name twice, deep inside"),
        pytest.param(b'{"alg":"ES256","x":NaN}', id="NaN"),
        pytest.param(b'{"alg":"ES256","x":[[[[0]]]]}', id="deep nesting"),
        pytest.param(b'{"alg":"ES256","kid":"\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"alg":"ES256"}{}', id="two values"),
        pytest.param(b'\xef\xbb\xbf{"alg":"ES256"}', id="a byte order mark"),
        pytest.param('{"alg":"ES256"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"alg":"ES256","kid":"\xff"}', id="not UTF-8"),
    ],
)
def test_a_header_that_cannot_be_trusted_to_mean_one_thing_is_malformed(header):
    """A token with such a header is refused although its signature is right."""
    with pytest.raises(Malformed):
        read_header(segment(header))
    with pytest.raises(Malformed):
        verify_compact(signed_under(header), ES256.verifying_key)


@pytest.mark.parametrize("suffix", ["=", "==", " ", "\n", "A", "!", "%3D", "."])
def test_a_header_segment_is_strict_base64url(suffix):
    """Only the one text of a header is that header."""
    with pytest.raises(Malformed):
        read_header(encode_header("ES256", "k", "at+jwt") + suffix)


# Properties.


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(sorted(SIGNING_KEYS)), st.binary(min_size=1, max_size=600))
def test_what_is_signed_verifies(algorithm, payload):
    """Any payload, every algorithm; and not for the payload with one bit changed."""
    key = SIGNING_KEYS[algorithm]
    token = sign_compact(encode_header(algorithm, key.kid, "t"), payload, key)
    assert verify_compact(token, key.verifying_key) == payload
    header, _, signature = token.split(".")
    changed = base64url.encode(bytes([payload[0] ^ 1]) + payload[1:])
    with pytest.raises(SignatureInvalid):
        verify_compact(f"{header}.{changed}.{signature}", key.verifying_key)


@given(st.text(max_size=60) | st.text("eyJhbGciOiJub25lIn0.=-_\n", max_size=90))
def test_no_text_makes_the_verifier_fall_over(text):
    """Any text: one of our refusals."""
    for key in (HS256, ES256):
        with pytest.raises((Malformed, AlgorithmRefused, SignatureInvalid)):
            verify_compact(text, key.verifying_key)


@given(st.binary(max_size=200))
def test_no_header_bytes_make_the_reader_fall_over(raw):
    """Any bytes as header: a header or Malformed."""
    try:
        header = read_header(base64url.encode(raw))
    except Malformed:
        return
    assert json.loads(raw)["alg"] == header.alg


def test_no_wall_between_the_errors():
    """The token layer maps three kinds; each is a ValueError, and a refused header is also malformed."""
    assert issubclass(HeaderRefused, Malformed)
    assert all(issubclass(kind, ValueError) for kind in (Malformed, AlgorithmRefused, SignatureInvalid))
