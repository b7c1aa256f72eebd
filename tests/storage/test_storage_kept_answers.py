"""What was answered under a key is found in the next transaction, wherever it is kept by then, and never done twice."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from engines import EVERY_ENGINE, POSTGRESQL, SQLITE, at_once
from guestpass.errors import Conflict, IdempotencyConflict, Unavailable
from guestpass.server.idempotency import sql
from guestpass.server.idempotency.filters import Filter, place_of
from guestpass.server.idempotency.finding import Finding, known_of
from guestpass.server.idempotency.keeping import BATCH, RUN_ANSWERS, SETTLED_SECONDS, Keeping
from guestpass.server.idempotency.model import (
    CREDENTIAL_SECONDS,
    OTHER_SECONDS,
    AnsweredBefore,
    Kept,
    TwinUnderWay,
    first_of,
)
from guestpass.server.idempotency.seals import NONCE_BYTES, Seals
from guestpass.server.idempotency.service import KeptAnswers
from guestpass.server.storage.sealing import MasterKey, Sealer
from guestpass.server.storage.store import Rider

ENGINES = EVERY_ENGINE
START = 1_893_456_000
HASHING, ANOTHER = bytes([1] * 32), bytes([2] * 32)
KEY, NEXT_KEY = MasterKey(1, bytes(32)), MasterKey(2, bytes([1] * 32))


def hash_of(number):
    return hashlib.blake2b(b"%d" % number, digest_size=16).digest()


class Server:
    """One of those that share a store."""

    def __init__(self, store, finding, *keys):
        self.store = store
        self.finding = finding
        self.now = START
        self.answers = KeptAnswers(Seals(HASHING, Sealer(*keys or [KEY])), finding, self.clock, self.entropy)
        self.keeping = Keeping(store, finding, self.clock)
        self._nonces = 0

    @classmethod
    async def at(cls, store, *keys):
        return cls(store, Finding(await store.read(known_of)), *keys)

    def clock(self):
        return self.now

    def entropy(self, count):
        self._nonces += 1
        return self._nonces.to_bytes(count, "big")

    def keyed(self, key, body=b"{}", seconds=CREDENTIAL_SECONDS):
        return self.answers.keyed((bytes(16), "POST", "/things"), key.encode(), (b"", body), seconds=seconds)

    async def make(self, key, made="a thing", **options):
        """Make something under a key; return it, or what was made under it before."""
        keyed = self.keyed(key, **options)
        try:
            return await self.store.write(echo, made, [self.answers.rider(keyed)])
        except AnsweredBefore as before:
            return "again", self.answers.open(keyed, before.sealed, str)

    async def fill(self, numbers, *, seconds=CREDENTIAL_SECONDS):
        """Keep answers below the API: for their number."""
        answers = [Kept(0, hash_of(n), self.now, self.now + seconds, b"sealed") for n in numbers]
        for start in range(0, len(answers), 8192):
            await at_once(self.store, lambda tx, start=start: self.finding.append(tx, answers[start : start + 8192]))

    async def finds(self, numbers):
        """Return those that are found."""
        hashes = {hash_of(n): n for n in numbers}
        found = await at_once(self.store, lambda tx: self.finding.find(tx, list(hashes), now=self.now))
        return sorted(hashes[one] for one in found)


async def echo(_, items):
    return items


@pytest.fixture
async def server(store):
    return await Server.at(store)


async def count(store, table):
    return (await store.look_up(f"SELECT count(*) FROM {table}"))[0][0]


async def start_numbers_at(store, number):
    """Let the next answer have this number, as if all before it had been kept and forgotten."""
    if store.__class__.__name__ == "PostgresStore":
        await at_once(store, lambda tx: tx.fetch("SELECT setval('idempotency_log_number_seq', ?)", (number - 1,)))
    else:
        await at_once(store, lambda tx: sql.set_progress(tx, sql.Progress(number - 1)))


async def test_what_was_made_under_a_key_is_told_again(server):
    assert await server.make("a", "one") == "one"
    assert await server.make("b", "two") == "two"
    assert await server.make("a", "three") == ("again", "one")


async def test_another_server_finds_it_in_its_next_transaction(server, store):
    other = await Server.at(store)
    for turn in range(20):
        assert await server.make(f"mine {turn}", "one") == "one"
        assert await other.make(f"mine {turn}", "two") == ("again", "one")
        assert await other.make(f"theirs {turn}", "two") == "two"
        assert await server.make(f"theirs {turn}", "one") == ("again", "two")


async def test_what_was_rolled_back_was_never_made(server, store):
    """Its number is given to another, and nobody takes the one for the other."""

    async def nothing(_, items):
        return [None for _ in items]

    async def break_down(_, items):
        raise ValueError("a note")

    await server.make("a", "one")
    for key in ("b", "c"):
        riders = [server.answers.rider(server.keyed(key)), Rider(nothing, None, break_down)]
        with pytest.raises(ValueError, match="a note"):
            await store.write(echo, "lost", riders)
    assert await server.make("c", "three") == "three"
    assert await server.make("b", "two") == "two"
    assert [await server.make(key) for key in "abc"] == [("again", word) for word in ("one", "two", "three")]


async def test_a_twin_in_the_same_group_is_told_to_ask_again(server, store):
    outcomes = await asyncio.gather(*(server.make("a", f"{n}") for n in range(8)), return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["0"]
    assert {type(outcome) for outcome in outcomes[1:]} == {TwinUnderWay}
    assert await server.make("a") == ("again", "0")


async def test_what_was_refused_is_not_kept(server, store):
    async def refuse(_, items):
        return [Unavailable() for _ in items]

    with pytest.raises(Unavailable):
        await store.write(refuse, "a", [server.answers.rider(server.keyed("a"))])
    assert await server.make("a") == "a thing"


async def test_another_body_is_not_the_same_request(server):
    await server.make("a", body=b"1")
    with pytest.raises(IdempotencyConflict):
        await server.make("a", body=b"2")


async def test_a_new_master_key_changes_nothing_as_long_as_the_one_before_is_there(server, store):
    await server.make("a", "one")
    moving = await Server.at(store, NEXT_KEY, KEY)
    assert await moving.make("a") == ("again", "one")
    await moving.make("b", "two")
    assert await (await Server.at(store, NEXT_KEY)).make("b") == ("again", "two")


async def test_what_a_master_key_sealed_that_is_gone_is_not_told_and_not_made_again(server, store):
    """A request that is sent again ends in a conflict, for as long as it is kept."""
    await server.make("a", "one")
    later = await Server.at(store, NEXT_KEY)
    with pytest.raises(Conflict, match="cannot be told"):
        await later.make("a", "two")
    assert await later.make("b", "two") == "two"


async def test_it_can_be_had_for_as_long_as_was_said(server):
    """24 hours take it through many purges; the answers around it live for an hour."""
    await server.make("day", "one", seconds=OTHER_SECONDS)
    await server.make("hour", "one")
    for _ in range(25):
        assert await server.make("day", seconds=OTHER_SECONDS) == ("again", "one")
        server.now += 3_599
        await server.keeping.keep_up()
        await server.keeping.purge()
    assert server.now > START + OTHER_SECONDS
    assert await server.make("day", "two", seconds=OTHER_SECONDS) == "two"
    assert await server.make("hour", "two") == "two"


async def test_nothing_is_left_of_what_can_no_longer_be_had(server, store):
    await server.fill(range(3 * BATCH))
    server.now += CREDENTIAL_SECONDS - 1
    assert await server.keeping.purge() == 0
    server.now += 1
    assert await server.keeping.purge() >= 3 * BATCH
    assert await count(store, "idempotency_log") == 0
    assert await server.finds(range(100)) == []
    assert await server.make("a") == "a thing"


class TestIndex:
    """Most answers are found by an index, which on SQLite is fed in runs; where one is by now is nobody's concern."""

    async def test_every_answer_is_found_before_and_after(self, server, store):
        total = 2 * RUN_ANSWERS + 100
        sample = [*range(0, total, 997), total - 1]
        await server.fill(range(total))
        assert await server.finds(sample) == sample
        other = await Server.at(store)
        await server.keeping.keep_up()
        assert await count(store, "idempotency_index") >= 2 * RUN_ANSWERS
        for one in (server, other, await Server.at(store)):
            assert await one.finds([*sample, total, total + 1]) == sample

    async def test_a_feed_that_was_cut_off_goes_on_where_it_was(self, store, engine):
        class Failing:
            """A store that goes away after some writes."""

            def __init__(self, store):
                self.left = 7
                self.read, self.look_up, self.tally = store.read, store.look_up, store.tally

            async def write(self, act, item, riders=()):
                self.left -= 1
                if self.left < 0:
                    raise Unavailable
                return await store.write(act, item, riders)

        server = await Server.at(store)
        await server.fill(range(RUN_ANSWERS))
        cut_off = Keeping(Failing(store), server.finding, server.clock)
        if engine == SQLITE:
            with pytest.raises(Unavailable):
                await cut_off.keep_up()
            assert await count(store, "idempotency_index") == 7 * BATCH
            assert await server.finds(range(0, RUN_ANSWERS, 501)) == list(range(0, RUN_ANSWERS, 501))
        await server.keeping.keep_up()
        assert await count(store, "idempotency_index") == RUN_ANSWERS
        assert await server.finds(range(0, RUN_ANSWERS, 501)) == list(range(0, RUN_ANSWERS, 501))

    async def test_two_servers_that_feed_at_once_make_each_entry_once(self, server, store):
        other = await Server.at(store)
        await server.fill(range(RUN_ANSWERS))
        await asyncio.gather(server.keeping.keep_up(), other.keeping.keep_up())
        await asyncio.gather(server.keeping.keep_up(), other.keeping.keep_up())
        assert await count(store, "idempotency_index") == RUN_ANSWERS
        for one in (server, other):
            assert await one.finds(range(0, RUN_ANSWERS, 501)) == list(range(0, RUN_ANSWERS, 501))

    async def test_a_generation_that_is_full_is_asked_only_for_what_it_may_hold(self, server, store):
        """Its filter is made when nothing can be added to it any more; found is the same as before."""
        await start_numbers_at(store, first_of(1) - RUN_ANSWERS)
        server = await Server.at(store)
        await server.fill(range(2 * RUN_ANSWERS))
        await server.keeping.keep_up()
        assert not server.finding.known.filters
        server.now += SETTLED_SECONDS
        await server.keeping.keep_up()
        assert server.finding.known.filters.keys() == {0}
        sample = list(range(0, 2 * RUN_ANSWERS, 499))
        strangers = range(2 * RUN_ANSWERS, 2 * RUN_ANSWERS + 1000)
        assert await server.finds([*sample, *strangers]) == sample
        asked = [n for n in strangers if server.finding.known.filters[0].may_hold(place_of(hash_of(n)))]
        assert len(asked) < 10

    async def test_generations_go_when_their_answers_are_gone(self, server, store):
        await start_numbers_at(store, first_of(1) - RUN_ANSWERS)
        server = await Server.at(store)
        await server.fill(range(3 * RUN_ANSWERS))
        server.now += CREDENTIAL_SECONDS
        await server.fill(range(3 * RUN_ANSWERS, 4 * RUN_ANSWERS))
        await server.keeping.keep_up()
        await server.keeping.purge()
        await server.keeping.keep_up()
        assert await count(store, "idempotency_log") == RUN_ANSWERS
        assert (await store.look_up("SELECT min(generation) FROM idempotency_index"))[0][0] == 1
        assert server.finding.known.first == 1
        assert server.finding.known.filters.keys() <= {1}
        sample = range(0, 4 * RUN_ANSWERS, 997)
        assert await server.finds(sample) == [n for n in sample if n >= 3 * RUN_ANSWERS]


def test_a_filter_never_denies_what_it_was_told_and_seldom_affirms_what_it_was_not():
    full = Filter()
    full.add(hash_of(n) for n in range(first_of(1)))
    assert all(full.may_hold(place_of(hash_of(n))) for n in range(0, first_of(1), 101))
    wrong = sum(full.may_hold(place_of(hash_of(n))) for n in range(first_of(1), first_of(1) + 20_000))
    assert wrong < 200


async def test_one_whose_twin_is_in_another_transaction_does_not_wait_for_it(store, engine):
    """A server that froze while it answers must not hold those who share a transaction with a twin."""
    if engine != POSTGRESQL:
        pytest.skip("one writer: there is no other transaction")
    here, there = await Server.at(store), await Server.at(store)
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow(_, items):
        begun.set()
        await may_go_on.wait()
        return items

    first = asyncio.create_task(store.write(slow, "one", [there.answers.rider(there.keyed("a"))]))
    await begun.wait()
    twin, stranger = await asyncio.gather(here.make("a", "two"), here.make("b", "two"), return_exceptions=True)
    assert isinstance(twin, TwinUnderWay)
    assert stranger == "two"
    may_go_on.set()
    assert await first == "one"
    assert await here.make("a", "two") == ("again", "one")


def test_a_seal_opens_for_its_own_key_and_request_alone():
    seals = Seals(HASHING, Sealer(KEY))
    request = Server(None, None).keyed("a")
    sealed = seals.seal(request, b"made")
    assert seals.open(request, sealed) == (request.body_hash, b"made")
    for other in (request._replace(key=b"b"), request._replace(hash=bytes(16))):
        assert seals.open(other, sealed) is None
    for broken in (sealed[:-1], sealed[:NONCE_BYTES], b"", bytes([sealed[0] ^ 1]) + sealed[1:]):
        assert seals.open(request, broken) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((bytes(16), "POST", "/a", b"b"), (bytes(16), "POST", "/b", b"b")),
        ((bytes(16), "POST", "/a\n", b"b"), (bytes(16), "POST", "/a", b"b")),
        ((bytes(16), "POST", "/a", b"b"), (bytes(15) + b"\1", "POST", "/a", b"b")),
        ((bytes(16), "POST", "/a", b"b"), (bytes(16), "PUT", "/a", b"b")),
    ],
    ids=["path", "where the path ends", "API key", "method"],
)
def test_what_differs_has_another_hash(one, other):
    seals = Seals(HASHING, Sealer(KEY))
    assert seals.hash_of(*one) == seals.hash_of(*one)
    assert seals.hash_of(*one) != seals.hash_of(*other)
    assert seals.hash_of(*one) != Seals(ANOTHER, Sealer(KEY)).hash_of(*one)
