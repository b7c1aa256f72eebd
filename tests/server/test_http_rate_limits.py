"""Limits: who fails too often waits, who is good does not; each minute slides, and memory is bounded."""

from __future__ import annotations

import asyncio
import ipaddress
import tracemalloc

import pytest

from guestpass.core.callers.client_address import TrustedProxies
from guestpass.errors import RateLimited
from guestpass.server.http.counting import SUBJECTS_MAX, Counter
from guestpass.server.http.exchange import Answer, Exchange
from world import START, Clock, World

OTHER = "198.51.100.4"
WRONG_KEY = "sk_test_" + "0" * 49
GUESSES = [WRONG_KEY, "sk_live_x", "", "nothing", "gp_session_test_" + "x" * 40]


async def guess(world, path="/v1/sessions", **options):
    return await world.http.get(path, bearer=options.pop("bearer", WRONG_KEY), **options)


async def statuses(count, call):
    return [(await call()).status for _ in range(count)]


# Failed credentials


async def test_an_address_that_fails_too_often_waits():
    async with World.opened(failures_per_minute=3) as world:
        assert await statuses(3, lambda: guess(world)) == [401] * 3
        refused = await guess(world)
        assert (refused.status, refused.code) == (429, "RATE_LIMITED")
        assert 0 < int(refused.header("retry-after")) <= 121


async def test_after_retry_after_it_may_fail_again():
    async with World.opened(failures_per_minute=3) as world:
        await statuses(3, lambda: guess(world))
        wait = int((await guess(world)).header("retry-after"))
        world.clock.advance(seconds=wait - 1.1)
        assert (await guess(world)).status == 429
        world.clock.advance(seconds=1.1)
        assert (await guess(world)).status == 401


@pytest.mark.parametrize("bearer", GUESSES)
async def test_a_good_credential_is_never_refused_for_failures_beside_it(bearer):
    """Key and token, from the attacker's own address, however often he failed."""
    async with World.opened(failures_per_minute=2, browser_requests_per_minute=50) as world:
        for path in ("/v1/sessions", "/v1/session"):
            await statuses(60, lambda path=path: guess(world, path, bearer=bearer))
            assert (await guess(world, path, bearer=bearer)).status == 429
        ada = await world.mint("ada")
        assert await ada.who_am_i()
        assert [session["id"] for session in await world.host.sessions()] == [ada.id]


async def test_another_address_is_not_asked_to_wait():
    async with World.opened(failures_per_minute=2) as world:
        await statuses(4, lambda: guess(world))
        assert await statuses(3, lambda: guess(world, peer=OTHER)) == [401, 401, 429]


async def test_keys_and_tokens_that_fail_count_together():
    async with World.opened(failures_per_minute=2) as world:
        assert (await guess(world)).status == 401
        assert (await guess(world, "/v1/session")).status == 401
        assert (await guess(world, "/v1/session")).status == 429
        assert (await guess(world)).status == 429


async def test_a_genuine_token_at_its_end_is_no_guess(world_of_one_failure):
    """Or an office whose tokens expire over lunch would wait, and not be told to fetch new ones."""
    world = world_of_one_failure
    ended, expired = await world.mint("ada"), await world.mint("ada", expiresIn=60)
    late = await world.mint("ada", notBefore="2030-01-01T00:01:00Z")
    await ended.end()
    for token, code in ((late, "TOKEN_NOT_YET_VALID"), (ended, "TOKEN_REVOKED"), (expired, "TOKEN_EXPIRED")):
        world.clock.advance(seconds=30)
        for _ in range(3):
            reply = await world.http.get("/v1/session", bearer=token.token)
            assert reply.code == code
    for _ in range(3):
        assert (await world.http.get("/v1/session")).code == "TOKEN_MISSING"


async def test_what_was_refused_for_another_reason_is_no_failure(world_of_one_failure):
    world = world_of_one_failure
    weak = await world.key(can=())
    for _ in range(3):
        assert (await weak.get("/v1/sessions")).code == "FORBIDDEN"
        assert (await world.host.post("/v1/session-tokens", {})).code == "VALIDATION_ERROR"
        assert (await world.host.get("/v1/sessions/sess_1")).code == "NOT_FOUND"
        assert (await world.host.post("/v1/sessions")).code == "METHOD_NOT_ALLOWED"


@pytest.fixture
async def world_of_one_failure():
    async with World.opened(failures_per_minute=1) as world:
        yield world


async def test_the_answer_says_nothing_of_what_was_sent_and_the_log_says_whose_it_was(world_of_one_failure):
    world = world_of_one_failure
    await guess(world)
    secret = "sk_test_" + "A" * 49
    refused = await guess(world, bearer=secret)
    assert secret not in refused.body.decode()
    assert "UNAUTHORIZED" not in refused.body.decode()
    line = world.log_lines[-1]
    assert (line["code"], line["internal"]) == ("RATE_LIMITED", "failures of 203.0.113.7; UNAUTHORIZED")
    assert secret not in str(line)


async def test_a_page_can_read_how_long_it_is_to_wait(world_of_one_failure):
    world = world_of_one_failure
    await guess(world, "/v1/session")
    refused = await guess(world, "/v1/session", bearer="nothing")
    assert refused.header("access-control-allow-origin") == "*"
    assert "Retry-After" in refused.header("access-control-expose-headers")
    assert refused.header("guestpass-retry") is None


async def test_zero_is_no_limit():
    async with World.opened(
        failures_per_minute=0, mints_per_minute=0, browser_requests_per_minute=0, refreshes_per_minute=0
    ) as world:
        assert set(await statuses(50, lambda: guess(world))) == {401}
        ada = [await world.mint("ada") for _ in range(50)][-1]
        assert set(await statuses(50, lambda: world.http.get("/v1/session", bearer=ada.token))) == {200}


# Who is who


async def test_a_client_cannot_name_another_address_as_its_own():
    async with World.opened(failures_per_minute=2) as world:
        for number in range(4):
            said = {
                "x-forwarded-for": f"198.51.100.{number}",
                "forwarded": f"for=198.51.100.{number}",
                "x-real-ip": OTHER,
            }
            status = (await guess(world, headers=said)).status
            assert status == (401 if number < 2 else 429)
        assert (await guess(world, peer=OTHER)).status == 401


async def test_behind_a_trusted_proxy_each_client_is_itself():
    async with World.opened(failures_per_minute=2, trusted_proxies="10.0.0.0/8") as world:
        for number in range(20):  # what stands at the left is the client's own word
            sent = {"x-forwarded-for": f"10.9.9.{number}, 203.0.113.{number}, 198.51.100.4, 10.0.0.2"}
            assert (await guess(world, peer="10.0.0.1", headers=sent)).status == (401 if number < 2 else 429)
        assert (await guess(world, peer="10.0.0.1", headers={"x-forwarded-for": "203.0.113.5"})).status == 401


async def test_a_proxy_that_is_not_trusted_makes_failures_of_all_its_clients_one():
    async with World.opened(failures_per_minute=2, trusted_proxies="192.0.2.1") as world:
        got = [
            (await guess(world, peer="10.0.0.1", headers={"x-forwarded-for": f"203.0.113.{n}"})).status
            for n in range(3)
        ]
        assert got == [401, 401, 429]
        assert (await world.host.get("/v1/sessions", peer="10.0.0.1")).status == 200


async def test_the_addresses_of_one_ipv6_network_count_together():
    """A household is given 2^64 of them."""
    async with World.opened(failures_per_minute=5) as world:
        for number in range(8):
            status = (await guess(world, peer=f"2001:db8:1:1:{number:x}::1")).status
            assert status == (401 if number < 5 else 429)
        assert (await guess(world, peer="2001:db8:1:2::1")).status == 401


async def test_addresses_that_are_not_known_count_together():
    async with World.opened(failures_per_minute=2) as world:
        assert await statuses(3, lambda: guess(world, peer=None)) == [401, 401, 429]


async def test_no_header_changes_the_address_that_we_say_is_ours():
    """Not even a trusted proxy's: the base URL is a setting."""
    async with World.opened(trusted_proxies="10.0.0.0/8") as world:
        said = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "ftp", "forwarded": "host=evil.example"}  # fmt: skip
        for path in ("/test/.well-known/oauth-authorization-server", "/openapi.json", "/v1/session"):
            reply = await world.http.get(path, headers=said, peer="10.0.0.1")
            assert b"evil.example" not in reply.body
            assert b"ftp:" not in reply.body
            assert b"http://127.0.0.1:8787" in reply.body


# Mints, and the requests of pages


async def test_a_key_mints_as_often_as_it_may():
    async with World.opened(mints_per_minute=3) as world:
        minted = [await world.host.post("/v1/session-tokens", {"externalUserId": "ada"}) for _ in range(5)]
        assert [reply.status for reply in minted] == [201, 201, 201, 429, 429]
        assert minted[3].code == "RATE_LIMITED"
        assert "3 times a minute" in minted[3].json["message"]
        assert (await world.live.post("/v1/session-tokens", {"externalUserId": "ada"})).status == 201
        assert (await world.host.get("/v1/sessions")).status == 200
        assert len(await world.host.sessions()) == 3


async def test_of_many_mints_at_once_as_many_pass_as_may():
    async with World.opened(mints_per_minute=10) as world:
        replies = await asyncio.gather(
            *(world.host.post("/v1/session-tokens", {"externalUserId": "ada"}) for _ in range(50))
        )
        assert sorted(reply.status for reply in replies) == [201] * 10 + [429] * 40


async def test_no_minute_holds_twice_the_limit():
    """At 0:59 and at 1:01 it is not as often again: the minute slides."""
    async with World.opened(mints_per_minute=10) as world:
        world.clock.advance(seconds=59)
        assert (await statuses(12, lambda: world.host.post("/v1/session-tokens", {"externalUserId": "a"}))).count(
            201
        ) == 10
        world.clock.advance(seconds=2)
        assert (await statuses(12, lambda: world.host.post("/v1/session-tokens", {"externalUserId": "a"}))).count(
            201
        ) == 0
        world.clock.advance(seconds=30)
        assert (await statuses(12, lambda: world.host.post("/v1/session-tokens", {"externalUserId": "a"}))).count(
            201
        ) == 5


async def test_a_clock_that_is_set_back_asks_nobody_to_wait_longer():
    async with World.opened(mints_per_minute=2) as world:
        await world.mint()
        world.clock.advance(seconds=-3600)
        assert await statuses(3, lambda: world.host.post("/v1/session-tokens", {"externalUserId": "a"})) == [
            201,
            201,
            429,
        ]


async def test_pages_of_one_address_have_a_limit_of_their_own():
    async with World.opened(browser_requests_per_minute=3, failures_per_minute=100) as world:
        ada = await world.mint("ada")
        assert await statuses(4, lambda: world.http.get("/v1/session", bearer=ada.token)) == [200, 200, 200, 429]
        assert (await world.http.get("/test/.well-known/jwks.json")).status == 429
        assert (await world.http.get("/test/.well-known/jwks.json", peer=OTHER)).status == 200
        assert (await world.http.get("/v1/session", bearer=ada.token, peer=OTHER)).status == 200
        assert await world.mint("ada")
        assert (await guess(world)).status == 401


async def test_requests_that_fail_take_no_room_from_those_that_do_not():
    """Also while many of them are under way, and also where they only came late or without a token."""
    async with World.opened(browser_requests_per_minute=5, failures_per_minute=100_000) as world:
        ada = await world.mint("ada")
        replies = await asyncio.gather(
            *(guess(world, "/v1/session", bearer=bearer) for bearer in GUESSES * 3),
            *(world.http.get("/v1/session", bearer=ada.token) for _ in range(5)),
            *(guess(world, "/v1/session", bearer=bearer) for bearer in GUESSES * 3),
        )
        assert [reply.status for reply in replies[15:20]] == [200] * 5
        assert {reply.status for reply in replies[:15] + replies[20:]} <= {401, 429}
        assert (await world.http.get("/v1/session", bearer=ada.token)).status == 429


async def test_tokens_past_their_end_do_not_come_without_end_either():
    """Each costs a signature's check. They are as many as good requests may be, and take no room from those."""
    async with World.opened(browser_requests_per_minute=3) as world:
        ended, ada = await world.mint("bob"), await world.mint("ada")
        await ended.end()
        assert await statuses(5, lambda: world.http.get("/v1/session", bearer=ended.token)) == [401] * 3 + [429] * 2
        assert await ada.who_am_i()


async def test_refreshes_have_a_limit_of_their_own():
    """Or a page that asks too often would sign its users out."""
    async with World.opened(browser_requests_per_minute=2, refreshes_per_minute=3) as world:
        limits, call = world.service.limits, _call_from(OTHER)
        for _ in range(2):
            await limits.answer("browser", call, _answered)
        assert [await limits.answer("refresh", call, _answered) for _ in range(3)]
        for bucket in ("browser", "refresh"):
            with pytest.raises(RateLimited):
                await limits.answer(bucket, call, _answered)


def _call_from(address):
    return Exchange({"method": "POST", "headers": [], "client": (address, 1)}, None, "req_1", TrustedProxies())


async def _answered(_):
    return Answer(200, b"{}")


async def test_a_proxy_that_asks_for_everybody_always_hears_why(world_of_one_failure):
    """nginx takes 401 and 403 for an answer, and 429 for a fault of ours."""
    replies = [await guess(world_of_one_failure, "/v1/forward-auth/test/default/-") for _ in range(5)]
    assert {reply.status for reply in replies} == {401}


async def test_a_client_secret_that_is_wrong_counts_like_any_key(world_of_one_failure):
    form = {"headers": {"content-type": "application/x-www-form-urlencoded"}, "body": b"token=a&client_id=key_1&client_secret=sk_test_1"}  # fmt: skip
    assert (await world_of_one_failure.http.post("/oauth/introspect", **form)).status == 401
    refused = await world_of_one_failure.http.post("/oauth/introspect", **form)
    assert (refused.status, refused.code) == (429, "RATE_LIMITED")


async def test_health_is_asked_as_often_as_one_likes():
    async with World.opened(browser_requests_per_minute=1, failures_per_minute=1) as world:
        for path in ("/healthz", "/readyz", "/docs"):
            assert set(await statuses(5, lambda path=path: world.http.get(path))) == {200}


# The table


@pytest.fixture
def routes(world):
    return world.app.routes.routes


async def test_every_route_for_pages_names_its_bucket(routes):
    assert [route.path for route in routes if route.browser and route.bucket is None] == []


async def test_every_route_that_mints_names_its_bucket(routes):
    assert [route.path for route in routes if route.can == "mint" and route.bucket not in ("mints", "refresh")] == []


async def test_the_description_lists_429_where_it_can_happen(world):
    paths = (await world.http.get("/openapi.json")).json["paths"]
    limited = {route.path for route in world.app.routes.routes if route.limits_failures}
    for path, operations in paths.items():
        for operation in operations.values():
            assert ("429" in operation["responses"]) == (path in limited)


# Memory


def test_a_million_addresses_take_no_more_memory_than_a_few():
    clock = Clock()
    counter = Counter("failures", clock)
    tracemalloc.start()
    for number in range(1_000_000):
        subject = str(ipaddress.IPv4Address(number))
        assert counter.seconds_to_wait(subject, 1) == 0
        counter.add(subject)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(counter) <= 2 * SUBJECTS_MAX
    assert used < 16 * 1024 * 1024


def test_who_was_counted_last_is_not_forgotten_among_many():
    counter = Counter("failures", Clock(START + 1))
    for number in range(SUBJECTS_MAX):
        counter.add(str(number))
    counter.add("the one more")
    assert counter.seconds_to_wait("the one more", 1)
    assert counter.seconds_to_wait("7", 1)
