"""API keys as text: a mistyped one is refused without a look-up, a whole one is known by its hash."""

import hashlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.callers import api_key, secret_text

KEY = api_key.make("test", bytes(range(32)))
CHARACTERS = string.digits + string.ascii_letters


@pytest.mark.parametrize("environment", ["test", "live"])
def test_a_key_says_its_environment(environment):
    key = api_key.make(environment, bytes(32))
    assert re.fullmatch(f"sk_{environment}_[0-9A-Za-z]{{49}}", key)
    assert api_key.environment_of(key) == environment


def test_a_key_is_known_by_the_hash_of_its_whole_text():
    assert api_key.hash_of(KEY) == hashlib.sha256(KEY.encode()).digest()


@pytest.mark.parametrize("position", range(len(KEY)))
def test_each_mistyped_character_is_noticed(position):
    """No look-up is spent on it, and no failure counted against the wrong key."""
    for character in CHARACTERS + "_-. é":
        if character != KEY[position]:
            assert api_key.environment_of(KEY[:position] + character + KEY[position + 1 :]) is None


@given(st.data())
def test_two_characters_in_the_wrong_order_are_noticed(data):
    at = data.draw(st.integers(8, len(KEY) - 2))
    swapped = KEY[:at] + KEY[at + 1] + KEY[at] + KEY[at + 2 :]
    assert swapped == KEY or api_key.environment_of(swapped) is None


def test_a_test_key_does_not_become_a_live_one_by_its_prefix():
    """The environment is under the checksum, and under the hash."""
    assert api_key.environment_of(KEY.replace("sk_test_", "sk_live_")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk_test_",
        "sk_live_",
        KEY[:-1],
        KEY + "0",
        KEY + "\n",
        " " + KEY,
        KEY.upper(),
        KEY[3:],
        "ck" + KEY[2:],
        KEY * 2,
    ],
)
def test_what_is_not_one_whole_key_is_none(text):
    assert api_key.environment_of(text) is None


@pytest.mark.parametrize("characters", [0, 42, 44, 100])
def test_a_text_of_another_length_is_no_key_though_its_checksum_holds(characters):
    assert api_key.environment_of(secret_text.with_checksum("sk_test_" + "0" * characters)) is None


@pytest.mark.parametrize("character", ["\u00e9", "\u0660", "\uff10", "-", " ", "\0"])
def test_a_character_that_no_key_has_is_refused_though_the_checksum_holds(character):
    assert api_key.environment_of(secret_text.with_checksum("sk_test_" + "0" * 42 + character)) is None


def test_half_a_character_is_refused_like_any_other():
    assert api_key.environment_of("sk_test_" + "0" * 48 + "\ud83e") is None


@given(st.text(max_size=80) | st.text(CHARACTERS, min_size=49, max_size=49).map("sk_test_".__add__))
def test_no_text_fails_to_be_judged(text):
    """Half characters, NULs and all."""
    read = api_key.environment_of(text)
    assert read is None or text == secret_text.with_checksum(text[:-6])


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_two_secrets_have_two_texts_of_one_length(one, other):
    first, second = secret_text.encode(one), secret_text.encode(other)
    assert len(first) == len(second) == secret_text.SECRET_CHARACTERS
    assert (first == second) == (one == other)


def test_the_largest_secret_fits():
    assert len(secret_text.encode(b"\xff" * 32)) == 43
    assert secret_text.encode(bytes(32)) == "0" * 43


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_secret_is_made_of_32_bytes(size):
    with pytest.raises(ValueError, match="32 bytes"):
        secret_text.encode(bytes(size))


@given(st.text(CHARACTERS + "_", min_size=1, max_size=60))
def test_a_checksum_holds_for_the_text_it_was_made_for(text):
    assert secret_text.checksum_holds(secret_text.with_checksum(text))


def test_all_that_a_key_may_do_is_the_contracts_list():
    assert api_key.ALL_CAN == ("mint", "read", "revoke", "verify", "manage")
