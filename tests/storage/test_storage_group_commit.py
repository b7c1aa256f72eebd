"""Many acts, one transaction: each waiter gets his own answer, or nothing."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time

import pytest

from guestpass.errors import NotFound, Unavailable
from guestpass.server.storage import acts, group_commit
from guestpass.server.storage.sqlite import SqliteStore, SqliteTransaction
from guestpass.server.storage.store import Rider
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


async def break_on_poison(tx, words):
    """Write each word, and fall over one of them after it was written."""
    outcomes = await note(tx, words)
    if "poison" in words:
        raise ValueError("poison")
    return outcomes


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


async def test_what_breaks_an_act_is_raised_to_the_one_it_broke_on(store, gate):
    """Strangers share a transaction; one's poison must not be another's error."""
    words = ["a", "b", "poison", "c"]
    outcomes = await gathered(store, gate, [(break_on_poison, word) for word in words] + [(note, "d")])
    assert isinstance(outcomes[2], ValueError)
    assert [outcome[1] for outcome in outcomes if not isinstance(outcome, Exception)] == ["a", "b", "c", "d"]
    assert await words_in(store) == ["a", "b", "c", "d"], "what the poisoned item wrote was rolled back"


async def test_wrong_sql_is_the_acts_own_fault(store, gate):
    """It is neither the neighbours' problem nor a reason to try again."""

    async def wrong(tx, items):
        return await tx.fetch("SELECT * FROM no_such_table")

    outcomes = await gathered(store, gate, [(note, "a"), (wrong, None), (note, "b")])
    assert isinstance(outcomes[1], sqlite3.OperationalError)
    assert await words_in(store) == ["a", "b"]


async def test_a_value_that_sqlite_cannot_hold_hits_its_own_item_alone(store, gate):
    async def put(tx, numbers):
        return [
            (await tx.fetch_one("INSERT INTO notes VALUES (?, 'word') RETURNING number", (number,)))[0]
            for number in numbers
        ]

    outcomes = await gathered(store, gate, [(put, 1), (put, 2**63), (put, 2), (put, 1)])
    assert (outcomes[0], outcomes[2]) == (1, 2)
    assert isinstance(outcomes[1], OverflowError)
    assert isinstance(outcomes[3], sqlite3.IntegrityError)


async def test_a_refusal_reaches_only_the_one_it_is_for(store, gate):
    async def refuse_odd(tx, numbers):
        return [NotFound(str(number)) if number % 2 else number for number in numbers]

    outcomes = await gathered(store, gate, [(refuse_odd, n) for n in range(20)])
    assert [str(one) if isinstance(one, NotFound) else one for one in outcomes] == [
        str(n) if n % 2 else n for n in range(20)
    ]


async def test_an_act_that_loses_count_harms_nobody_else(store, gate):
    """Its outcomes cannot be told apart, so each item is asked alone; nobody gets a neighbour's."""

    async def forget_one(tx, items):
        return items[1:] if len(items) > 1 else items

    async def forget_all(tx, items):
        return []

    outcomes = await gathered(store, gate, [(forget_one, 1), (forget_one, 2), (forget_all, 3), (echo, 4)])
    assert outcomes[:2] == [1, 2]
    assert isinstance(outcomes[2], RuntimeError)
    assert outcomes[3] == 4


async def test_an_act_that_ends_the_transaction_costs_its_group_and_nothing_more(store, gate):
    async def end_it(tx, items):
        await tx.execute("ROLLBACK")
        raise ValueError("ended")

    outcomes = await gathered(store, gate, [(note, "a"), (end_it, None), (note, "b")])
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert await store.write(note, "c")
    assert await words_in(store) == ["c"]


async def test_a_cancelled_waiter_leaves_no_trace_and_disturbs_nobody(store, gate):
    holding = await gate.hold(store)
    waiting = [asyncio.create_task(store.write(note, f"word{n}")) for n in range(6)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    gate.may_go_on.set()
    await holding
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[::2]] == [asyncio.CancelledError] * 3
    assert [outcome[1] for outcome in outcomes[1::2]] == ["word1", "word3", "word5"]
    assert await words_in(store) == ["word1", "word3", "word5"]


async def test_ten_thousand_cancellations_at_random_points_give_no_foreign_answer(store):
    """uvloop once answered the wrong request here; an answer must never depend on who else gave up."""
    dice = random.Random(1)
    answered = cancelled = 0

    async def ask(number):
        nonlocal answered
        act = dice.choice((echo, other_echo))
        outcome = await store.write(act, number)
        assert outcome == number
        answered += 1

    for start in range(0, 20_000, 400):
        tasks = [asyncio.create_task(ask(start + n)) for n in range(400)]
        doomed = dice.sample(tasks, 200)
        while doomed:
            for _ in range(dice.randrange(60)):
                if doomed:
                    cancelled += doomed.pop().cancel()
            await asyncio.sleep(dice.choice((0, 0, 0, 0.0001)))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), asyncio.CancelledError}
    assert answered + cancelled == 20_000
    assert cancelled > 5_000, "most were cancelled before they were answered"


async def test_close_commits_what_waits_and_takes_no_more(store, gate, tmp_path):
    holding = await gate.hold(store)
    waiting = [asyncio.create_task(store.write(note, f"word{n}")) for n in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await store.write(note, "too late")
    gate.may_go_on.set()
    await closing
    assert await holding == "held"
    assert [word for _, word in await asyncio.gather(*waiting)] == [f"word{n}" for n in range(5)]
    again = SqliteStore(tmp_path / "store.sqlite3")
    assert await words_in(again) == [f"word{n}" for n in range(5)]
    await again.close()


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


class TestRiders:
    """What rides with an item is in its transaction: refused with it, written with it, or neither."""

    @staticmethod
    async def refuse_poison(tx, words):
        return [NotFound("poison") if word == "poison" else None for word in words]

    @staticmethod
    async def note_outcome(tx, noted):
        await note(tx, [f"{word}: {outcome[1]}" for word, outcome in noted])
        return [None] * len(noted)

    def riders(self, word):
        return [Rider(self.refuse_poison, word, self.note_outcome)]

    async def test_an_item_whose_check_refuses_is_never_seen_by_its_act(self, store, gate):
        holding = await gate.hold(store)
        waiting = [asyncio.create_task(store.write(note, n, self.riders(n))) for n in ("a", "poison", "b")]
        for _ in range(3):
            await asyncio.sleep(0)
        gate.may_go_on.set()
        await holding
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(outcomes[1], NotFound)
        assert await words_in(store) == ["a", "b", "a: a", "b: b"]

    async def test_what_was_refused_by_its_act_is_not_noted(self, store):
        async def refuse(tx, words):
            return [NotFound() for _ in words]

        with pytest.raises(NotFound):
            await store.write(refuse, "a", self.riders("a"))
        assert await words_in(store) == []

    async def test_a_note_that_breaks_takes_its_act_back(self, store):
        async def break_down(tx, noted):
            raise ValueError("a note")

        with pytest.raises(ValueError, match="a note"):
            await store.write(note, "a", [Rider(self.refuse_poison, "a", break_down)])
        assert await words_in(store) == []


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
