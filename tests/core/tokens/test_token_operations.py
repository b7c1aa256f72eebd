"""Operations: which names there are, how a list becomes a scope, what two scopes allow together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.tokens import operations

NAMES = st.from_regex(r"[a-z][a-z0-9_.:-]{0,8}", fullmatch=True).filter(lambda name: not name.startswith("guestpass."))
LISTS = st.lists(NAMES, max_size=8)
SCOPES = LISTS.map(operations.scope_of) | st.just("*")


@pytest.mark.parametrize(
    "name",
    ["a", "read_invoices", "a.b:c-d_e", "z9", "a" * 64, "guestpass.query", "guestpass.script_token", "guestpassage"],
)
def test_a_name_that_follows_the_rule_is_good(name):
    assert operations.fault_of_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "A",
        "aB",
        "9a",
        "_a",
        ".a",
        "a b",
        "a\n",
        "a\u0000",
        "a,b",
        "a/b",
        "é",
        "\u212a",
        "a" * 65,
        " a",
        "a*",
        '"a"',
    ],
)
def test_a_name_that_breaks_the_rule_is_refused(name):
    """It could not stand in a scope, or would not be compared exactly."""
    assert operations.fault_of_name(name) == "must match [a-z][a-z0-9_.:-]{0,63}"


@pytest.mark.parametrize("name", ["guestpass.", "guestpass.admin", "guestpass.query.all", "guestpass.querys"])
def test_the_names_that_begin_with_guestpass_are_ours(name):
    """A later version may give them a meaning."""
    assert "reserved" in operations.fault_of_name(name)


@pytest.mark.parametrize(
    ("names", "path", "rule"),
    [
        pytest.param(["*", "a"], "", "cannot be mixed", id="everything and a name"),
        pytest.param(["a", "*"], "", "cannot be mixed", id="a name and everything"),
        pytest.param(["*", "*"], "", "cannot be mixed", id="everything twice"),
        pytest.param(["a"] * 65, "", "at most 64", id="65 names"),
        pytest.param(["a", "B"], "[1]", "must match", id="the second name is bad: its path says so"),
        pytest.param(["a", "guestpass.x"], "[1]", "reserved", id="a reserved name"),
        pytest.param(["a" * 64] * 16 + ["b"], "", "1024 bytes", id="1025 bytes together"),
    ],
)
def test_a_list_that_breaks_a_rule_is_refused_with_the_place(names, path, rule):
    where, what = operations.fault_of_list(names)
    assert where == path
    assert rule in what


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([], id="nothing"),
        pytest.param(["*"], id="everything"),
        pytest.param([f"a{number}" for number in range(64)], id="64 names"),
        pytest.param(["a" * 64] * 16, id="1024 bytes exactly"),
        pytest.param(["a", "a"], id="a name twice"),
        pytest.param(["guestpass.query"], id="a name of ours"),
    ],
)
def test_a_list_within_the_bounds_is_good(names):
    assert operations.fault_of_list(names) is None


@pytest.mark.parametrize(
    ("names", "scope"),
    [(None, "*"), (["*"], "*"), ([], ""), (["b", "a", "b"], "a b"), (["b:x", "b-x", "b.x", "b_x"], "b-x b.x b:x b_x")],
)
def test_a_list_becomes_a_scope(names, scope):
    """Absent and ["*"] are everything, [] is nothing, the rest is sorted and each name stands once."""
    assert operations.scope_of(names) == scope


@given(LISTS)
def test_names_go_into_a_scope_and_come_back_sorted(names):
    assert operations.names_of(operations.scope_of(names)) == sorted(set(names))


@given(SCOPES, SCOPES, NAMES)
def test_what_two_scopes_allow_together_both_allow(requested, ceiling, name):
    """Never wider than either, never narrower than both, and sorted like every scope."""
    both = operations.within(requested, ceiling)
    assert operations.allows(both, name) == (operations.allows(requested, name) and operations.allows(ceiling, name))
    names = operations.names_of(both)
    assert names == sorted(set(names))


@given(SCOPES, SCOPES)
def test_each_name_of_an_intersection_is_of_both(requested, ceiling):
    for name in operations.names_of(operations.within(requested, ceiling)):
        assert operations.allows(requested, name)
        assert operations.allows(ceiling, name)


def test_everything_within_everything_is_everything():
    assert operations.within("*", "*") == "*"
    assert operations.within("*", "a b") == "a b"
    assert operations.within("a b", "*") == "a b"
    assert operations.within("", "*") == ""
    assert operations.within("*", "") == ""


def test_everything_includes_our_own_operations():
    assert operations.allows("*", "guestpass.query")
    assert not operations.allows("read_invoices", "guestpass.query")
