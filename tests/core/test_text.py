"""Ids that the host chooses: what may stand in them, and that nothing about them is changed or folded."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.text import fault_of_id


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("7", id="one character"),
        pytest.param("u" * 255, id="255 characters"),
        pytest.param("\U0001f989" * 255, id="255 characters of four bytes each"),
        pytest.param("user_42@example.com", id="an email address"),
        pytest.param("a b", id="a space inside"),
        pytest.param("a\u00a0b", id="a space that does not break, inside"),
        pytest.param("zoë", id="a letter beyond ASCII"),
        pytest.param("zoe\u0308", id="the same with a combining mark: another id"),
        pytest.param("\u200bx", id="a zero-width space, which is not white space"),
        pytest.param("\u202ex", id="a change of direction"),
        pytest.param("\ufffd", id="the replacement character"),
        pytest.param("\ue000", id="private use"),
        pytest.param("\u0378", id="not assigned yet"),
        pytest.param("'; DROP TABLE session; --", id="SQL"),
        pytest.param("../../etc/passwd", id="a path"),
        pytest.param("=1+1", id="a formula"),
    ],
)
def test_an_id_may_be_whatever_the_host_uses(value):
    assert fault_of_id(value) is None


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        pytest.param("", "must not be empty", id="nothing"),
        pytest.param("u" * 256, "at most 255", id="256 characters"),
        pytest.param(" ", "white space", id="a space alone"),
        pytest.param(" x", "white space", id="a space before"),
        pytest.param("x ", "white space", id="a space after"),
        pytest.param("x\u3000", "white space", id="an ideographic space after"),
        pytest.param("\u00a0x", "white space", id="a space that does not break, before"),
        pytest.param("x\n", "white space", id="a newline after"),
        pytest.param("x\ny", "U+000A", id="a newline inside: a forged log line"),
        pytest.param("x\0y", "U+0000", id="NUL"),
        pytest.param("x\x7f", "U+007F", id="DEL"),
        pytest.param("x\x85y", "U+0085", id="a control of Latin-1"),
        pytest.param("x\x1by", "U+001B", id="the beginning of a terminal command"),
        pytest.param("x\u2028y", "U+2028", id="a line separator"),
        pytest.param("x\u2029y", "U+2029", id="a paragraph separator"),
        pytest.param("x\ud83e", "U+D83E", id="half a surrogate pair"),
        pytest.param("\ufdd0", "U+FDD0", id="the first noncharacter"),
        pytest.param("\ufdef", "U+FDEF", id="the last of that block"),
        pytest.param("\uffff", "U+FFFF", id="the last of a plane"),
        pytest.param("\U0010fffe", "U+10FFFE", id="the last but one of the last plane"),
    ],
)
def test_an_id_that_breaks_a_rule_is_refused_with_the_rule(value, rule):
    assert rule in fault_of_id(value)


def test_a_shorter_limit_may_be_asked_for():
    """The analytics contract allows 64."""
    assert fault_of_id("u" * 64, length_max=64) is None
    assert "at most 64" in fault_of_id("u" * 65, length_max=64)


@given(st.text(min_size=1, max_size=20))
def test_the_quick_way_for_ascii_decides_as_the_slow_one(value):
    """A plain reading of the rules says the same of every text."""
    refused = {"Cc", "Cs", "Zl", "Zp"}
    good = (
        not value[0].isspace()
        and not value[-1].isspace()
        and not any(unicodedata.category(c) in refused for c in value)
        and not any(0xFDD0 <= ord(c) <= 0xFDEF or ord(c) & 0xFFFE == 0xFFFE for c in value)
    )
    assert (fault_of_id(value) is None) == good
