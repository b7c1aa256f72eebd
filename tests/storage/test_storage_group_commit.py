"""Many acts, one transaction: each waiter gets his own answer, or nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

import pytest

from guestpass.errors import Unavailable
from guestpass.server.storage import acts, group_commit
from guestpass.server.storage.sqlite import SqliteStore, SqliteTransaction
from guestpass.server.tally import Tally


@pytest.fixture
async def store(tmp_path):
    store = SqliteStore(tmp_path / "store.sqlite3")
    with store.exclusively() as connection:
        connection.execute("CREATE TABLE notes (number INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT")
    yield store
    await store.close()


class Gate:
    """Holds the writer inside a transaction until it is opened, so that acts gather behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.may_go_on = threading.Event()

    async def __call__(self, tx, items):
        self.entered.set()
        self.may_go_on.wait()
        return items

    async def hold(self, store):
        """Return once the writer stands in the gate, with the task that waits for it."""
        holding = asyncio.create_task(store.write(self, "held"))
        await asyncio.to_thread(self.entered.wait)
        return holding


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.may_go_on.set()


async def note(tx, words):
    """Write each word and give back its row's number and itself."""
    return [
        (*await tx.fetch_one("INSERT INTO notes (word) VALUES (?) RETURNING number", (word,)), word) for word in words
    ]


async def echo(tx, items):
    return items


async def other_echo(tx, items):
    return items


async def words_in(store):
    return [row[0] for row in await store.look_up("SELECT word FROM notes ORDER BY number")]


async def gathered(store, gate, writes):
    """Let all ``writes``, (act, item) each, wait for one transaction; return outcomes and errors in their order."""
    holding = await gate.hold(store)
    waiting = [asyncio.create_task(store.write(act, item)) for act, item in writes]
    for _ in range(3):  # turns of the loop, after which all of them wait
        await asyncio.sleep(0)
    gate.may_go_on.set()
    assert await holding == "held"
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_acts_that_wait_share_one_transaction(store, gate):
    statements = []
    with store.exclusively() as connection:
        connection.set_trace_callback(statements.append)
    assert await gathered(store, gate, [(echo, n) for n in range(100)]) == list(range(100))
    assert statements.count("COMMIT") == 2, "one for the gate, one for the hundred"


async def test_no_transaction_takes_much_more_than_its_share(store, gate):
    groups = []

    async def count(tx, items):
        groups.append(len(items))
        return items

    writes = [(count, n) for n in range(acts.GROUP_MAX * 3)]
    assert len(await gathered(store, gate, writes)) == len(writes)
    assert sum(groups) == len(writes)


async def test_acts_run_in_the_order_in_which_they_came(store, gate):
    """Also where different acts alternate: a revoke between two mints stays between them."""

    async def note_loudly(tx, words):
        return await note(tx, [word.upper() for word in words])

    writes = [(note_loudly if n % 3 == 1 else note, f"word{n}") for n in range(30)]
    outcomes = await gathered(store, gate, writes)
    assert [number for number, _ in outcomes] == list(range(1, 31))
    assert await words_in(store) == [f"WORD{n}" if n % 3 == 1 else f"word{n}" for n in range(30)]


async def test_an_act_that_ends_the_transaction_costs_its_group_and_nothing_more(store, gate):
    async def end_it(tx, items):
        await tx.execute("ROLLBACK")
        raise ValueError("ended")

    outcomes = await gathered(store, gate, [(note, "a"), (end_it, None), (note, "b")])
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert await store.write(note, "c")
    assert await words_in(store) == ["c"]


def test_a_store_outlives_the_event_loop_it_was_first_used_in(tmp_path):
    """A command may run its loop twice; the second must not wait for answers that go to the first."""
    store = SqliteStore(tmp_path / "store.sqlite3")

    async def give_up_waiting():
        held = threading.Event()

        async def hold(_, items):
            return [held.wait() for _ in items]

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.write(hold, None), 0.01)
        return held

    held = asyncio.run(give_up_waiting())
    held.set()
    assert asyncio.run(store.write(echo, 2)) == 2
    asyncio.run(store.close())


class TestAHangingWriter:
    """A dead disk: the thread itself is stuck, and everyone who waits must still be answered."""

    @pytest.fixture
    async def committing(self, tmp_path):
        connection = sqlite3.connect(tmp_path / "hang.sqlite3", isolation_level=None, check_same_thread=False)
        committing = group_commit.GroupCommit(
            connection, SqliteTransaction(connection), threading.Lock(), Tally(), hang_seconds=0.2
        )
        yield committing
        await committing.close()
        connection.close()

    def test_no_request_waits_over_three_seconds(self):
        assert acts.HANG_SECONDS + acts.WATCH_SECONDS < 3

    async def test_who_waits_is_answered_and_who_comes_is_refused_at_once(self, committing, gate):
        async def outcome_of(item):
            began = time.monotonic()
            with pytest.raises(Unavailable) as refusal:
                await committing.submit(gate, item, ())
            return refusal.value, time.monotonic() - began

        stuck = asyncio.create_task(outcome_of("stuck"))
        await asyncio.to_thread(gate.entered.wait)
        behind = asyncio.create_task(outcome_of("behind"))
        for refusal, seconds in await asyncio.gather(stuck, behind):
            assert seconds < 0.2 + 2 * acts.WATCH_SECONDS
            assert refusal.retry_after_seconds
            assert "not known" in refusal.message, "the stuck act may still be committed, so nothing else may be said"
        _, seconds = await outcome_of("late")
        assert seconds < acts.WATCH_SECONDS

        gate.may_go_on.set()
        await until(lambda: committing.submit(echo, "again", ()), "again")

    async def test_what_was_refused_before_it_began_is_never_written(self, committing, gate):
        written = []

        async def write_down(_, items):
            written.extend(items)
            return items

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(refused(committing.submit(gate, "stuck", ())))
            await asyncio.to_thread(gate.entered.wait)
            tasks.create_task(refused(committing.submit(write_down, "behind", ())))
        gate.may_go_on.set()
        await until(lambda: committing.submit(write_down, "again", ()), "again")
        assert written == ["again"]

    async def test_a_slow_group_counts_for_those_who_wait_behind_it(self, committing):
        """Each group in time, but one behind the other: the wait is what a client sees."""

        async def slowly(_, items):
            time.sleep(0.15)  # noqa: ASYNC251 - a slow disk
            return items

        async def ask(item, after):
            await asyncio.sleep(after)
            began = time.monotonic()
            outcome = await asyncio.gather(committing.submit(slowly, item, ()), return_exceptions=True)
            return outcome[0], time.monotonic() - began

        answers = await asyncio.gather(*(ask(n, 0.01 * n) for n in range(8)))
        assert all(seconds < 0.2 + 2 * acts.WATCH_SECONDS for _, seconds in answers)

    async def test_close_answers_those_who_wait_for_a_dead_disk_and_does_not_wait_for_it(self, committing, gate):
        stuck = asyncio.create_task(refused(committing.submit(gate, "stuck", ())))
        await asyncio.to_thread(gate.entered.wait)
        assert await committing.close() is False
        await stuck


async def refused(waiting):
    with pytest.raises(Unavailable):
        await waiting


async def until(ask, expected):
    """Ask until it is answered, as a client with a retry does."""
    async with asyncio.timeout(5):
        while True:
            try:
                assert await ask() == expected
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                return
