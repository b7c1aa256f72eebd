"""Ids: sorted by time, one text for each, and no text that is not one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core import ids

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TIMES = st.integers(0, 2**48 - 1)
ENTROPY = st.binary(min_size=10, max_size=10)
ALL_IDS = st.binary(min_size=16, max_size=16)


@given(ALL_IDS)
def test_what_is_written_is_read_back(id_bytes):
    text = ids.encode("sess", id_bytes)
    assert re.fullmatch("sess_[0-7][0-9a-hjkmnp-tv-z]{25}", text)
    assert ids.decode("sess", text) == id_bytes
    assert ids.encode_again("sess", id_bytes) == text


@given(ALL_IDS, ALL_IDS)
def test_ids_sort_alike_as_bytes_and_as_text(one, other):
    assert (one < other) == (ids.encode("sess", one) < ids.encode("sess", other))


@given(TIMES, ENTROPY, TIMES, ENTROPY)
def test_a_later_millisecond_sorts_later_whatever_the_entropy(one_ms, one, other_ms, other):
    first, second = ids.time_ordered(one_ms, one), ids.time_ordered(other_ms, other)
    if one_ms != other_ms:
        assert (first < second) == (one_ms < other_ms)


@given(TIMES, ENTROPY)
def test_an_id_carries_its_millisecond_and_is_a_uuid_of_version_7(unix_ms, entropy):
    """RFC 9562 section 5.7: 48 bits of time, version 7, variant 10."""
    made = ids.time_ordered(unix_ms, entropy)
    assert ids.unix_ms_of(made) == unix_ms
    assert made[6] >> 4 == 7
    assert made[8] >> 6 == 0b10


@given(TIMES, ENTROPY)
def test_74_bits_of_the_entropy_are_kept(unix_ms, entropy):
    """All but the six that say version and variant."""
    made = int.from_bytes(ids.time_ordered(unix_ms, entropy), "big")
    kept = ((1 << 80) - 1) & ~(0xF << 76) & ~(0b11 << 62)
    assert made & kept == int.from_bytes(entropy, "big") & kept
    assert kept.bit_count() == 74


@given(TIMES, ENTROPY)
def test_the_edge_of_a_millisecond_is_below_all_its_ids(unix_ms, entropy):
    edge = ids.first_of(unix_ms)
    assert edge < ids.time_ordered(unix_ms, entropy)
    if unix_ms:
        assert ids.time_ordered(unix_ms - 1, b"\xff" * 10) < edge


GOOD = "01hf7yb2m8d2s9v4q6zj3k5n7p"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("sess_", id="the word alone"),
        pytest.param(GOOD, id="no word"),
        pytest.param("key_" + GOOD, id="another word"),
        pytest.param("Sess_" + GOOD, id="the word in another case"),
        pytest.param("sess-" + GOOD, id="a hyphen"),
        pytest.param("sess_" + GOOD[:-1], id="25 characters"),
        pytest.param("sess_" + GOOD + "0", id="27 characters"),
        pytest.param("sess_" + GOOD.upper(), id="upper case"),
        pytest.param("sess_" + GOOD[:-1] + "P", id="one letter in upper case"),
        pytest.param("sess_" + GOOD[:-1] + "i", id="the look-alike i"),
        pytest.param("sess_" + GOOD[:-1] + "l", id="the look-alike l"),
        pytest.param("sess_" + GOOD[:-1] + "o", id="the look-alike o"),
        pytest.param("sess_" + GOOD[:-1] + "u", id="the letter u"),
        pytest.param("sess_8" + GOOD[1:], id="a number of 129 bits"),
        pytest.param("sess_z" + GOOD[1:], id="a number of 130 bits"),
        pytest.param("sess_" + GOOD[:-1] + " ", id="a space at the end"),
        pytest.param("sess_" + GOOD[:-1] + "\n", id="a newline at the end"),
        pytest.param("sess_" + GOOD[:-1] + "_", id="an underscore, which int() reads over"),
        pytest.param("sess_" + "+" + GOOD[1:], id="a plus"),
        pytest.param("sess_" + "-" + GOOD[1:], id="a minus"),
        pytest.param("sess_" + GOOD[:-1] + "\u0663", id="a digit of another script"),
        pytest.param("sess_" + GOOD[:-1] + "\uff10", id="a full-width digit"),
        pytest.param("sess_" + GOOD[:-1] + "\0", id="NUL"),
        pytest.param(" sess_" + GOOD, id="a space before"),
    ],
)
def test_a_text_that_is_not_an_id_is_none(text):
    """An id has one text: two texts for one id would be two entries in a log, a cache or a deny list."""
    assert ids.decode("sess", text) is None


@given(st.text(ALPHABET + "iloABZ_ ", min_size=26, max_size=26))
def test_a_text_that_is_read_is_written_back_the_same(body):
    read = ids.decode("sess", f"sess_{body}")
    assert read is None or ids.encode("sess", read) == f"sess_{body}"


def test_digits_alone_are_an_id():
    assert ids.decode("sess", "sess_" + "0" * 26) == bytes(16)
    assert ids.decode("sess", "sess_7" + "z" * 25) == b"\xff" * 16
