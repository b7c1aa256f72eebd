"""A delivery goes to the address that was judged, to no other, and takes nobody's time but its own. Real sockets."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from guestpass.core.webhooks import destination
from guestpass.server.webhooks.attempts import Received
from guestpass.server.webhooks.posting import Posting, UnknownHost, resolve
from webhooks.receivers import Authority, Network, Receiver, answer

PUBLIC = "93.184.216.34"
NAME = "hooks.example.com"
HEADERS = (("webhook-id", "evt_1"), ("content-type", "application/json"))


class Resolver:
    """Says something else each time it is asked, and the last for ever."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    async def __call__(self, host, port):
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ip_address(address) for address in found]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


def to(url=f"https://{NAME}/hook?a=1", *, local_allowed=False):
    return destination.read(url, local_allowed=local_allowed)


def to_this_machine(receiver):
    return to(f"http://127.0.0.1:{receiver.port}/hook", local_allowed=True)


async def test_what_is_posted_arrives_as_it_is(authority):
    async with Receiver().listening(authority.server(NAME)) as receiver:
        network = Network(receiver)
        post = Posting(resolve=Resolver([PUBLIC]), network=network, trust=authority.trust())
        assert await post(to(), HEADERS, b'{"type":"x"}') == Received(204)
    (request,) = receiver.got
    assert (request.line, request.body) == ("POST /hook?a=1 HTTP/1.1", b'{"type":"x"}')
    assert request.headers == {
        "host": NAME, "webhook-id": "evt_1", "content-type": "application/json", "content-length": "12",
    }  # fmt: skip
    assert network.dialled == [(PUBLIC, 443)]


async def test_the_port_stands_in_the_host_header_where_it_is_another(authority):
    async with Receiver().listening(authority.server(NAME)) as receiver:
        network = Network(receiver)
        post = Posting(resolve=Resolver([PUBLIC]), network=network, trust=authority.trust())
        await post(to(f"https://{NAME}:8443"), HEADERS, b"{}")
    assert (receiver.got[0].line, receiver.got[0].headers["host"]) == ("POST / HTTP/1.1", f"{NAME}:8443")
    assert network.dialled == [(PUBLIC, 8443)]


async def test_a_name_that_changes_its_answer_leads_nowhere(authority):
    """Rebinding: what was judged is what is connected to, and nothing is resolved in between."""
    async with Receiver().listening(authority.server(NAME)) as receiver:
        network, resolver = Network(receiver), Resolver([PUBLIC], ["127.0.0.1"])
        post = Posting(resolve=resolver, network=network, trust=authority.trust())
        assert await post(to(), HEADERS, b"{}") == Received(204)
        assert (resolver.asked, network.dialled) == ([NAME], [(PUBLIC, 443)])
        assert await post(to(), HEADERS, b"{}") == Received(None, error="refused_address")
        assert network.dialled == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["100.64.0.1"], ["::1"], ["fd00::1"], ["fe80::1%1"], ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"], ["2002:a00:1::"], [PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC],
    ],
)  # fmt: skip
async def test_a_name_that_stands_for_an_inner_address_is_not_connected_to(addresses):
    """Nor to the public one of several: who has both means the other."""
    network = Network()
    assert await Posting(resolve=Resolver(addresses), network=network)(to(), HEADERS, b"{}") == Received(
        None, error="refused_address"
    )
    assert network.dialled == []


async def test_an_address_in_the_url_is_judged_like_a_name():
    network = Network()
    post = Posting(resolve=Resolver([PUBLIC]), network=network)
    with pytest.raises(ValueError, match="private"):
        to("https://10.0.0.1/")
    assert await post(to(f"https://{PUBLIC}/"), HEADERS, b"{}") == Received(None, error="connection_failed")
    assert network.dialled == [(PUBLIC, 443)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_into_a_private_range_is_not_followed(authority, status):
    moved = answer(status, "Location: http://169.254.169.254/latest/meta-data/")
    async with Receiver([moved]).listening(authority.server(NAME)) as receiver:
        network, resolver = Network(receiver), Resolver([PUBLIC])
        post = Posting(resolve=resolver, network=network, trust=authority.trust())
        assert await post(to(), HEADERS, b"{}") == Received(status)
    assert (resolver.asked, network.dialled, len(receiver.got)) == ([NAME], [(PUBLIC, 443)], 1)


async def test_the_certificate_is_held_against_the_name(authority):
    async with Receiver().listening(authority.server("other.example.com")) as receiver:
        post = Posting(resolve=Resolver([PUBLIC]), network=Network(receiver), trust=authority.trust())
        assert await post(to(), HEADERS, b"{}") == Received(None, error="tls_failed")
    assert receiver.got == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(authority):
    async with Receiver().listening(authority.server(NAME)) as receiver:
        post = Posting(resolve=Resolver([PUBLIC]), network=Network(receiver))
        assert await post(to(), HEADERS, b"{}") == Received(None, error="tls_failed")
    assert receiver.got == []


async def test_the_second_address_is_tried_where_nobody_is_at_the_first(authority):
    async with Receiver().listening(authority.server(NAME)) as receiver:
        vacant = Receiver()
        async with vacant.listening():
            pass
        network = Network(vacant, receiver)
        post = Posting(resolve=Resolver([PUBLIC, "8.8.8.8"]), network=network, trust=authority.trust())
        assert await post(to(), HEADERS, b"{}") == Received(204)
    assert network.dialled == [(PUBLIC, 443), ("8.8.8.8", 443)]


async def test_a_receiver_that_hangs_is_given_up():
    async with Receiver(hangs=True).listening() as receiver:
        received = await Posting(total_seconds=0.05)(to_this_machine(receiver), HEADERS, b"{}")
    assert received == Received(None, error="timeout")


async def test_a_name_server_that_hangs_is_given_up():
    async def hangs(host, port):
        await asyncio.Event().wait()

    assert await Posting(resolve=hangs, total_seconds=0.05)(to(), HEADERS, b"{}") == Received(None, error="timeout")


async def test_of_an_endless_answer_only_the_beginning_is_read():
    async with Receiver(is_endless=True).listening() as receiver:
        assert await Posting()(to_this_machine(receiver), HEADERS, b"{}") == Received(200)
    assert receiver.sent < 16 * 2**20, "what the kernel's buffers took, and no more"


async def test_a_receiver_on_this_machine_is_reached_by_its_three_names():
    async with Receiver().listening() as receiver:
        for host in ("127.0.0.1", "localhost"):
            to_it = to(f"http://{host}:{receiver.port}/hook", local_allowed=True)
            assert await Posting()(to_it, HEADERS, b"{}") == Received(204)


async def test_localhost_that_stands_for_another_machine_is_refused():
    network = Network()
    post = Posting(resolve=Resolver([PUBLIC]), network=network)
    assert await post(to("http://localhost/", local_allowed=True), HEADERS, b"") == Received(
        None, error="refused_address"
    )
    assert network.dialled == []


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (answer(429, "Retry-After: 120"), Received(429, "120")),
        (answer(503, "retry-after: soon"), Received(503, "soon")),
        (b"nonsense\r\n\r\n", Received(None, error="bad_answer")),
        (b"", Received(None, error="bad_answer")),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", Received(None, error="bad_answer")),
    ],
    ids=["seconds", "another Retry-After", "no HTTP", "closed", "endless header"],
)
async def test_what_is_answered_is_told_as_it_came(sent, received):
    async with Receiver([sent]).listening() as receiver:
        assert await Posting()(to_this_machine(receiver), HEADERS, b"{}") == received


async def test_the_system_is_asked_for_a_name():
    assert ip_address("127.0.0.1") in await resolve("localhost", 80)
    with pytest.raises(UnknownHost):
        await resolve("no.such.host.invalid", 443)
