"""Signed requests: every shared vector, and that no two requests have one canonical text."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.callers import api_key
from guestpass.core.callers.signed_request import (
    SignedParts,
    canonical_text,
    check_window,
    fits,
    read_proof,
    signature_of,
)
from guestpass.errors import GuestpassError, Unauthorized, ValidationFailed
from signature_vectors import GOOD, KEYS, REFUSED, VECTORS, each

NO_SECRET = "none"


def verdict(vector):
    """Hold a request as a server does, in its order: shape, clock, key and signature."""
    try:
        proof = read_proof(vector.asgi_headers)
        check_window(proof.timestamp, vector.now)
        secret = KEYS.get(proof.key_id, NO_SECRET)
        if not fits(proof.signature, proof.parts(vector.method, vector.path.encode(), vector.body), secret):
            raise Unauthorized
    except GuestpassError as refusal:
        return refusal
    return None


@each(VECTORS)
def test_a_vector_earns_its_code(vector):
    refusal = verdict(vector)
    assert (refusal.code if refusal else "ok") == vector.code


@each(GOOD)
def test_a_good_one_has_its_text_and_its_signature(vector):
    proof = read_proof(vector.asgi_headers)
    parts = proof.parts(vector.method, vector.path.encode(), vector.body)
    assert canonical_text(parts) == vector.canonical
    assert signature_of(KEYS[proof.key_id], parts) == vector.header("X-API-Signature")


@each([vector for vector in REFUSED if vector.why in {"shape", "twice", "window"}])
def test_what_is_refused_by_its_headers_alone_is_told_which_and_why(vector):
    """It is refused before any key is asked for, so the sentence gives nothing away."""
    refusal = verdict(vector)
    [detail] = refusal.details
    assert detail.path in {"X-API-Key", "X-API-Timestamp", "X-API-Nonce", "X-API-Signature", "Idempotency-Key", "Content-Type"}  # fmt: skip
    assert refusal.message == f"{detail.path} {detail.message}."


@each(REFUSED)
def test_a_refusal_repeats_nothing_that_was_sent(vector):
    message = verdict(vector).message
    sent = {value.decode("latin-1") for _, value in vector.headers} | {vector.body.decode("latin-1")}
    for text in sent:
        assert len(text) < 8 or text not in message, message


def test_the_secrets_of_the_vectors_are_of_the_shape_that_servers_make():
    assert [api_key.environment_of(secret) for secret in KEYS.values()] == ["test", "test"]


NOW = 1_790_000_000


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_the_window_is_300_seconds_either_way_by_whole_seconds(seconds, fraction):
    check_window(NOW + seconds, NOW + fraction)


@pytest.mark.parametrize(("seconds", "words"), [(-301, "301 s behind"), (301, "301 s ahead of"), (3600, "3600 s ahead of")])  # fmt: skip
@pytest.mark.parametrize("fraction", [0.0, 0.999])
def test_beyond_the_window_the_sentence_says_which_clock_is_off_and_by_how_much(seconds, words, fraction):
    with pytest.raises(Unauthorized, match=f"is {words} the server's clock, which says 2026-09-21T14:13:20Z"):
        check_window(NOW + seconds, NOW + fraction)


PARTS = SignedParts(method="POST", path=b"/v1", timestamp=NOW, nonce="n" * 16, content_type=b"a/b", body=b"x")
WRONG_PARTS = {
    "a method in lower case": {"method": "post"},
    "a method with a line break": {"method": "GET\nX"},
    "no method": {"method": ""},
    "a path that does not begin with a slash": {"path": b"v1"},
    "a path with a line break": {"path": b"/v1\n1790000000"},
    "a content type with a line break": {"content_type": b"a\r\nb"},
    "a timestamp in milliseconds": {"timestamp": NOW * 1000},
    "a timestamp of long ago": {"timestamp": 999_999_999},
    "a short nonce": {"nonce": "short"},
    "a nonce with a line break behind it": {"nonce": "n" * 16 + "\n"},
    "an idempotency key without a nonce": {"nonce": None, "idempotency_key": "a"},
    "an idempotency key with a line break": {"idempotency_key": "a\nb"},
}


@pytest.mark.parametrize("change", WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_parts_that_could_be_re_cut_are_not_signed(change):
    with pytest.raises(ValueError, match=next(reversed(change)).partition("_")[0]):
        canonical_text(replace(PARTS, **change))


def test_a_secret_beyond_ascii_signs_nothing():
    with pytest.raises(ValueError, match="ascii"):
        signature_of("sk_test_ä", PARTS)


nonces = st.none() | st.from_regex(re.compile(r"[A-Za-z0-9_-]{16,20}", re.ASCII), fullmatch=True)
keys = st.from_regex(re.compile(r"[.!-~]{1,8}", re.ASCII), fullmatch=True)
lines = st.binary(max_size=6).filter(lambda line: b"\n" not in line and b"\r" not in line)


@st.composite
def parts(draw):
    nonce = draw(nonces)
    return SignedParts(
        method=draw(st.sampled_from(["GET", "POST"])),
        path=b"/" + draw(lines),
        timestamp=draw(st.integers(NOW, NOW + 2)),
        nonce=nonce,
        idempotency_key=None if nonce is None else draw(st.none() | keys),
        content_type=draw(lines),
        body=draw(st.sampled_from([b"", b"\n", b"a/b\nx"]) | st.binary(max_size=6)),
    )


@given(parts())
def test_a_canonical_text_can_be_read_in_one_way_only(signed):
    """So whoever holds a signature holds one for this request and for no other."""
    method, path, third, content_type, body = canonical_text(signed).split(b"\n", 4)
    timestamp, _, rest = third.decode().partition(".")
    nonce, dot, key = rest.partition(".")
    read = SignedParts(
        method=method.decode(),
        path=path,
        timestamp=int(timestamp),
        nonce=nonce or None,
        idempotency_key=key if dot else None,
        content_type=content_type,
        body=body,
    )
    assert read == replace(signed, content_type=signed.content_type if signed.body else b"")


@given(st.lists(st.tuples(st.sampled_from([b"x-api-key", b"x-api-timestamp", b"x-api-nonce", b"x-api-signature", b"idempotency-key", b"content-type"]), st.binary(max_size=80)), max_size=7))  # fmt: skip
def test_any_headers_are_read_or_refused_and_never_break(headers):
    try:
        proof = read_proof(headers)
    except (Unauthorized, ValidationFailed):
        return
    assert fits(signature_of("secret", proof.parts("GET", b"/", b"")), proof.parts("GET", b"/", b""), "secret")
