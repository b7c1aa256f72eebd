"""Token Status Lists: read as the draft writes them, refused when anything is wrong, and an ending is final."""

import contextlib
import json
import random
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_lists import EVIL, IAT, KEY, KEYS, URI, sealed

from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import hmac_key, import_verifying_key, signing_key_from_private
from guestpass.core.jose.jws import encode_header, sign_compact
from guestpass.core.revocation import cut_list, status_list
from guestpass.core.revocation.published import PublishedKeyUnknown, PublishedRefused
from guestpass.core.revocation.status_list import INVALID, INVALID_REISSUE, SUSPENDED, VALID, WIDTHS, StatusList
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.kinds import STATUS_LIST

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/status-list/vectors.json").read_text())
FULL_BYTES = 16 * 1024  # a list of ours

statuses = st.lists(st.integers(0, 3), max_size=40)


# The draft's own vectors


@pytest.mark.parametrize("vector", VECTORS["small"], ids=lambda vector: f"{vector['bits']} bits")
def test_a_small_list_of_the_draft_is_packed_and_unpacked(vector):
    packed = status_list.decompress(vector["lst"])
    assert list(packed) == vector["byte_array"]
    assert [status_list.get(packed, index, vector["bits"]) for index in range(len(vector["statuses"]))] == vector[
        "statuses"
    ]
    assert list(status_list.pack(vector["statuses"], vector["bits"])) == vector["byte_array"]
    assert status_list.decompress(status_list.compress(packed)) == packed


@pytest.mark.parametrize("vector", VECTORS["large"], ids=lambda vector: f"{vector['bits']} bits")
def test_a_list_of_a_million_statuses_holds_what_the_draft_says(vector):
    """Every index that is not listed is 0."""
    bits, size = vector["bits"], vector["size"]
    packed = bytearray(status_list.decompress(vector["lst"], packed_bytes_max=size * bits // 8))
    assert len(packed) == size * bits // 8
    for index, status in vector["nonzero"].items():
        assert status_list.get(packed, int(index), bits) == status
        status_list.put(packed, int(index), 0, bits)
    assert not any(packed)


def test_the_token_of_the_draft_is_opened():
    vector = VECTORS["status_list_token"]
    keys = KeySet([import_verifying_key(vector["public_jwk"])])
    payload = vector["payload"]
    opened = status_list.read(vector["jwt"], keys, uri=payload["sub"], now=payload["iat"])
    assert (opened.iat, opened.exp, opened.ttl, opened.bits) == (payload["iat"], payload["exp"], payload["ttl"], 1)
    assert [opened.status_of(index) for index in range(16)] == VECTORS["small"][0]["statuses"]


# Packing


@given(st.sampled_from(WIDTHS), st.data())
def test_what_is_put_is_what_is_got_and_nothing_else_changes(bits, data):
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=50))
    index = data.draw(st.integers(0, len(values) - 1))
    value = data.draw(st.integers(0, 2**bits - 1))
    packed = status_list.pack(values, bits)
    status_list.put(packed, index, value, bits)
    values[index] = value
    assert [status_list.get(packed, place, bits) for place in range(len(values))] == values


def test_a_status_that_does_not_fit_is_not_put():
    with pytest.raises(ValueError, match="does not fit"):
        status_list.put(bytearray(1), 0, 4)


def test_a_place_beyond_the_end_is_no_place():
    with pytest.raises(IndexError):
        status_list.get(bytes(2), 8)


def test_a_status_that_only_wider_lists_have_is_invalid():
    """What we do not understand lets nobody in."""
    wide = StatusList(iat=IAT, exp=IAT + 9, ttl=5, bits=8, packed=bytes([0, 1, 2, 3, 4, 255]))
    assert [wide.status_of(index) for index in range(6)] == [
        VALID,
        INVALID,
        SUSPENDED,
        INVALID_REISSUE,
        INVALID,
        INVALID,
    ]


# Decompression


@given(st.binary(max_size=3000))
def test_a_list_survives_its_journey(packed):
    assert status_list.decompress(status_list.compress(packed)) == packed


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_list_of_exactly_the_bound_is_read(size):
    assert len(status_list.decompress(status_list.compress(bytes(size)), packed_bytes_max=100)) == size


@pytest.mark.parametrize("size", [101, 102, 100_000])
def test_a_list_beyond_the_bound_is_refused(size):
    with pytest.raises(PublishedRefused, match="more than 100 bytes"):
        status_list.decompress(status_list.compress(bytes(size)), packed_bytes_max=100)


def test_an_inflate_bomb_costs_nothing():
    """64 MiB behind 64 KiB: never more than the bound is made of it."""
    bomb = base64url.encode(zlib.compress(bytes(64 * 1024 * 1024), 9))
    tracemalloc.start()
    try:
        with pytest.raises(PublishedRefused, match="more than"):
            status_list.decompress(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 * status_list.PACKED_BYTES_MAX
    finally:
        tracemalloc.stop()


def test_a_text_that_is_longer_than_any_list_is_refused_unread():
    with pytest.raises(PublishedRefused, match="too long"):
        status_list.decompress("A" * 1_000_000)


GOOD_LST = zlib.compress(bytes(100), 9)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD_LST[:-1], id="cut by a byte"),
        pytest.param(GOOD_LST[: len(GOOD_LST) // 2], id="cut in half"),
        pytest.param(GOOD_LST + b"\0", id="a byte too many"),
        pytest.param(GOOD_LST + GOOD_LST, id="two lists"),
        pytest.param(GOOD_LST[:-1] + bytes([GOOD_LST[-1] ^ 1]), id="a wrong checksum"),
        pytest.param(zlib.compress(bytes(100), 9, -15), id="bare DEFLATE"),
        pytest.param(zlib.compress(bytes(100), 9, 31), id="gzip"),
        pytest.param(b"\x78\xf9" + GOOD_LST[2:], id="a preset dictionary"),
        pytest.param(bytes(100), id="not compressed"),
    ],
)
def test_what_is_not_one_whole_zlib_stream_is_refused(data):
    with pytest.raises(PublishedRefused):
        status_list.decompress(base64url.encode(data))


@given(st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_a_list_or_a_refusal(data):
    with contextlib.suppress(PublishedRefused):
        assert len(status_list.decompress(base64url.encode(data), packed_bytes_max=1000)) <= 1000


@pytest.mark.parametrize("lst", ["eNpj YAA", "eNpjYAA=", "é", "eNpj+AA"])
def test_a_list_that_is_not_strict_base64url_is_refused(lst):
    with pytest.raises(PublishedRefused):
        status_list.decompress(lst)


# The signed list


def test_what_is_published_is_what_is_read():
    text = status_list.publish(status_list.pack([0, 1, 2, 3]), uri=URI, iat=IAT, exp=IAT + 60, ttl=5, key=KEY)
    opened = status_list.read(text, KEYS, uri=URI, now=IAT + 59)
    assert [opened.status_of(index) for index in range(4)] == [VALID, INVALID, SUSPENDED, INVALID_REISSUE]
    assert (opened.iat, opened.exp, opened.ttl) == (IAT, IAT + 60, 5)


def test_a_header_in_another_order_is_read_too():
    """Others may write lists; a header is compared by what it says."""
    payload = sealed().split(".")[1]
    header = base64url.encode(json.dumps({"typ": "statuslist+jwt", "kid": KEY.kid, "alg": "ES256"}).encode())
    text = sign_compact(header, base64url.decode(payload), KEY)
    assert status_list.read(text, KEYS, uri=URI, now=IAT).bits == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"uri": f"{URI}0"}, "another address", id="of another address"),
        pytest.param({"uri": URI.upper()}, "another address", id="of an address in another case"),
        pytest.param({"now": IAT + 3600}, "expired 0 s ago", id="its exp is now"),
        pytest.param({"now": IAT - 61}, "begins 61 s from now", id="from the future"),
        pytest.param({"keys": KeySet([EVIL.verifying_key])}, "does not publish", id="signed by a stranger"),
    ],
)
def test_a_foreign_or_expired_list_is_refused(changes, why):
    options = {"keys": KEYS, "uri": URI, "now": IAT} | changes
    with pytest.raises(PublishedRefused, match=why):
        status_list.read(sealed(), options.pop("keys"), **options)


@pytest.mark.parametrize("claim", ["sub", "iat", "exp", "ttl", "status_list"])
def test_a_list_without_one_of_its_claims_is_refused(claim):
    with pytest.raises(PublishedRefused, match="claim"):
        status_list.read(sealed(without=claim), KEYS, uri=URI, now=IAT)


@pytest.mark.parametrize(
    "change",
    [
        {"iat": "1"}, {"iat": 1.5}, {"exp": -1}, {"exp": 2**53}, {"exp": None}, {"ttl": 0}, {"ttl": -5}, {"sub": 1},
        {"status_list": {"bits": 3, "lst": "eNoDAAAAAAE"}}, {"status_list": {"bits": 2}},
        {"status_list": {"bits": "2", "lst": "eNoDAAAAAAE"}}, {"status_list": []},
        {"status_list": {"bits": 2, "lst": 5}}, {"status_list": {"bits": 2, "lst": "****"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_claim_of_another_type_or_out_of_range_is_refused(change):
    with pytest.raises(PublishedRefused):
        status_list.read(sealed(**change), KEYS, uri=URI, now=IAT)


def test_a_member_that_stands_twice_is_refused():
    payload = base64url.decode(sealed().split(".")[1])
    twice = payload[:-1] + b',"exp":9999999999}'
    text = sign_compact(encode_header(KEY.algorithm, KEY.kid, "statuslist+jwt"), twice, KEY)
    with pytest.raises(PublishedRefused):
        status_list.read(text, KEYS, uri=URI, now=IAT)


@pytest.mark.parametrize("typ", ["guestpass-session+jwt", "at+jwt", "guestpass-cuts+jwt", "JWT", "statuslist"])
def test_a_document_of_another_type_is_not_taken_for_a_list(typ):
    with pytest.raises(PublishedRefused, match="type"):
        status_list.read(sealed(typ=typ), KEYS, uri=URI, now=IAT)


@given(st.integers(0), st.integers(1, 255))
def test_a_list_with_one_byte_changed_is_refused(position, change):
    """Wherever it is: header, payload or signature."""
    text = sealed()
    at = position % len(text)
    changed = text[:at] + chr((ord(text[at]) + change) % 128) + text[at + 1 :]
    if changed != text:
        with pytest.raises(PublishedRefused):
            status_list.read(changed, KEYS, uri=URI, now=IAT)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "\ud83e.x.y", "x" * 300_000, "e30.e30.", "é.e30.e30"])
def test_what_is_no_signed_document_is_refused(text):
    with pytest.raises(PublishedRefused):
        status_list.read(text, KEYS, uri=URI, now=IAT)


def test_a_list_is_never_sealed_with_a_secret():
    """Who checks it could write one; not by us, and not for us."""
    secret = hmac_key(b"s" * 32, kid="s")
    with pytest.raises(PublishedRefused):
        status_list.publish(b"", uri=URI, iat=IAT, exp=IAT + 1, ttl=5, key=secret)
    payload = base64url.decode(sealed().split(".")[1])
    text = sign_compact(encode_header("HS256", "s", "statuslist+jwt"), payload, secret)
    with pytest.raises(PublishedRefused, match="secret"):
        status_list.read(text, KeySet([secret.verifying_key]), uri=URI, now=IAT)


def test_an_algorithm_that_is_not_the_keys_is_refused():
    payload = base64url.decode(sealed().split(".")[1])
    header = base64url.encode(json.dumps({"alg": "RS256", "kid": KEY.kid, "typ": "statuslist+jwt"}).encode())
    with pytest.raises(PublishedRefused, match="algorithm"):
        status_list.read(sign_compact(header, payload, KEY), KEYS, uri=URI, now=IAT)


def test_a_new_key_is_told_from_a_wrong_one():
    """Who meets it may look once whether the issuer has a new key."""
    new = signing_key_from_private(EVIL.key, kid="new")
    text = status_list.publish(b"", uri=URI, iat=IAT, exp=IAT + 1, ttl=5, key=new)
    with pytest.raises(PublishedKeyUnknown):
        status_list.read(text, KEYS, uri=URI, now=IAT)
    same_kid = signing_key_from_private(EVIL.key, kid=KEY.kid)
    text = status_list.publish(b"", uri=URI, iat=IAT, exp=IAT + 1, ttl=5, key=same_kid)
    with pytest.raises(PublishedRefused, match="signature"):
        status_list.read(text, KEYS, uri=URI, now=IAT)


def test_the_largest_list_fits_its_bounds():
    """128 KiB that do not compress at all can be published and read."""
    packed = random.Random(1).randbytes(status_list.PACKED_BYTES_MAX)
    text = status_list.publish(packed, uri=URI, iat=IAT, exp=IAT + 1, ttl=5, key=KEY)
    assert status_list.read(text, KEYS, uri=URI, now=IAT).packed == packed


# An ending is final


def listed(values, *, iat=IAT, bits=2):
    return StatusList(iat=iat, exp=iat + 60, ttl=5, bits=bits, packed=bytes(status_list.pack(values, bits)))


def merged_one(known, fetched, *, younger):
    newer, older = (IAT + 1, IAT) if younger else (IAT, IAT + 1)
    return status_list.merged(listed([known], iat=older), listed([fetched], iat=newer)).status_of(0)


@pytest.mark.parametrize("younger", [True, False], ids=["a younger list", "an older one, late"])
@pytest.mark.parametrize(
    ("known", "fetched", "expected"),
    [
        (INVALID, VALID, INVALID), (INVALID, SUSPENDED, INVALID), (INVALID, INVALID_REISSUE, INVALID),
        (INVALID_REISSUE, VALID, INVALID_REISSUE), (INVALID_REISSUE, SUSPENDED, INVALID_REISSUE),
        (INVALID_REISSUE, INVALID, INVALID), (INVALID_REISSUE, INVALID_REISSUE, INVALID_REISSUE),
        (VALID, INVALID, INVALID), (SUSPENDED, INVALID_REISSUE, INVALID_REISSUE), (VALID, VALID, VALID),
    ],
)  # fmt: skip
def test_no_list_takes_an_ending_back(known, fetched, expected, younger):
    """Not a late answer, not a cache; and of two endings the one without reissue wins."""
    assert merged_one(known, fetched, younger=younger) == expected


def test_a_suspension_is_that_of_the_younger_list():
    assert merged_one(SUSPENDED, VALID, younger=True) == VALID
    assert merged_one(VALID, SUSPENDED, younger=True) == SUSPENDED
    assert merged_one(SUSPENDED, VALID, younger=False) == SUSPENDED
    assert merged_one(VALID, SUSPENDED, younger=False) == VALID


@given(statuses, st.data(), st.booleans())
def test_merging_two_lists_merges_each_place_by_itself(values, data, younger):
    others = data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    newer, older = (IAT + 1, IAT) if younger else (IAT, IAT + 1)
    both = status_list.merged(listed(values, iat=older), listed(others, iat=newer))
    expected = [merged_one(a, b, younger=younger) for a, b in zip(values, others, strict=True)]
    assert [both.status_of(index) for index in range(len(values))] == expected
    assert (both.iat, both.exp) == (IAT + 1, newer + 60)


def test_documents_of_this_kind_have_a_type_of_their_own():
    assert STATUS_LIST.typ == "statuslist+jwt"
    with pytest.raises(PublishedRefused, match="type"):
        cut_list.read(sealed(), KEYS, uri=URI, now=IAT)
