"""IP ranges: strict on the way in, merged when read, and an address that is not known lies in none."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.callers import ip_ranges
from guestpass.core.callers.ip_ranges import RANGES_MAX, fault_of_list, hold, read

GOOD = {
    "an IPv4 network": (["10.0.0.0/8"], ["10.0.0.0/8"]),
    "an address alone": (["192.0.2.7"], ["192.0.2.7/32"]),
    "an IPv6 network": (["2001:db8::/32"], ["2001:db8::/32"]),
    "an IPv6 address in full": (["2001:0DB8:0:0:0:0:0:1"], ["2001:db8::1/128"]),
    "every address of a kind": (["0.0.0.0/0", "::/0"], ["0.0.0.0/0", "::/0"]),
    "one inside another": (["10.1.0.0/16", "10.0.0.0/8"], ["10.0.0.0/8"]),
    "two halves": (["10.128.0.0/9", "10.0.0.0/9"], ["10.0.0.0/8"]),
    "the same twice": (["::1", "::1"], ["::1/128"]),
}


@pytest.mark.parametrize(("texts", "shown"), GOOD.values(), ids=GOOD)
def test_ranges_are_read_sorted_and_merged(texts, shown):
    assert fault_of_list(texts) is None
    assert [str(network) for network in read(texts)] == shown


BAD = {
    "nothing": ([], "", "at least one"),
    "too many": ([f"10.0.0.{n}" for n in range(RANGES_MAX + 1)], "", f"at most {RANGES_MAX}"),
    "a host inside a network": (["10.0.0.0/8", "10.0.0.1/8"], "[1]", "the network is 10.0.0.0/8"),
    "a name": (["example.com"], "[0]", "like 10.0.0.0/8"),
    "an empty text": ([""], "[0]", "like"),
    "a mask in place of a length": (["10.0.0.0/255.0.0.0"], "[0]", "like"),
    "a length that is too long": (["10.0.0.0/33"], "[0]", "like"),
    "leading zeros": (["010.0.0.1"], "[0]", "like"),
    "white space": ([" 10.0.0.1"], "[0]", "like"),
    "a scope": (["fe80::1%eth0"], "[0]", "like"),
    "a port": (["10.0.0.1:80"], "[0]", "like"),
    "IPv4 in the form of IPv6": (["::ffff:10.0.0.1"], "[0]", "as an IPv4 network"),
    "an IPv4 network in the form of IPv6": (["::ffff:0:0/96"], "[0]", "as an IPv4 network"),
    "other digits": (["\u0661\u0660.0.0.1"], "[0]", "like"),
}


@pytest.mark.parametrize(("texts", "where", "words"), BAD.values(), ids=BAD)
def test_what_is_no_range_is_refused_by_its_place_and_rule(texts, where, words):
    suffix, rule = fault_of_list(texts)
    assert suffix == where
    assert words in rule


def test_an_address_lies_within_or_not():
    ranges = read(["10.0.0.0/8", "2001:db8::/32"])
    assert [hold(ranges, ip_address(text)) for text in ("10.255.255.255", "2001:db8::1")] == [True, True]
    assert [hold(ranges, ip_address(text)) for text in ("11.0.0.0", "9.255.255.255", "2001:db9::")] == [False] * 3


def test_an_address_that_is_not_known_lies_in_no_range_and_anywhere_needs_none():
    assert not hold(read(["0.0.0.0/0", "::/0"]), None)
    assert not hold((), ip_address("10.0.0.1"))
    assert hold(None, None)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8))
def test_reading_what_was_shown_gives_the_same(numbers):
    """It is stored as text."""
    ranges = read([str(ip_address(number)) for number in numbers])
    assert read(map(str, ranges)) == ranges


def test_what_lies_within_is_decided_over_merged_networks():
    """Two halves hold the whole; a network of one kind holds none of the other."""
    halves = read(["10.0.0.0/9", "10.128.0.0/9"])
    assert ip_ranges.lie_within(read(["10.0.0.0/8"]), halves)
    assert not ip_ranges.lie_within(read(["::a00:0/104"]), halves)
    assert not ip_ranges.lie_within(None, halves)
    assert ip_ranges.lie_within((), halves)
