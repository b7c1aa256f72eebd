"""Where a call came from: nobody chooses his own address, and no proxy's word counts unless it is trusted."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.callers.client_address import HOPS_MAX, TrustedProxies, networks_of

OURS = TrustedProxies(networks_of("10.0.0.0/8, 2001:db8:f::/48, 192.0.2.7"))
PROXIES = st.one_of(
    st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="2001:db8:f::/48"), st.just("192.0.2.7")
).map(str)
STRANGERS = st.one_of(
    st.ip_addresses(v=4, network="203.0.113.0/24"), st.ip_addresses(v=6, network="2001:db8:1::/48")
).map(str)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"x-forwarded-for", b"forwarded", b"x-real-ip", b"host", b"x-forwarded-host"]),
        st.one_of(st.binary(max_size=60), st.lists(STRANGERS | PROXIES, max_size=4).map(", ".join).map(str.encode)),
    ),
    max_size=4,
)


def forwarded(*values):
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


def client(peer, *values, proxies=OURS):
    found = proxies.client_of(peer, forwarded(*values))
    return None if found is None else str(found.ip)


@given(STRANGERS, HEADERS)
def test_a_stranger_is_who_he_is_whatever_he_sends(peer, headers):
    assert str(OURS.client_of(peer, headers).ip) == peer


@given(STRANGERS | PROXIES, HEADERS)
def test_where_no_proxy_is_trusted_no_header_is_believed(peer, headers):
    assert str(TrustedProxies().client_of(peer, headers).ip) == peer


@given(st.text(st.characters(max_codepoint=255), max_size=80), STRANGERS, st.lists(PROXIES, min_size=1, max_size=4))
def test_what_a_client_sends_before_it_reaches_a_trusted_proxy_changes_nothing(sent, stranger, chain):
    """Each proxy writes, at the right, who called it; the first of them was called by the stranger."""
    *written, peer = chain
    assert client(peer, ", ".join([sent, stranger, *written])) == stranger


@given(st.lists(PROXIES, min_size=1, max_size=4), st.data())
def test_several_headers_are_one_list(chain, data):
    """RFC 9110 section 5.3."""
    whole = ["203.0.113.9", *chain]
    cut = data.draw(st.integers(0, len(whole)))
    parts = [", ".join(part) for part in (whole[:cut], whole[cut:]) if part]
    assert client("10.0.0.1", *parts) == "203.0.113.9"


@given(st.none() | st.text(max_size=60), HEADERS)
def test_anything_is_an_address_or_none(peer, headers):
    found = OURS.client_of(peer, headers)
    assert found is None or ipaddress.ip_address(str(found.ip))


CHAINS = {
    "the proxy itself calls": ("10.0.0.1", [], "10.0.0.1"),
    "all who wrote are trusted: the farthest": ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    "white space around": ("10.0.0.1", [" 203.0.113.9 ,\t10.0.0.2 "], "203.0.113.9"),
    "with a port": ("10.0.0.1", ["203.0.113.9:51123"], "203.0.113.9"),
    "IPv6": ("10.0.0.1", ["2001:db8:1::9"], "2001:db8:1::9"),
    "IPv6 in brackets": ("10.0.0.1", ["[2001:db8:1::9]"], "2001:db8:1::9"),
    "IPv6 with a port": ("10.0.0.1", ["[2001:db8:1::9]:443"], "2001:db8:1::9"),
    "IPv4 as a socket for both kinds shows it": ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
}  # fmt: skip


@pytest.mark.parametrize(("peer", "values", "found"), CHAINS.values(), ids=CHAINS)
def test_a_chain_that_is_read(peer, values, found):
    assert client(peer, *values) == found


NONE = [
    "", ",", "unknown", "_hidden", "localhost", "203.0.113.9.1", "203.0.113", "203.0.113.09", "0xcb007109", "3405803785",
    "203.0.113.9:", "203.0.113.9:port", "203.0.113.9/32", "[203.0.113.9]", "[2001:db8::1", "2001:db8::1]:1", "fe80::1%eth0",
    "2001:db8:::1", '"203.0.113.9"', "for=203.0.113.9", "203.0.113.9;203.0.113.8", "203.0.113.9\x00", "\uff12\uff10\uff13.0.113.9",
    "1" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("wrong", NONE)
def test_where_a_trusted_proxy_writes_no_address_the_client_is_not_known(wrong):
    """Neither the proxy's own address is taken, nor what stands further left: an API key's ranges must not let it in."""
    raw = [(b"x-forwarded-for", b"203.0.113.5, " + wrong.encode())]
    assert OURS.client_of("10.0.0.1", raw) is None


def test_an_empty_header_of_a_trusted_proxy_is_no_word_of_a_client():
    assert client("10.0.0.1", "") == "10.0.0.1"


def test_too_many_hops_are_not_followed():
    chain = ["203.0.113.9", *["10.0.0.2"] * HOPS_MAX]
    assert client("10.0.0.1", ", ".join(chain)) == "203.0.113.9"
    assert client("10.0.0.1", ", ".join([*chain, "10.0.0.2"])) is None


def test_a_connection_without_an_address_has_no_client():
    assert client(None, "203.0.113.9") is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_its_own_group_in_both_spellings(ip):
    found = TrustedProxies().client_of(str(ip), ())
    assert found == TrustedProxies().client_of(f"::ffff:{ip}", ()) == (ip, str(ip))


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1), st.integers(64, 127))
def test_an_ipv6_group_is_the_network_of_64_bits(ip, other_machine, other_network):
    """RFC 6177: whoever has one address of it has them all."""
    if ip.ipv4_mapped:
        return
    of = TrustedProxies().client_of
    neighbour = ipaddress.IPv6Address(int(ip) >> 64 << 64 | other_machine)
    elsewhere = ipaddress.IPv6Address(int(ip) ^ 1 << other_network)
    assert of(str(neighbour), ()).group == of(str(ip), ()).group or neighbour.ipv4_mapped
    assert of(str(elsewhere), ()).group != of(str(ip), ()).group


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "ten", "10.0.0.0/8 192.0.2.7", "10.0.0.0/8,,", "10.*"])
def test_networks_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=r"does not appear|host bits"):
        networks_of(text)


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "10.0.0.0/8, ::/0"])
def test_not_everybody_can_be_trusted(everybody):
    with pytest.raises(ValueError, match="every client could choose its own"):
        networks_of(everybody)
