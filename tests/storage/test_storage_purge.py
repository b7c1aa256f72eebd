"""What ended long ago goes, in small pieces; what lives or may still be asked for stays, with all that says how it ended."""

from __future__ import annotations

import random

import pytest
from stored_sessions import BY_US, ISSUER, NOW_MS, found_ids, key_of, row

from engines import EVERY_ENGINE, at_once
from guestpass.core import ids
from guestpass.core.bounds import LIFE_SECONDS_MAX
from guestpass.core.revocation.cutoff import Cut
from guestpass.server.audit.service import BEGINS
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation import sql as revocation_sql
from guestpass.server.revocation.model import ALL, Subject
from guestpass.server.sessions import cleaning, index, sql
from guestpass.server.sessions.cleaning import Cleaning
from guestpass.server.storage import facts

ENGINES = EVERY_ENGINE
DAY_MS = 86_400_000
RETENTION_DAYS = 30
KEPT_MS = RETENTION_DAYS * DAY_MS + LIFE_SECONDS_MAX * 1000
EDGE_MS = NOW_MS - KEPT_MS
TABLES = (
    "sessions", "session_metadata", "opaque_tokens", "session_runs", "session_owners", "revocations", "cuts"
)  # fmt: skip


async def let_the_log_begin(store, now_ms):
    """Nothing of before waits to be sealed in the audit log."""
    await at_once(store, lambda tx: facts.put(tx, BEGINS, str(now_ms).encode()))


async def purge(store, now_ms=NOW_MS):
    await let_the_log_begin(store, now_ms)
    return await Cleaning(store, lambda: now_ms / 1000, retention_days=RETENTION_DAYS).purge()


async def fill(tx, times_ms, *, issuer=ISSUER):
    """Write a session at each time with all that a session may have; return the rows."""
    rows = [
        row(ms, entropy=issuer * 1000 + number, issuer=issuer, organization="acme", form="opaque")
        for number, ms in enumerate(times_ms)
    ]
    await sql.add(tx, rows)
    for one in rows:
        await sql.add_metadata(tx, issuer, one.id, "{}")
        await sql.add_opaque_token(tx, issuer, one.id, b"hash")
        await revocation_sql.add_revocation(tx, issuer, one.id, BY_US)
        await revocation_sql.add_cut(tx, issuer, Subject("user", one.id), Cut(one.minted_ms + 1, BY_US))
    while await index.add_run(tx, issuer, now_ms=NOW_MS + DAY_MS, run_sessions=5):
        pass
    return rows


async def counts(tx):
    return {table: (await tx.fetch_one(f"SELECT count(*) FROM {table}"))[0] for table in TABLES}


async def test_all_that_a_session_had_goes_with_it(store):
    for issuer in (ISSUER, ISSUER + 1):
        await at_once(store, lambda tx, issuer=issuer: fill(tx, range(EDGE_MS - 50, EDGE_MS - 30), issuer=issuer))
    assert all((await store.read(counts)).values())
    assert await purge(store)
    assert not any((await store.read(counts)).values())
    assert await purge(store) == 0


async def test_nothing_within_the_retention_goes(store):
    """The edge is the last millisecond in which a session of the longest life may have ended within the retention."""
    rows = await at_once(store, lambda tx: fill(tx, [EDGE_MS - 1, EDGE_MS, EDGE_MS + 1, NOW_MS - DAY_MS, NOW_MS]))
    await purge(store)
    kept = await store.look_up("SELECT id FROM sessions ORDER BY id")
    assert [one[0] for one in kept] == [one.id for one in rows[1:]]
    left = await store.read(counts)
    assert left == dict.fromkeys(TABLES, 4) | {"session_runs": 1, "session_owners": 10}, "a run goes when it is empty"


async def test_a_cut_that_covers_a_session_that_is_kept_is_kept(store):
    """Else a session that was revoked would be listed as alive again."""

    async def prepare(tx):
        _old, young = await fill(tx, [EDGE_MS - 1, EDGE_MS])
        await tx.execute("DELETE FROM cuts")
        await tx.execute("DELETE FROM revocations")
        for before_ms in (EDGE_MS - 1, EDGE_MS, EDGE_MS + 1, NOW_MS):
            await revocation_sql.add_cut(tx, ISSUER, ALL, Cut(before_ms, BY_US))
        return young

    young = await at_once(store, prepare)
    await purge(store)
    assert await store.look_up("SELECT before_ms FROM cuts ORDER BY before_ms") == [(EDGE_MS + 1,), (NOW_MS,)]
    found = await store.read(lambda tx: sql.find(tx, ISSUER, young.id))
    assert await store.read(lambda tx: revocation.ending_in(tx, ISSUER, young.id, young.subjects, None, found[2]))


async def test_what_outlived_its_sessions_is_found_and_goes(store):
    """A purge that was interrupted, or a user who was thrown out without ever having come."""

    async def prepare(tx):
        await fill(tx, range(EDGE_MS - 50, EDGE_MS - 30))
        await tx.execute("DELETE FROM sessions")
        await tx.execute("DELETE FROM session_metadata")
        await tx.execute("DELETE FROM opaque_tokens")
        await revocation_sql.add_cut(tx, 70, Subject("user", key_of("stranger")), Cut(EDGE_MS, BY_US))

    await at_once(store, prepare)
    await purge(store)
    assert not any((await store.read(counts)).values())


@pytest.mark.parametrize("what", ["sessions", "revocations", "cuts"])
async def test_a_batch_is_bounded_whatever_there_is(store, what):
    """No mint commits while one is under way."""

    async def prepare(tx):
        rows = await fill(tx, range(EDGE_MS - 100, EDGE_MS - 50))
        for table in {"sessions", "revocations", "cuts"} - {what}:
            await tx.execute(f"DELETE FROM {table}")
        return rows

    await at_once(store, prepare)

    async def batch(tx):
        edge = ids.first_of(EDGE_MS)
        if what == "sessions":
            return await sql.purge(tx, ISSUER, edge, most=7)
        return await revocation.forget_older_than(tx, ISSUER, edge, most=7)

    assert [await at_once(store, batch) for _ in range(9)] == [7] * 7 + [1, 0]


async def test_a_mint_commits_between_two_batches(store, monkeypatch):
    """A purge of a month must not stand between a user and his token."""
    await at_once(
        store, lambda tx: sql.add(tx, [row(EDGE_MS - 100, entropy=n) for n in range(5 * cleaning.PURGE_BATCH)])
    )
    order = []
    write = store.write

    async def mint(_, items):
        return [order.append("mint") for _ in items]

    async def write_and_note(act, item):
        if item == ISSUER:
            await write(mint, None)
            order.append("batch")
        return await write(act, item)

    monkeypatch.setattr(store, "write", write_and_note)
    assert await purge(store) == 5 * cleaning.PURGE_BATCH
    assert order == ["mint", "batch"] * 6


async def test_purge_and_index_together_never_lose_a_session(store):
    """Days pass; sessions come and go; the lists stay what a search of everything would give."""
    dice = random.Random(3)
    rows, now_ms = [], NOW_MS
    cleaner = Cleaning(store, lambda: now_ms / 1000, retention_days=1)
    for _ in range(30):
        new = [
            row(now_ms + dice.randrange(1000), entropy=dice.getrandbits(70), user=dice.choice("abc")) for _ in range(20)
        ]
        await at_once(store, lambda tx, new=new: sql.add(tx, new))
        rows += new
        now_ms += DAY_MS // 4

        async def feed(tx, now_ms=now_ms):
            while await index.add_run(tx, ISSUER, now_ms=now_ms, run_sessions=7):
                pass

        await at_once(store, feed)
        await let_the_log_begin(store, now_ms)
        await cleaner.purge()
        edge = ids.first_of(now_ms - DAY_MS - LIFE_SECONDS_MAX * 1000)
        for user in "abc":
            expected = sorted((one.id for one in rows if one.external_user_id == user and one.id >= edge), reverse=True)
            found = await store.read(lambda tx, user=user: found_ids(tx, ISSUER, key_of(user)))
            assert [one for one in found if one >= edge] == expected
    assert len(await store.look_up("SELECT 1 FROM session_runs")) < 30, "runs go, too"
