"""base64url: one text for each byte string, one byte string for each text, nothing else read."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.jose import base64url

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"", "", id="nothing is nothing"),
        pytest.param(b"f", "Zg", id="one byte has two characters"),
        pytest.param(b"fo", "Zm8", id="two bytes have three characters"),
        pytest.param(b"foo", "Zm9v", id="three bytes have four characters"),
        pytest.param(b"foobar", "Zm9vYmFy", id="RFC 4648 section 10: foobar"),
        pytest.param(b"\xfb\xff\xfe", "-__-", id="the URL alphabet: - and _"),
        pytest.param(bytes([3, 236, 255, 224, 193]), "A-z_4ME", id="RFC 7515 appendix C"),
    ],
)
def test_known_texts_are_written_and_read(data, text):
    """The alphabet of RFC 4648 section 5, without padding."""
    assert base64url.encode(data) == text
    assert base64url.decode(text) == data


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Zg==", id="padding"),
        pytest.param("Zm8=", id="padding of one"),
        pytest.param("Zm9v====", id="padding after whole bytes"),
        pytest.param("=", id="padding alone"),
        pytest.param("+w", id="the standard alphabet: +"),
        pytest.param("_w/_", id="the standard alphabet: /"),
        pytest.param("Zm9v\n", id="a newline at the end"),
        pytest.param("Zm9vZm9\n", id="a newline that makes the length right"),
        pytest.param(" Zm9", id="a space"),
        pytest.param("Zm9v\0aaa", id="a NUL"),
        pytest.param('Zg"aZm9v', id="a quote"),
        pytest.param('Zm9v"', id="a quote at the end"),
        pytest.param("\\u005aZm", id="a JSON escape"),
        pytest.param("\\nZm9vaa", id="a JSON escape of a newline"),
        pytest.param("Z", id="one character alone"),
        pytest.param("Zm9vZ", id="4n + 1 characters"),
        pytest.param("Zh", id="left-over bits that are not zero, after one byte"),
        pytest.param("Zm9", id="left-over bits that are not zero, after two bytes"),
        pytest.param("Zg.", id="a dot"),
        pytest.param("Zm9vZm9\u0475", id="a character beyond ASCII"),
        pytest.param("\uff3am9v", id="a full-width letter"),
        pytest.param("Zm9\ud800", id="a lone surrogate"),
    ],
)
def test_anything_else_is_refused(text):
    """Two texts for one token would be two tokens to a cache, a log and a deny list."""
    with pytest.raises(ValueError, match="base64url"):
        base64url.decode(text)


@given(st.binary(max_size=600))
def test_what_is_written_is_read_back(data):
    """Both ways, and equal to the standard library's encoder less its padding."""
    text = base64url.encode(data)
    assert text == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    assert base64url.decode(text) == data


@given(st.text(max_size=40) | st.text(ALPHABET + "+/= \n", max_size=40))
def test_only_canonical_texts_are_read(text):
    """A text is read exactly where a plain reading of the RFC says so."""
    readable = bool(re.fullmatch(r"[A-Za-z0-9_-]*", text)) and len(text) % 4 != 1
    if readable:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        readable = base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text
    if readable:
        assert base64url.decode(text) == data
    else:
        with pytest.raises(ValueError, match="base64url"):
            base64url.decode(text)


@given(st.binary(min_size=1, max_size=70), st.data())
def test_every_single_changed_character_shows(data, draw):
    """No character can be changed without a refusal or other bytes: there is no malleable bit."""
    text = base64url.encode(data)
    position = draw.draw(st.integers(0, len(text) - 1))
    changed = (
        text[:position] + draw.draw(st.sampled_from(ALPHABET).filter(text[position].__ne__)) + text[position + 1 :]
    )
    try:
        assert base64url.decode(changed) != data
    except ValueError:
        assert position == len(text) - 1, "only a last character can have bits over"
