"""Who owns which sessions: whatever is indexed and whatever is not yet, a look-up finds the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored_sessions import ISSUER, NOW_MS, found_ids, key_of, migrated, row

from engines import EVERY_ENGINE
from guestpass.core import ids
from guestpass.server.sessions import index, sql
from guestpass.server.storage import distinct
from guestpass.server.storage.group_commit import run_now
from guestpass.server.storage.sqlite import SqliteTransaction

ENGINES = EVERY_ENGINE
LONG_SETTLED_MS = NOW_MS + 10 * index.SETTLED_MS
USERS = ("ada", "bob", "cy")
ORGANIZATIONS = (None, "acme", "bolt")
OWNERS = (None, *map(key_of, USERS), key_of("acme"), key_of("nobody"))


@pytest.fixture(scope="module")
def connection():
    store = migrated()
    with store.exclusively() as connection:
        yield connection


async def add(tx, count, *, dice, issuer=ISSUER, start_ms=NOW_MS):
    """Write sessions of random owners, close enough in time that many share a millisecond; return their rows."""
    rows = [
        row(
            start_ms + number // 3,
            entropy=dice.getrandbits(70),
            issuer=issuer,
            user=dice.choice(USERS),
            organization=dice.choice(ORGANIZATIONS),
        )
        for number in range(count)
    ]
    await sql.add(tx, rows)
    return rows


async def add_run(tx, run_sessions, *, now_ms=LONG_SETTLED_MS):
    return await index.add_run(tx, ISSUER, now_ms=now_ms, run_sessions=run_sessions)


async def found(tx, owner, **edges):
    return await found_ids(tx, ISSUER, owner, **edges)


def owned(rows, owner, *, below=index.AFTER_ALL_IDS, above=b""):
    """Do naively what the index does."""
    mine = (one.id for one in rows if owner is None or owner in (one.customer_id, one.organization_key))
    return sorted((one for one in mine if above <= one < below), reverse=True)


async def check_look_ups(tx, *, count, run_sessions, runs, owner, edges, seed):
    rows = await add(tx, count, dice=random.Random(seed))
    await add(tx, 20, dice=random.Random(seed), issuer=ISSUER + 1)
    for _ in range(runs):
        await add_run(tx, run_sessions)
    above, below = (ids.first_of(NOW_MS + edge) for edge in edges)
    assert await found(tx, owner) == owned(rows, owner)
    assert await found(tx, owner, below=below, above=above) == owned(rows, owner, below=below, above=above)
    for one in rows[::7]:  # a cursor stands on an id itself
        assert await found(tx, owner, below=one.id) == owned(rows, owner, below=one.id)
        assert await found(tx, owner, above=one.id) == owned(rows, owner, above=one.id)


@pytest.mark.parametrize("seed", range(20))
async def test_a_look_up_finds_what_a_search_of_everything_finds(tx, seed):
    dice = random.Random(seed)
    await check_look_ups(
        tx,
        count=dice.randrange(61),
        run_sessions=dice.randrange(1, 18),
        runs=dice.randrange(9),
        owner=dice.choice(OWNERS),
        edges=(dice.randrange(-2, 23), dice.randrange(-2, 23)),
        seed=seed,
    )


@given(
    count=st.integers(0, 60),
    run_sessions=st.integers(1, 17),
    runs=st.integers(0, 8),
    owner=st.sampled_from(OWNERS),
    edges=st.tuples(st.integers(-2, 22), st.integers(-2, 22)),
    seed=st.integers(0, 1000),
)
def test_a_look_up_on_sqlite_finds_it_in_every_case(connection, **case):
    connection.execute("BEGIN")
    try:
        run_now(check_look_ups(SqliteTransaction(connection), **case))
    finally:
        connection.execute("ROLLBACK")


async def test_a_run_waits_until_no_mint_under_way_can_commit_beside_it(tx):
    rows = await add(tx, 4, dice=random.Random(1))
    youngest_ms = rows[-1].minted_ms
    assert not await add_run(tx, 4, now_ms=youngest_ms + index.SETTLED_MS - 1)
    assert await add_run(tx, 4, now_ms=youngest_ms + index.SETTLED_MS)
    assert not await add_run(tx, 1), "nothing is left"


async def test_an_unfinished_run_is_not_indexed(tx):
    await add(tx, 9, dice=random.Random(1))
    assert [await add_run(tx, 4) for _ in range(3)] == [True, True, False]


async def test_a_run_is_forgotten_when_all_of_its_sessions_are_past(tx):
    rows = sorted(await add(tx, 9, dice=random.Random(1)), key=lambda one: one.id)
    for _ in range(3):
        await add_run(tx, 3)
    assert await index.forget_runs(tx, ISSUER, rows[2].id) == 0, "its last session is not below the edge"
    gone = sum(1 + (one.organization_key is not None) for one in rows[:3])
    assert await index.forget_runs(tx, ISSUER, rows[3].id) == gone
    assert await found(tx, key_of("ada")) == owned(rows[3:], key_of("ada"))


def test_a_look_up_on_sqlite_probes_runs_and_sorts_nothing(connection):
    """SQLite once took one run's rows for all the rows of all the runs: a thousand times the work."""
    statements = []
    connection.set_trace_callback(statements.append)
    tx = SqliteTransaction(connection)
    run_now(found(tx, key_of("ada"), below=ids.first_of(NOW_MS), above=ids.first_of(0)))
    connection.set_trace_callback(None)
    plans = [plan[3] for one in statements for plan in connection.execute(f"EXPLAIN QUERY PLAN {one}")]
    assert not any("TEMP" in plan or "SCAN" in plan for plan in plans), plans
    assert any("run=? AND owner=? AND id>? AND id<?" in plan for plan in plans), plans


async def test_the_issuers_are_found_without_reading_their_sessions(tx):
    for issuer in (2, 3, 70):
        await sql.add(tx, [row(issuer=issuer, entropy=n) for n in range(3)])
    assert await distinct.values(tx, "sessions", "issuer") == [2, 3, 70]
    assert await distinct.values(tx, "cuts", "issuer") == []


async def test_a_mint_whose_clock_is_behind_the_index_is_given_a_later_id_and_is_found(world):
    """Else its session would lie below the last run, and no list and no count would ever show it."""
    for _ in range(2):
        await world.mint("ada")
        world.clock.advance(seconds=5)
    run = await world.store.at_once(
        lambda tx: index.add_run(tx, world.host.issuer.number, now_ms=int(world.clock() * 1000), run_sessions=2)
    )
    assert run
    world.clock.advance(seconds=-60)
    late = await world.mint("ada")
    shown = await world.host.sessions(externalUserId="ada")
    assert len(shown) == 3
    assert late.id == shown[0]["id"] == max(one["id"] for one in shown)
    assert (await late.who_am_i())["id"] == late.id, "the token names the later id"
    issued_at = next(one["issuedAt"] for one in shown if one["id"] == late.id)
    assert issued_at == late.answer["issuedAt"] == min(one["issuedAt"] for one in shown), "its times are the clock's"
