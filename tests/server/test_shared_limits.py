"""Limits over several servers, which add up their counts in a real Valkey; and without it, whatever became of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys

import pytest
import redis

from guestpass.server.http.counting import Counter
from guestpass.server.http.shared_counts import CONNECTIONS_MAX, PAUSE_SECONDS, SharedCounts
from servers.valkey import Valkey
from world import Clock, World

OTHER = "198.51.100.4"


@contextlib.asynccontextmanager
async def two_servers(url, **settings):
    """Two servers that share their counts; alike in all else, so that both know the key of ``host``."""
    async with World.opened(redis_url=url, **settings) as one, World.opened(redis_url=url, **settings) as other:
        yield one, other


async def guess(world, **options):
    return (await world.http.get("/v1/sessions", bearer="sk_test_" + "0" * 49, **options)).status


async def mint(world):
    return (await world.host.post("/v1/session-tokens", {"externalUserId": "ada"})).status


async def settled(*worlds):
    for world in worlds:
        await world.service.limits.settled()


def events(world):
    return [line["event"] for line in world.log_lines if line["event"].startswith("limits_")]


async def test_failures_at_two_servers_count_together(redis_url):
    async with two_servers(redis_url, failures_per_minute=6) as (one, other):
        got = [await guess(world) for world in (one, other, other, one, one, one)]
        assert got == [401] * 6
        assert [await guess(other), await guess(one)] == [429, 429]
        assert await guess(other, peer=OTHER) == 401
        assert await one.mint()


async def test_one_key_at_two_servers_mints_as_often_as_at_one(redis_url):
    async with two_servers(redis_url, mints_per_minute=10) as (one, other):
        got = await asyncio.gather(*(mint(world) for world in [one, other] * 20))
        assert sorted(got) == [201] * 10 + [429] * 30


async def test_a_server_that_is_asked_late_knows_what_the_other_counted(redis_url):
    """Also in the minute after, of which the one before is a part."""
    async with two_servers(redis_url, mints_per_minute=10) as (one, other):
        assert [await mint(one) for _ in range(10)] == [201] * 10
        refused = await other.host.post("/v1/session-tokens", {"externalUserId": "ada"})
        assert refused.status == 429
        for world in (one, other):
            world.clock.advance(seconds=int(refused.header("retry-after")) - 1.1)
        assert await mint(other) == 429
        for world in (one, other):
            world.clock.advance(seconds=1.1)
        assert [await mint(other), await mint(one)] == [201, 429]


async def test_a_great_limit_is_passed_by_a_hundredth_a_server_at_most(redis_url):
    async with two_servers(redis_url, failures_per_minute=1000) as (one, other):
        got = [await guess(random.choice([one, other])) for _ in range(1500)]
        assert 1000 <= got.count(401) <= 1020
        assert [await guess(one), await guess(other)] == [429, 429]


async def test_pages_at_two_servers_count_together(redis_url):
    async with two_servers(redis_url, browser_requests_per_minute=4) as (one, other):
        got = []
        for world in [one, other] * 4:
            got.append((await world.http.get("/test/.well-known/jwks.json")).status)
            await settled(world)
        # Nobody waits for what is told, so each learns of the other's last one when it has told its own.
        assert got == [200] * 5 + [429] * 3


async def test_the_path_of_a_good_credential_asks_nobody(redis_url):
    """Under the limits that a server has by default."""
    async with World.opened(redis_url=redis_url) as world:
        ada = await world.mint("ada")
        for _ in range(20):
            assert await ada.lives()
            assert await mint(world) == 201
            assert (await world.host.get("/v1/sessions")).status == 200
        await settled(world)
    with redis.Redis.from_url(redis_url) as asking:
        assert asking.dbsize() == 0


async def test_what_is_kept_is_counts_that_end(redis_url):
    async with World.opened(redis_url=redis_url, failures_per_minute=5, mints_per_minute=5) as world:
        await guess(world)
        await world.mint("ada")
    with redis.Redis.from_url(redis_url) as asking:
        keys = {key.decode(): asking.get(key) for key in asking.scan_iter()}
        assert len(keys) == 2
        assert set(keys.values()) == {b"1"}
        assert all(0 < asking.ttl(key) <= 180 for key in keys)
        assert not any(world.host.secret in key or "ada" in key for key in keys)


async def test_two_installations_in_one_valkey_do_not_mix(redis_url):
    clock = Clock()
    one, other = (SharedCounts.at(redis_url, name, clock) for name in ("https://one.example", "https://other.example"))
    assert [await _tell(one), await _tell(other)] == [0, 0]
    assert await _tell(other) > 0
    await one.close()
    await other.close()


async def _tell(shared, subject="203.0.113.7", limit=1):
    """Tell of one that a server counted which knows of nothing else."""
    counter = Counter("failures", shared._clock)
    counter.add(subject)
    return await shared.seconds_to_wait(counter, subject, limit)


# Bad days


@pytest.fixture
def valkey(home):
    """A server of one's own, to be maltreated."""
    server = Valkey.made(home)
    yield server
    with contextlib.suppress(ProcessLookupError):
        server.kill()


async def test_emptied_it_lets_nobody_begin_anew_where_he_was_counted(valkey):
    async with two_servers(valkey.url, mints_per_minute=6) as (one, other):
        assert [await mint(one) for _ in range(6)] == [201] * 6
        valkey.flush()
        assert await mint(one) == 429
        assert [await mint(other) for _ in range(7)] == [201] * 6 + [429]  # it knew of nothing, and nobody could tell


async def test_killed_while_requests_come_it_fails_none(valkey):
    async with two_servers(valkey.url, mints_per_minute=50, failures_per_minute=50) as (one, other):
        ada = await one.mint("ada")
        under_way = [asyncio.ensure_future(call(world)) for world in [one, other] * 10 for call in (mint, guess)]
        await asyncio.sleep(0)
        valkey.kill()
        assert set(await asyncio.gather(*under_way)) == {201, 401}
        for world in (one, other):
            assert await mint(world) == 201
            assert await guess(world) == 401
            assert (await world.host.get("/v1/sessions")).status == 200
        await ada.end()
        assert not await ada.lives()


async def test_without_it_each_server_limits_by_what_it_knows(valkey):
    async with two_servers(valkey.url, mints_per_minute=6) as (one, other):
        assert [await mint(one) for _ in range(3)] == [201] * 3
        valkey.kill()
        assert [await mint(one) for _ in range(4)] == [201] * 3 + [429]
        assert [await mint(other) for _ in range(7)] == [201] * 6 + [429]


async def test_its_end_and_its_return_are_logged_once(valkey):
    async with World.opened(redis_url=valkey.url, failures_per_minute=50) as world:
        valkey.kill()
        for _ in range(5):
            assert await guess(world) == 401
        world.clock.advance(seconds=PAUSE_SECONDS)
        assert await guess(world) == 401
        assert events(world) == ["limits_not_shared"]
        valkey.start()
        assert await guess(world) == 401  # not tried again so soon
        assert events(world) == ["limits_not_shared"]
        world.clock.advance(seconds=PAUSE_SECONDS)
        assert [await guess(world) for _ in range(3)] == [401] * 3
        assert events(world) == ["limits_not_shared", "limits_shared_again"]


async def test_back_again_it_is_shared_again(valkey):
    async with two_servers(valkey.url, mints_per_minute=6) as (one, other):
        valkey.kill()
        assert [await mint(one), await mint(other)] == [201, 201]
        valkey.start()
        for world in (one, other):
            world.clock.advance(seconds=180)
        got = [await mint(world) for world in [one, other] * 5]
        assert got == [201] * 6 + [429] * 4


async def test_where_it_hangs_one_request_waits_and_not_all(valkey):
    """A hundred that waited for it would take longer than the test may."""
    async with World.opened(redis_url=valkey.url, failures_per_minute=99) as world:
        valkey.freeze()
        async with asyncio.timeout(20):
            assert [await guess(world) for _ in range(99)] == [401] * 99
            assert set(await asyncio.gather(*(mint(world) for _ in range(50)))) == {201}
        assert events(world) == ["limits_not_shared"]
        valkey.thaw()


async def test_a_clock_that_is_set_back_does_not_keep_it_away(valkey):
    async with World.opened(redis_url=valkey.url, failures_per_minute=50) as world:
        valkey.kill()
        await guess(world)
        valkey.start()
        world.clock.advance(seconds=-3600)
        await guess(world)
        assert events(world) == ["limits_not_shared", "limits_shared_again"]


async def test_requests_that_are_cancelled_leave_no_answer_to_another(valkey):
    """A connection on which an answer is still to come must not be used again."""
    shared = SharedCounts.at(valkey.url, "test", Clock())
    for turn in range(200):
        asked = [asyncio.ensure_future(_tell(shared, f"{turn} {n}")) for n in range(CONNECTIONS_MAX)]
        for _ in range(random.randrange(12)):
            await asyncio.sleep(0)
        for each in random.sample(asked, 8):
            each.cancel()
        waits = await asyncio.gather(*asked, return_exceptions=True)
        assert {wait for wait in waits if not isinstance(wait, asyncio.CancelledError)} == {0}
        assert (await _tell(shared, "the same", limit=100) > 0) == (turn >= 100)
    await shared.close()


async def test_a_password_that_is_wrong_is_neither_logged_nor_a_reason_not_to_answer(valkey):
    with redis.Redis.from_url(valkey.url) as asking:
        asking.config_set("requirepass", "the right one")
    url = valkey.url.replace("redis://", "valkey://:a-wrong-one@")
    async with World.opened(redis_url=url, failures_per_minute=50) as world:
        assert await guess(world) == 401
        assert events(world) == ["limits_not_shared"]
        assert "wrong-one" not in str(world.log_lines)


@pytest.mark.parametrize("url", ["redis://:p/ss@127.0.0.1", "redis://127.0.0.1:port", "valkeys://127.0.0.1:99999"])
async def test_a_url_that_cannot_be_read_stops_the_start_and_is_not_repeated(url):
    with pytest.raises(Exception, match="percent-encode") as refused:
        async with World.opened(redis_url=url):
            raise AssertionError("it opened")
    assert "ss@" not in str(refused.value)
    assert "port'" not in str(refused.value)


def test_without_its_package_the_server_says_what_to_install(tmp_path):
    code = """
import sys
sys.modules["redis"] = None
from guestpass.server.main import main
sys.exit(main())
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, "init", "--data-dir", str(tmp_path)],
        env={"GUESTPASS_REDIS_URL": "redis://127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode
    assert "pip install 'guestpass[redis]'" in ran.stderr
