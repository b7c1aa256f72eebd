"""Where a webhook may go: every shape by which a server was ever led to a place of its own is refused."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.core.webhooks import destination

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/urls/urltestdata.json").read_text())
ABSOLUTE = [vector for vector in VECTORS if isinstance(vector, dict)]

ACCEPTED = {
    "https://example.com": ("example.com", 443),
    "https://example.com/": ("example.com", 443),
    "https://hooks.example.com/guestpass?tenant=7": ("hooks.example.com", 443),
    "https://example.com:443/hook": ("example.com", 443),
    "https://example.com:8443/hook": ("example.com", 8443),
    "https://xn--bcher-kva.example/%C3%BC": ("xn--bcher-kva.example", 443),
    "https://93.184.216.34/hook": ("93.184.216.34", 443),
    "https://[2606:4700:4700::1111]/hook": ("2606:4700:4700::1111", 443),
}
REFUSED = {
    "plain http": "http://example.com/hook",
    "no scheme": "example.com/hook",
    "no host": "https:///hook",
    "another scheme": "ftp://example.com/hook",
    "a file": "file:///etc/passwd",
    "gopher": "gopher://example.com:443/_GET",
    "scheme in capitals": "HTTPS://example.com/hook",
    "one slash": "https:/example.com/hook",
    "three slashes": "https:///example.com/hook",
    "backslashes": "https:\\\\example.com\\hook",
    "a backslash before the real host": "https://example.com\\@10.0.0.1/",
    "a user": "https://user@example.com/hook",
    "a user and a password": "https://user:pass@example.com/hook",
    "an empty user": "https://@example.com/hook",
    "a public name as user of a private host": "https://example.com@10.0.0.1/hook",
    "a user that is percent-encoded": "https://example.com%40127.0.0.1/hook",
    "a fragment": "https://example.com/hook#x",
    "a fragment that hides a host": "https://127.0.0.1#@example.com/",
    "white space before": " https://example.com/hook",
    "white space after": "https://example.com/hook ",
    "a tab within": "https://exam\tple.com/hook",
    "a line feed within": "https://example.com/\nhook",
    "a header within": "https://example.com/hook\r\nX-Evil: 1",
    "NUL": "https://example.com\x00.internal/",
    "host in capitals": "https://EXAMPLE.com/hook",
    "host with a trailing dot": "https://example.com./hook",
    "host with an empty label": "https://example..com/hook",
    "host that is percent-encoded": "https://%65xample.com/hook",
    "host in other letters": "https://exämple.com/hook",
    "full-width digits": "https://\uff11\uff12\uff17.0.0.1/hook",
    "circled digits": "https://①②⑦.⓪.⓪.①/hook",
    "ideographic full stop": "https://127。0。0。1/hook",
    "label of 64 characters": f"https://{'a' * 64}.com/",
    "label that begins with a hyphen": "https://-a.example.com/",
    "label with an underscore": "https://a_b.example.com/",
    "one label": "https://intranet/hook",
    "metadata by name": "https://metadata.google.internal/computeMetadata/v1/",
    "a printer": "https://printer.local/",
    "below localhost": "https://db.localhost/",
    "an alias of localhost": "https://localhost.localdomain/",
    "port 0": "https://example.com:0/hook",
    "port with a leading zero": "https://example.com:0443/hook",
    "port beyond the last": "https://example.com:65536/hook",
    "no port behind the colon": "https://example.com:/hook",
    "SSH": "https://example.com:22/hook",
    "mail": "https://example.com:25/hook",
    "http's port": "https://example.com:80/hook",
    "dot segments": "https://example.com/a/../hook",
    "encoded dot segments": "https://example.com/%2e%2e/hook",
    "a broken escape": "https://example.com/%zz",
    "too long": "https://example.com/" + "a" * 2048,
    "unspecified": "https://0.0.0.0/",
    "this network": "https://0.1.2.3/",
    "ten": "https://10.0.0.1/",
    "carriers' NAT": "https://100.64.0.1/",
    "metadata in carriers' NAT": "https://100.100.100.200/latest/meta-data/",
    "loopback, not the first": "https://127.0.0.2/",
    "link-local": "https://169.254.0.1/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "172.16": "https://172.16.0.1/",
    "the end of 172.16/12": "https://172.31.255.255/",
    "protocol assignments": "https://192.0.0.192/opc/v1/",
    "documentation": "https://192.0.2.1/",
    "6to4 relay": "https://192.88.99.1/",
    "192.168": "https://192.168.0.1/",
    "benchmarks": "https://198.19.255.255/",
    "a cloud's wire server": "https://168.63.129.16/",
    "multicast": "https://224.0.0.1/",
    "reserved": "https://240.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "decimal": "https://2130706433/",
    "decimal metadata": "https://2852039166/",
    "hexadecimal": "https://0x7f000001/",
    "hexadecimal parts": "https://0x7f.0x0.0x0.0x1/",
    "octal": "https://017700000001/",
    "octal parts": "https://0177.0.0.1/",
    "leading zeros": "https://127.000.000.001/",
    "leading zeros of a public one": "https://093.184.216.034/",
    "two parts": "https://127.1/",
    "three parts": "https://127.0.1/",
    "two parts of a private one": "https://10.1/",
    "one hexadecimal part at the end": "https://example.0x7f/",
    "a number at the end": "https://example.1/",
    "a part over 255": "https://127.0.0.256/",
    "five parts": "https://127.0.0.0.1/",
    "IPv6 loopback, long": "https://[0:0:0:0:0:0:0:1]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv4-mapped": "https://[::ffff:127.0.0.1]/",
    "IPv4-mapped, hexadecimal": "https://[::ffff:7f00:1]/",
    "IPv4-mapped public": "https://[::ffff:5db8:d822]/",
    "IPv4-compatible": "https://[::127.0.0.1]/",
    "IPv4-translated": "https://[::ffff:0:7f00:1]/",
    "NAT64": "https://[64:ff9b::a9fe:a9fe]/",
    "NAT64, local use": "https://[64:ff9b:1::a9fe:a9fe]/",
    "6to4": "https://[2002:7f00:1::]/",
    "Teredo": "https://[2001:0:5ef5:79fb::1]/",
    "ISATAP": "https://[2606:4700::5efe:a00:1]/",
    "unique local": "https://[fc00::1]/",
    "metadata over IPv6": "https://[fd00:ec2::254]/",
    "link-local IPv6": "https://[fe80::1]/",
    "link-local with a zone": "https://[fe80::1%25eth0]/",
    "site-local": "https://[fec0::1]/",
    "multicast IPv6": "https://[ff02::1]/",
    "documentation IPv6": "https://[2001:db8::1]/",
    "discard": "https://[100::1]/",
    "IPv6 without its shortest form": "https://[2606:4700:4700:0::1111]/",
    "IPv6 in capitals": "https://[2606:4700:4700::ABCD]/",
    "IPv6 without brackets": "https://::1/",
}  # fmt: skip
LOCAL = {
    "http://localhost:3000/hook": ("localhost", 3000),
    "https://localhost/hook": ("localhost", 443),
    "http://127.0.0.1/hook": ("127.0.0.1", 80),
    "http://[::1]:22/hook": ("::1", 22),
}


@pytest.mark.parametrize(("url", "where"), ACCEPTED.items(), ids=ACCEPTED)
def test_a_plain_https_url_is_a_destination(url, where):
    read = destination.read(url, local_allowed=False)
    assert (read.url, read.scheme, (read.host, read.port), read.is_local) == (url, "https", where, False)


@pytest.mark.parametrize("local_allowed", [False, True])
@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_a_shape_that_leads_astray_is_refused(url, local_allowed):
    """Also where this machine is allowed: by its three names, and no other."""
    with pytest.raises(ValueError, match=r"^(must|has) "):
        destination.read(url, local_allowed=local_allowed)


@pytest.mark.parametrize(("url", "where"), LOCAL.items(), ids=LOCAL)
def test_this_machine_is_a_destination_where_that_is_allowed_alone(url, where):
    read = destination.read(url, local_allowed=True)
    assert ((read.host, read.port), read.is_local) == (where, True)
    with pytest.raises(ValueError, match="must not be on this machine"):
        destination.read(url, local_allowed=False)


def accepted(vector):
    """Read the URL of a vector, with https in place of http, which changes nothing else; None where it is refused."""
    try:
        return destination.read(re.sub("^http:", "https:", vector["input"]), local_allowed=True)
    except ValueError:
        return None


@pytest.mark.parametrize("vector", ABSOLUTE, ids=lambda vector: repr(vector["input"])[:60])
def test_what_is_accepted_a_browser_reads_alike(vector):
    """Of the 900 URLs that browsers are tested with: refused, or the same host, port, path and query."""
    read = accepted(vector)
    if read is not None and ".xn--" in vector["input"]:
        assert "failure" in vector, "encoded letters that no registry lets in: a name that nobody has"
    elif read is not None:
        assert "failure" not in vector
        assert (vector["hostname"].strip("[]"), vector["username"]) == (read.host, "")
        assert (vector["port"] or "443") == str(read.port)
        assert read.url.rstrip("/").endswith((vector["pathname"] + vector["search"]).rstrip("/"))


def test_some_of_those_are_accepted():
    assert len([vector for vector in ABSOLUTE if accepted(vector)]) > 10


@given(st.text(alphabet="htps:/@[]#?%\\.0127fxa-lcoe", max_size=24))
def test_what_is_accepted_the_library_reads_alike(rest):
    try:
        read = destination.read(f"https://{rest}", local_allowed=True)
    except ValueError:
        return
    parts = urlsplit(read.url)
    assert (parts.hostname, parts.port or 443, parts.username) == (read.host, read.port, None)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111"])
def test_a_public_address_may_be_connected_to(address):
    assert destination.fault_of_ip(ip_address(address), is_local=False) is None


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_the_library_knows_as_private_is_never_connected_to(address):
    """Its tables were made from the same registries by others."""
    special = not address.is_global or address.is_multicast or address.is_reserved or address.is_link_local
    if special and str(address) not in {"192.0.0.9", "192.0.0.10"}:
        assert destination.fault_of_ip(address, is_local=False)


@given(st.ip_addresses(v=4))
def test_an_address_within_an_address_is_never_connected_to(address):
    carried = int(address)
    for prefix in (0xFFFF << 32, 0, 0x64FF9B << 96, 0x2002 << 112 | carried << 80, 0x20010000 << 96):
        assert destination.fault_of_ip(ip_address((prefix | carried).to_bytes(16, "big")), is_local=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "2606:4700::1"])
def test_localhost_is_never_another_machine(address):
    assert destination.fault_of_ip(ip_address(address), is_local=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_localhost_is_this_machine_and_nothing_else_is(address):
    assert destination.fault_of_ip(ip_address(address), is_local=True) is None
    assert destination.fault_of_ip(ip_address(address), is_local=False)
