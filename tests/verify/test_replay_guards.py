"""A token is accepted as often as it may be used: by many at once, over a restart, and with bounded memory."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from verifying import Api

from guestpass import MemoryReplayGuard, RedisReplayGuard, SqliteReplayGuard
from guestpass.errors import Unavailable
from guestpass.testing import START, FakeClock
from guestpass.verify import Use, replay
from servers.valkey import Valkey

HOUR = 3600
NOW = int(START)


def use_of(name="a", uses=1, *, issued_at=NOW, expires_at=NOW + HOUR, now=NOW):
    return Use(key=f"{name:0>64}", uses=uses, issued_at=issued_at, expires_at=expires_at, now=now)


def memory(_request):
    return MemoryReplayGuard(clock=lambda: START)


def sqlite(request):
    path = request.getfixturevalue("tmp_path") / "guard.sqlite"
    guard = SqliteReplayGuard(path, clock=lambda: START)
    request.addfinalizer(guard.close)
    return guard


def over_redis(request):
    guard = RedisReplayGuard(request.getfixturevalue("redis_url"))
    request.addfinalizer(guard.close)
    return guard


@pytest.fixture(params=[memory, sqlite, over_redis], ids=["memory", "sqlite", "redis"])
def guard(request):
    return request.param(request)


# What every guard does


@pytest.mark.parametrize("uses", [1, 2, 5])
def test_a_token_is_accepted_so_many_times_and_no_more(guard, uses):
    assert [guard.use(use_of(uses=uses)) for _ in range(uses + 3)] == [True] * uses + [False] * 3


def test_tokens_are_counted_each_by_itself(guard):
    assert [guard.use(use_of(name)) for name in "abcab"] == [True, True, True, False, False]


def test_of_a_hundred_who_come_at_once_exactly_as_many_are_accepted(guard):
    with ThreadPoolExecutor(32) as threads:
        accepted = list(threads.map(lambda _: guard.use(use_of(uses=3)), range(100)))
    assert accepted.count(True) == 3


def test_a_token_from_before_the_guard_began_is_refused(guard):
    """It may have been used by then: nobody knows. Its browser fetches a new one."""
    guard.use(use_of("first"))
    old = use_of("old", issued_at=1)
    assert not guard.use(old)


def test_a_count_that_may_have_been_dropped_is_not_begun_anew(guard):
    """A clock that was ahead for a while drops what seems to be over; set back, it revives nothing."""
    assert guard.use(use_of("a", expires_at=NOW + 60))
    many = 2 * replay._SWEEP_FIRST if isinstance(guard, MemoryReplayGuard) else 3  # memory is swept when it pays
    for number in range(many):
        guard.use(use_of(f"{number}", now=NOW + HOUR, expires_at=NOW + 2 * HOUR))
    assert not guard.use(use_of("a", expires_at=NOW + 60, now=NOW))


# Memory


def test_memory_holds_living_tokens_only():
    guard = MemoryReplayGuard(clock=lambda: START)
    for number in range(20_000):
        now = NOW + number
        assert guard.use(use_of(str(number), issued_at=now, expires_at=now + 100, now=now))
    assert len(guard) <= 2 * replay._SWEEP_FIRST


def test_memory_that_is_full_of_living_tokens_accepts_no_more():
    """Rather than forgetting one of them."""
    guard = MemoryReplayGuard(entries_max=10, clock=lambda: START)
    for number in range(10):
        assert guard.use(use_of(str(number), uses=2, expires_at=NOW + 100 + number))
    with pytest.raises(Unavailable):
        guard.use(use_of("one more"))
    assert guard.use(use_of("3", uses=2, expires_at=NOW + 103)), "those that are there go on"
    assert guard.use(use_of("one more", now=NOW + 100, expires_at=NOW + HOUR)), "and one leaves when it ends"
    assert len(guard) == 10


def test_a_restart_refuses_what_was_issued_before_it():
    clock = FakeClock()
    assert MemoryReplayGuard(clock=clock).use(use_of())
    clock.advance(seconds=1)
    restarted = MemoryReplayGuard(clock=clock)
    assert not restarted.use(use_of())
    assert restarted.use(use_of("new", issued_at=NOW + 1))


# SQLite


def test_a_file_remembers_over_a_restart(tmp_path):
    path = tmp_path / "guard.sqlite"
    first = SqliteReplayGuard(path, clock=lambda: START)
    assert first.use(use_of(uses=2))
    first.close()
    second = SqliteReplayGuard(path, clock=lambda: START + HOUR)
    assert [second.use(use_of(uses=2)) for _ in range(2)] == [True, False]
    assert second.use(use_of("b")), "the file began before the restart: what was issued then is known"
    second.close()


USES_EIGHT_TIMES = """
import sys
from guestpass.verify import SqliteReplayGuard, Use
guard = SqliteReplayGuard(sys.argv[1], clock=lambda: 0)
print([guard.use(Use("a", 10, 1, 100, 1)) for _ in range(8)].count(True))
guard.close()
"""


def test_processes_share_a_file(tmp_path):
    command = [sys.executable, "-c", USES_EIGHT_TIMES, tmp_path / "guard.sqlite"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(process.communicate()[0]) for process in processes) == 10


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_opens_the_file_for_itself(tmp_path):
    guard = SqliteReplayGuard(tmp_path / "guard.sqlite", clock=lambda: START)
    assert guard.use(use_of(uses=2))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        accepted = [guard.use(use_of(uses=2)) for _ in range(2)]
        os.write(writer, repr(accepted).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"[True, False]"
    assert not guard.use(use_of(uses=2))
    guard.close()


def test_a_file_holds_living_tokens_only(tmp_path):
    path = tmp_path / "guard.sqlite"
    guard = SqliteReplayGuard(path, clock=lambda: START)
    for number in range(500):
        now = NOW + number
        guard.use(use_of(str(number), issued_at=now, expires_at=now + 10, now=now))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM uses").fetchone()[0] <= 12
    connection.close()
    guard.close()


def test_a_file_that_cannot_be_used_accepts_nothing(tmp_path):
    with pytest.raises(Unavailable, match="replay guard"):
        SqliteReplayGuard(tmp_path / "nowhere" / "guard.sqlite")
    guard = SqliteReplayGuard(tmp_path / "guard.sqlite", clock=lambda: START)
    other = sqlite3.connect(tmp_path / "guard.sqlite", isolation_level=None)
    other.execute("DROP TABLE uses")
    with pytest.raises(Unavailable):
        guard.use(use_of())
    other.close()
    guard.close()


# Redis and Valkey


@pytest.fixture
def server(home):
    """A Valkey of one's own, to be ended and emptied."""
    return Valkey.made(home)


def issued_after(guard, seconds=HOUR):
    return guard.use(use_of("after", issued_at=NOW + seconds, expires_at=NOW + 2 * seconds, now=NOW + seconds))


def test_a_server_that_was_emptied_counts_from_then_on(redis_url):
    guard = RedisReplayGuard(redis_url)
    assert guard.use(use_of(uses=2))
    with redis.Redis.from_url(redis_url) as operator:
        operator.flushall()
    assert not guard.use(use_of(uses=2, now=NOW + 1)), "nobody knows whether it was used twice"
    assert issued_after(guard)
    guard.close()


@pytest.mark.parametrize("durable", [True, False])
def test_a_server_that_was_restarted_counts_from_then_on(home, durable):
    """Whatever it kept on disk: what it had not written yet is lost, and nobody can tell."""
    server = Valkey.made(home, durable=durable)
    guard = RedisReplayGuard(server.url)
    assert guard.use(use_of(uses=5))
    server.kill()
    server.start()
    assert not guard.use(use_of(uses=5, now=NOW + 1))
    assert issued_after(guard)
    guard.close()
    server.stop()


def test_a_server_that_is_gone_accepts_nothing(server):
    guard = RedisReplayGuard(server.url)
    guard.use(use_of("a"))
    server.stop()
    with pytest.raises(Unavailable, match="Redis") as refused:
        guard.use(use_of("b"))
    assert refused.value.retry_after_seconds
    server.start()
    assert issued_after(guard)
    guard.close()
    server.stop()


def test_a_server_that_hangs_accepts_nothing(server):
    guard = RedisReplayGuard(server.url)
    server.freeze()
    try:
        with pytest.raises(Unavailable):
            guard.use(use_of())
    finally:
        server.thaw()
        guard.close()
        server.stop()


def test_a_guard_may_be_made_before_its_server_runs(server):
    server.stop()
    guard = RedisReplayGuard(server.url)
    server.start()
    assert issued_after(guard)
    guard.close()
    server.stop()


def test_a_server_that_may_evict_what_it_counted_is_refused(server):
    """A count that is gone would be a use for free."""
    with redis.Redis.from_url(server.url) as operator:
        operator.config_set("maxmemory", 100 * 1024 * 1024)
        operator.config_set("maxmemory-policy", "allkeys-lru")
        guard = RedisReplayGuard(server.url)
        with pytest.raises(Unavailable, match="noeviction"):
            guard.use(use_of())
        operator.config_set("maxmemory-policy", "noeviction")
        assert guard.use(use_of())
        guard.close()
    server.stop()


def test_a_server_holds_living_tokens_only(redis_url):
    """Each count has an end of its own: that of its token."""
    guard = RedisReplayGuard(redis_url)
    guard.use(use_of(expires_at=NOW + 60))
    with redis.Redis.from_url(redis_url) as operator:
        [key] = [key for key in operator.scan_iter() if not key.endswith(b"began")]
        assert operator.expiretime(key) == NOW + 60
    guard.close()


def test_guards_of_several_processes_count_together(redis_url):
    guards = [RedisReplayGuard(redis_url) for _ in range(4)]
    with ThreadPoolExecutor(16) as threads:
        accepted = list(threads.map(lambda n: guards[n % 4].use(use_of(uses=7)), range(64)))
    assert accepted.count(True) == 7
    for guard in guards:
        guard.close()


def test_a_client_of_ones_own_is_taken(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        guard = RedisReplayGuard(client)
        assert [guard.use(use_of()) for _ in range(2)] == [True, False]


# In a verifier


@pytest.fixture(params=["sync", "async"])
def api(request, issuer, guard):
    return Api(issuer, request.param, replay_guard=guard)


def test_a_verifier_accepts_a_one_time_token_once(api, issuer):
    token, twice = issuer.mint(max_uses=1), issuer.mint(max_uses=2)
    assert api.codes(token, token, twice, twice, twice) == ["ok", "TOKEN_REPLAYED", "ok", "ok", "TOKEN_REPLAYED"]


def test_a_use_counts_only_after_every_other_check(api, issuer):
    token = issuer.mint(max_uses=1, not_before=NOW + 60)
    assert api.code(token) == "TOKEN_NOT_YET_VALID"
    issuer.suspend(token)
    api.clock.advance(seconds=60)
    assert api.code(token) == "SESSION_SUSPENDED"
    issuer.resume(token)
    api.clock.advance(seconds=5)
    assert api.codes(token, token) == ["ok", "TOKEN_REPLAYED"]


def test_a_token_that_is_used_up_stays_so_until_its_leeway_is_over(api, issuer):
    token = issuer.mint(max_uses=1, expires_in=60)
    assert api.code(token) == "ok"
    api.clock.advance(seconds=64)
    assert api.code(token) == "TOKEN_REPLAYED"
    api.clock.advance(seconds=1)
    assert api.code(token) == "TOKEN_EXPIRED"


def test_tokens_of_two_issuers_with_one_jti_are_two(service, guard):
    one, two = service.issuer("test"), service.issuer("live")
    tokens = [each.mint(max_uses=1, jti="same") for each in (one, two)]
    codes = [Api(each, replay_guard=guard).code(token) for each, token in zip((one, two), tokens, strict=True)]
    assert codes == ["ok", "ok"]


class BrokenGuard:
    def use(self, _use):
        raise Unavailable("The guard is away.")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_guard_that_does_not_answer_accepts_nothing(issuer, kind):
    api = Api(issuer, kind, replay_guard=BrokenGuard())
    assert api.code(issuer.mint(max_uses=1)) == "UNAVAILABLE"
    assert api.code(issuer.mint()) == "ok", "who counts no uses needs no guard"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_without_a_guard_a_token_with_max_uses_is_refused_offline(issuer, kind):
    assert Api(issuer, kind).code(issuer.mint(max_uses=1)) == "TOKEN_TYPE_MISMATCH"
