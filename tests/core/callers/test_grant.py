"""Nobody hands on more than he has: whatever a grant is given, and however often it is handed on."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.callers import ip_ranges
from guestpass.core.callers.api_key import ALL_CAN
from guestpass.core.callers.grant import EVERYTHING, Grant, beyond
from guestpass.core.tokens import operations

NAMES = ["a", "b", "c", "guestpass.query"]
# Few addresses close together, so that ranges meet often. None is one that is not known: from anywhere includes it, and
# every network together does not.
ADDRESSES = [ip_address(0x0A000000 + n) for n in range(16)] + [IPv6Address((0x20010DB8 << 96) + n) for n in range(16)]


def networks():
    four = st.builds(lambda n, bits: f"{IPv4Address(0x0A000000 + (n >> (32 - bits) << (32 - bits)))}/{bits}", st.integers(0, 15), st.integers(28, 32))  # fmt: skip
    six = st.builds(lambda n, bits: f"{IPv6Address((0x20010DB8 << 96) + (n >> (128 - bits) << (128 - bits)))}/{bits}", st.integers(0, 15), st.integers(124, 128))  # fmt: skip
    return st.lists(four | six | st.sampled_from(["0.0.0.0/0", "::/0"]), min_size=1, max_size=5)


grants = st.builds(
    Grant,
    can=st.sets(st.sampled_from(ALL_CAN)).map(frozenset),
    ceiling=st.just("*") | st.sets(st.sampled_from(NAMES)).map(operations.scope_of),
    ip_ranges=st.none() | networks().map(ip_ranges.read),
    expires_at=st.none() | st.integers(0, 5),
)


def may(grant, act):
    """Say whether a grant allows one act: what it calls, what its token does, from where, when."""
    can, operation, address, now = act
    return (
        can in grant.can
        and operations.allows(grant.ceiling, operation)
        and ip_ranges.hold(grant.ip_ranges, address)
        and (grant.expires_at is None or now < grant.expires_at)
    )


acts = st.tuples(
    st.sampled_from(ALL_CAN), st.sampled_from(NAMES), st.sampled_from([*ADDRESSES, None]), st.integers(0, 6)
)


@given(grants, grants, acts)
def test_what_a_gift_allows_its_giver_was_allowed(gift, own, act):
    """The guarantee itself: no act becomes possible by handing on."""
    if beyond(gift, own) is None:
        assert not may(gift, act) or may(own, act)


@given(grants, grants)
def test_a_gift_is_refused_only_where_it_allows_something_more(gift, own):
    """Not stricter than it must be: each part that is refused allows something that the giver's does not."""
    too_much = beyond(gift, own)
    if too_much is None:
        return
    if too_much.field == "can":
        assert gift.can - own.can
    elif too_much.field == "operations":
        assert [name for name in [*NAMES, "any.other"] if operations.allows(gift.ceiling, name) and not operations.allows(own.ceiling, name)]  # fmt: skip
    elif too_much.field == "ipRanges":
        around = [*ADDRESSES, ip_address("192.0.2.1"), ip_address("fe80::1"), None]
        assert [ip for ip in around if ip_ranges.hold(gift.ip_ranges, ip) and not ip_ranges.hold(own.ip_ranges, ip)]
    else:
        assert own.expires_at is not None
        assert gift.expires_at is None or gift.expires_at > own.expires_at


@given(grants, grants, grants)
def test_what_is_handed_on_twice_stays_within_the_first(first, second, third):
    if beyond(second, first) is None and beyond(third, second) is None:
        assert beyond(third, first) is None


@given(grants)
def test_everyone_may_hand_on_what_he_has_and_everything_holds_all(grant):
    assert beyond(grant, grant) is None
    assert beyond(grant, EVERYTHING) is None


OWN = Grant(can=frozenset({"mint", "manage"}), ceiling="a b", ip_ranges=ip_ranges.read(["10.0.0.0/8"]), expires_at=100)
BEYOND = {
    "a right that the giver lacks": ({"can": frozenset({"mint", "revoke"})}, "can", "revoke"),
    "one more operation": ({"ceiling": "a b c"}, "operations", "beyond"),
    "every operation": ({"ceiling": "*"}, "operations", "beyond"),
    "a wider network": ({"ip_ranges": ip_ranges.read(["8.0.0.0/5"])}, "ipRanges", "beyond"),
    "a network beside": ({"ip_ranges": ip_ranges.read(["10.1.0.0/16", "192.0.2.1"])}, "ipRanges", "beyond"),
    "from anywhere": ({"ip_ranges": None}, "ipRanges", "beyond"),
    "a second longer": ({"expires_at": 101}, "expiresAt", "later"),
    "for good": ({"expires_at": None}, "expiresAt", "later"),
}


@pytest.mark.parametrize(("more", "field", "words"), BEYOND.values(), ids=BEYOND)
def test_what_goes_beyond_is_named(more, field, words):
    too_much = beyond(replace(OWN, **more), OWN)
    assert too_much.field == field
    assert words in too_much.rule
    assert "10.0.0.0" not in too_much.rule
