"""The Valkey of the tests: emptied between them, killed, hung, and away."""

from __future__ import annotations

import pytest
import redis

from servers.valkey import Valkey, redis_url


@pytest.fixture
def server(home):
    server = Valkey.made(home, durable=True)
    yield server
    server.stop()


@pytest.fixture
def asking(server):
    with redis.Redis.from_url(server.url, socket_timeout=0.2, retry=None) as asking:
        asking.set("word", "here")
        yield asking


@pytest.mark.parametrize("word", ["one", "another"])
def test_each_test_has_an_empty_one(redis_url, word):
    with redis.Redis.from_url(redis_url) as asking:
        assert asking.dbsize() == 0
        asking.set(word, "here")


def test_an_address_in_the_environment_wins(home):
    with redis_url(home, {"GUESTPASS_TEST_REDIS_URL": "redis://elsewhere"}) as url:
        assert url == "redis://elsewhere"


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_durable_one_keeps_what_it_acknowledged(server, asking, way):
    getattr(server, way)()
    with pytest.raises(redis.ConnectionError):
        asking.get("word")
    server.start()
    assert asking.get("word") == b"here"


def test_another_is_empty_after_a_restart(home):
    server = Valkey.made(home)
    with redis.Redis.from_url(server.url) as asking:
        asking.set("word", "here")
        server.restart()
        assert asking.dbsize() == 0
    server.stop()


def test_it_can_be_emptied(server, asking):
    server.flush()
    assert asking.get("word") is None


def test_a_frozen_one_says_nothing_and_goes_on_when_it_is_thawed(server, asking):
    server.freeze()
    with pytest.raises(redis.TimeoutError):
        asking.get("word")
    server.thaw()
    assert asking.get("word") == b"here"
