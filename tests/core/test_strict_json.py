"""strict_json: what two readers could read differently is refused, and nothing makes it fall over."""

import base64
import contextlib
import json
import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core import strict_json
from guestpass.core.strict_json import JsonRefused

SUITE = json.loads((Path(__file__).parents[1] / "vectors/json-parsing/jsontestsuite.json").read_text("utf-8"))[
    "parsing"
]

# RFC 8259 allows these and calls them a risk; RFC 7493 (I-JSON) and we refuse them.
STRICTER_THAN_THE_SUITE = {
    "y_object_duplicated_key.json": "stands twice",
    "y_object_duplicated_key_and_value.json": "stands twice",
}


def read(data, **options):
    return strict_json.loads(data, **options)


def cases(expect):
    return [
        pytest.param(base64.b64decode(case["b64"]), id=case["name"])
        for case in SUITE
        if case["expect"] == expect and case["name"] not in STRICTER_THAN_THE_SUITE
    ]


@pytest.mark.parametrize("data", cases("reject"))
def test_what_is_not_json_is_refused(data):
    """Every n_ case of JSONTestSuite, with our own error and no other."""
    with pytest.raises(JsonRefused):
        read(data)


@pytest.mark.parametrize("data", cases("accept"))
def test_what_is_json_is_read_as_the_standard_library_reads_it(data):
    """Every y_ case of JSONTestSuite, but for the exceptions listed above."""
    assert read(data) == json.loads(data)


@pytest.mark.parametrize("data", cases("either"))
def test_what_readers_disagree_about_is_read_alike_or_refused(data):
    """Every i_ case: an answer or our refusal, never a crash, and no infinite number."""
    try:
        value = read(data)
    except JsonRefused:
        return
    assert value == json.loads(data)
    assert "Infinity" not in json.dumps(value)


@pytest.mark.parametrize("name", sorted(STRICTER_THAN_THE_SUITE))
def test_we_are_stricter_on_purpose(name):
    """A name that stands twice is where one reader takes the first and another the last."""
    case = next(case for case in SUITE if case["name"] == name)
    with pytest.raises(JsonRefused, match=STRICTER_THAN_THE_SUITE[name]):
        read(base64.b64decode(case["b64"]))


@pytest.mark.parametrize(
    ("data", "reason", "path"),
    [
        pytest.param(b"", "empty", "", id="nothing"),
        pytest.param(b" ", "not JSON at character 1", "", id="white space alone"),
        pytest.param(b"{} x", "not JSON at character 3", "", id="text after the value"),
        pytest.param(b"{}{}", "not JSON at character 2", "", id="a second value"),
        pytest.param(b"\xef\xbb\xbf{}", "begins with a byte order mark", "", id="UTF-8 with a byte order mark"),
        pytest.param("{}".encode("utf-16"), "not UTF-8 at byte 0", "", id="UTF-16 with a byte order mark"),
        pytest.param("{}".encode("utf-16-le"), "not JSON at character 1", "", id="UTF-16 without one"),
        pytest.param("[]".encode("utf-32-be"), "not JSON at character 0", "", id="UTF-32"),
        pytest.param(b'"\xff"', "not UTF-8 at byte 1", "", id="a byte that UTF-8 never has"),
        pytest.param(b'"\xc0\xaf"', "not UTF-8 at byte 1", "", id="an overlong form"),
        pytest.param(b'"\xed\xa0\x80"', "not UTF-8 at byte 1", "", id="a surrogate in UTF-8"),
        pytest.param(b"NaN", "NaN is not a JSON number", "", id="NaN"),
        pytest.param(b'{"exp":Infinity}', "Infinity is not a JSON number", "", id="Infinity"),
        pytest.param(b"[-Infinity]", "-Infinity is not a JSON number", "", id="minus Infinity"),
        pytest.param(b"1e400", "a number is too big", "", id="a number that becomes infinite"),
        pytest.param(b'{"a":-1e400}', "a number is too big", "", id="a number that becomes minus infinite"),
        pytest.param(b"1" * 400 + b".0", "a number is too big", "", id="a long number that becomes infinite"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "an integer has too many digits", "", id="5000 digits"),
        pytest.param(b'{"a":1,"a":1}', "stands twice in one object", "a", id="a name twice, the same value"),
        pytest.param(b'{"a":1,"\\u0061":2}', "stands twice in one object", "a", id="a name twice, once escaped"),
        pytest.param(b'{"a":{"b":[0,{"c":1,"c":2}]}}', "stands twice in one object", "a.b[1].c", id="deep inside"),
        pytest.param(b'{"a":{"b":1,"b":2},"a":0}', "stands twice in one object", "a", id="twice within twice"),
        pytest.param(b'{"":0,"":0}', "stands twice in one object", '[""]', id="the empty name twice"),
        pytest.param(
            b'{"a b":{"__proto__":0,"__proto__":0}}', "stands twice in one object", '["a b"].__proto__', id="quoted"
        ),
        pytest.param(b'[{"a":0,"a":0}, x', "stands twice in one object", None, id="a name twice before other faults"),
        pytest.param(b'"\\ud800"', "holds half of a surrogate pair", "", id="a lone high surrogate"),
        pytest.param(b'{"a":["\\uDc00"]}', "holds half of a surrogate pair", "a[0]", id="a lone low surrogate"),
        pytest.param(b'"\\udc00\\ud800"', "holds half of a surrogate pair", "", id="a pair in the wrong order"),
        pytest.param(b'{"a":{"\\ud800":1}}', "a name holds half of a surrogate pair", "a", id="in a name"),
        pytest.param(b'"a\nb"', "not JSON at character 2", "", id="a newline inside a string"),
        pytest.param(b'"\0"', "not JSON at character 1", "", id="a NUL inside a string"),
        pytest.param(b"{'a':1}", "not JSON at character 1", "", id="single quotes"),
        pytest.param(b"[1,]", "not JSON at character 3", "", id="a comma too many"),
        pytest.param(b"01", "not JSON at character 1", "", id="a leading zero"),
        pytest.param(b"{}\x0c", "not JSON at character 2", "", id="white space that JSON does not know"),
    ],
)
def test_a_refusal_says_why_and_where(data, reason, path):
    """The reason is short, names the place where there is one, and is a ValueError."""
    with pytest.raises(ValueError) as caught:
        read(data)
    assert isinstance(caught.value, JsonRefused)
    if path is not None:
        assert (caught.value.reason, caught.value.path) == (reason, path)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b' {"a" : 1}\r\n', {"a": 1}, id="white space around"),
        pytest.param(b'"\\ud83d\\ude00"', "\N{GRINNING FACE}", id="an escaped pair"),
        pytest.param('"\N{GRINNING FACE}"'.encode(), "\N{GRINNING FACE}", id="four bytes of UTF-8"),
        pytest.param(b'"\\\\ud800"', "\\ud800", id="an escaped backslash before ud800"),
        pytest.param(b'["\\u0000"]', ["\0"], id="an escaped NUL is a character like others"),
        pytest.param(b'{"__proto__":1}', {"__proto__": 1}, id="a name that is magic elsewhere"),
        pytest.param(b"1e308", 1e308, id="a big finite number"),
        pytest.param(b"9007199254740993", 9007199254740993, id="an integer keeps its digits"),
        pytest.param(b'[{"a":1},{"a":1}]', [{"a": 1}, {"a": 1}], id="one name in two objects"),
    ],
)
def test_plain_json_is_read(data, value):
    """Strict does not mean picky."""
    assert read(data) == value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 32 + b"]" * 32, id="arrays"),
        pytest.param(b'{"a":' * 32 + b"0" + b"}" * 32, id="objects"),
        pytest.param(b'{"a":[' * 16 + b"]}" * 16, id="both in turn"),
        pytest.param(b"[" + b"[]," * 1000 + b"[]]", id="many, side by side"),
        pytest.param(b'["' + b"[{" * 1000 + b'"]', id="brackets inside a string"),
        pytest.param(b'["\\"' + b"[{" * 1000 + b'"]', id="brackets after an escaped quote"),
    ],
)
def test_32_levels_are_read(data):
    """Only what really nests counts."""
    assert read(data) == json.loads(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 33 + b"]" * 33, id="33 arrays"),
        pytest.param(b'{"a":' * 33 + b"0" + b"}" * 33, id="33 objects"),
        pytest.param(b"[" * 1_000_000, id="a million open arrays"),
        pytest.param(b'[{"":' * 500_000, id="a million open arrays and objects"),
        pytest.param(b'["\\\\",' + b"[" * 33 + b"]" * 33 + b"]", id="after a string that ends in a backslash"),
        pytest.param(b'["[]", "\\"]", ' + b"[" * 33 + b"]" * 33 + b"]", id="after strings with brackets"),
    ],
)
def test_33_levels_are_refused(data):
    """Refused by count, before the parser descends."""
    with pytest.raises(JsonRefused, match="more than 32 arrays and objects inside each other"):
        read(data)


def test_the_depth_can_be_chosen():
    """A JOSE header needs less than a body."""
    assert read(b"[[]]", depth_max=2) == [[]]
    with pytest.raises(JsonRefused, match="more than 1 "):
        read(b"[[]]", depth_max=1)
    assert read(b"0", depth_max=0) == 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'"' + b'\\"' * 2_000_000, id="escaped quotes in an open string"),
        pytest.param(b"[" * 40 + b'"' + b'\\"' * 2_000_000, id="the same after brackets"),
        pytest.param(b"[" * 40 + b'"' * 2_000_001, id="quotes"),
        pytest.param(b"[" * 40 + b"\\" * 4_000_000, id="backslashes"),
        pytest.param(
            b"{" + b",".join(b'"%d":0' % n for n in range(200_000)) + b',"7":0}', id="200 000 names, one twice"
        ),
        pytest.param(b"[" + b",".join([b'"\\ud83d\\ude00"'] * 200_000) + b"]", id="200 000 surrogate pairs"),
        pytest.param(b"[" + b",".join([b"9" * 4000] * 200) + b"]", id="200 long integers"),
    ],
)
def test_hostile_bytes_cost_linear_time(data):
    """Megabytes of the worst shapes take well under the seconds that a quadratic scan takes."""
    start = time.perf_counter()
    with contextlib.suppress(JsonRefused):
        read(data)
    assert time.perf_counter() - start < 3


def test_a_path_repeats_little_of_what_was_sent():
    """A refusal must not echo a body, nor put control characters into a log."""
    with pytest.raises(JsonRefused) as caught:
        read(json.dumps({"x" * 5000: 0})[:-1].encode() + b',"' + b"x" * 5000 + b'":0}')
    assert len(caught.value.path) <= 120
    with pytest.raises(JsonRefused) as caught:
        read(b'{"a\\nb":0,"a\\nb":0}')
    assert "\n" not in str(caught.value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_VALUES, st.booleans())
def test_every_value_is_read_back(value, ascii_only):
    """Whatever the standard library writes, escaped or not, is read as the same value."""
    assert read(json.dumps(value, ensure_ascii=ascii_only).encode(), depth_max=100) == value


@given(st.binary(max_size=60) | st.text('{}[]",:\\u0123456789dDeE+-. tfn', max_size=60).map(str.encode))
def test_nothing_is_accepted_that_the_standard_library_refuses(data):
    """Any bytes: read as json.loads reads them, or our refusal."""
    try:
        value = read(data)
    except JsonRefused:
        return
    assert value == json.loads(data)
    assert not isinstance(value, float) or math.isfinite(value)
