"""A store is brought to its schema once, whole or not at all."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from guestpass.errors import Unavailable
from guestpass.server.storage import migrate
from guestpass.server.storage.group_commit import run_now
from guestpass.server.storage.sqlite import SqliteStore, SqliteTransaction

NEXT = f"{int(migrate.HEAD) + 1:04}"
_NEXT = """
from alembic import op

revision = "{next}"
down_revision = "{head}"


def upgrade():
    op.execute("CREATE TABLE next (number INTEGER PRIMARY KEY) STRICT")
    op.execute({statement!r})
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite3"


@pytest.fixture
def scripts(tmp_path):
    """Our migrations, in a directory where a test may add one."""
    return Path(shutil.copytree(Path(migrate.__file__).parent / "migrations", tmp_path / "migrations"))


def add_next(scripts, statement):
    text = _NEXT.format(next=NEXT, head=migrate.HEAD, statement=statement)
    (scripts / "versions" / f"m{NEXT}_next.py").write_text(text)


async def upgraded(path, **options):
    """Upgrade the store at ``path``; return its schema and its tables."""
    store = SqliteStore(path)
    try:
        migrate.upgrade(store, **options)
    finally:
        with store.exclusively() as connection:
            assert not connection.in_transaction
            found = schema_of(connection), tables_of(connection)
        await store.close()
    return found


def schema_of(connection):
    return run_now(migrate.schema_of(SqliteTransaction(connection))).revision


def tables_of(connection):
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


async def test_an_empty_store_is_brought_to_the_head(path):
    schema, tables = await upgraded(path)
    assert schema == migrate.HEAD
    assert {"sessions", "cuts", "status_lists"} <= tables


async def test_a_store_at_the_head_is_not_written_to(path):
    await upgraded(path)
    before = path.read_bytes()
    assert (await upgraded(path))[0] == migrate.HEAD
    assert path.read_bytes() == before


async def test_the_head_is_the_newest_migration_that_there_is(scripts):
    assert max(one.name[1:5] for one in (scripts / "versions").glob("m0*.py")) == migrate.HEAD


async def test_the_next_migration_keeps_what_the_store_held(path, scripts):
    await upgraded(path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO store_facts VALUES ('a', x'01')")
    connection.close()
    add_next(scripts, "INSERT INTO next VALUES (1)")
    schema, tables = await upgraded(path, head=NEXT, scripts=scripts)
    assert schema == NEXT
    assert "next" in tables


@pytest.mark.parametrize("statement", ["INSERT INTO no_such_table VALUES (1)", "SELECT no_such_function()"])
async def test_a_migration_that_fails_half_way_leaves_nothing(path, scripts, statement):
    """Else the next start finds half of it there and can go neither on nor back."""
    await upgraded(path)
    add_next(scripts, statement)
    with pytest.raises(Unavailable, match=f"cannot be brought to schema {NEXT}: no such"):
        await upgraded(path, head=NEXT, scripts=scripts)
    schema, tables = await upgraded(path)
    assert schema == migrate.HEAD
    assert "next" not in tables
    add_next(scripts, "INSERT INTO next VALUES (1)")
    assert (await upgraded(path, head=NEXT, scripts=scripts))[0] == NEXT, "mended, it goes through"


async def test_of_migrations_that_are_due_the_last_takes_those_before_down_with_it(path, scripts):
    add_next(scripts, "INSERT INTO no_such_table VALUES (1)")
    with pytest.raises(Unavailable):
        await upgraded(path, head=NEXT, scripts=scripts)
    store = SqliteStore(path)
    with store.exclusively() as connection:
        assert tables_of(connection) == set()
    await store.close()


async def test_a_store_of_a_newer_version_is_refused_and_not_touched(path):
    await upgraded(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
        connection.execute("UPDATE store_facts SET value = CAST('0999' AS BLOB) WHERE name = 'servers_from'")
    connection.close()
    with pytest.raises(Unavailable, match=rf"schema 0999; this version knows up to {migrate.HEAD}\. Start the newer"):
        await upgraded(path)


async def test_a_newer_schema_that_this_version_can_work_on_is_left_as_it_is(path):
    """Servers of version N - 1 run beside those of N while a fleet is upgraded, and may be started anew."""
    await upgraded(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    assert (await upgraded(path))[0] == "0999"


async def test_the_file_is_for_its_owner_alone(path):
    """It names every user of the business that runs us; the files beside it take its mode."""
    store = SqliteStore(path)
    migrate.upgrade(store)
    assert {one.stat().st_mode & 0o777 for one in path.parent.glob(f"{path.name}*")} == {0o600}
    await store.close()


@pytest.mark.parametrize("what_is_there", ["a directory", "no database"])
async def test_what_cannot_be_opened_is_said_in_a_sentence(path, what_is_there):
    if what_is_there == "a directory":
        path.mkdir()
    else:
        path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(Unavailable, match=r"store\.sqlite3 cannot be opened: .+\."):
        SqliteStore(path)


async def test_a_store_that_cannot_be_written_is_said_so_at_once(path):
    """Waiting is for a lock that others hold; no wait makes a read-only file writable."""
    store = SqliteStore(path)
    with store.exclusively() as connection:
        connection.execute("PRAGMA query_only=ON")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="attempt to write a readonly database"):
        migrate.upgrade(store)
    assert time.monotonic() - began < 5
    await store.close()


def start(path, barrier, outcomes):
    """Be one of several servers that start at the same moment."""
    barrier.wait()
    try:
        store = SqliteStore(path)
        migrate.upgrade(store)
    except Unavailable as refusal:
        outcomes.put(str(refusal))
    else:
        with store.exclusively() as connection:
            outcomes.put(schema_of(connection))


def test_of_servers_that_start_at_once_one_migrates_and_all_serve(path):
    spawning = multiprocessing.get_context("spawn")
    barrier, outcomes = spawning.Barrier(3), spawning.Queue()
    servers = [spawning.Process(target=start, args=(path, barrier, outcomes)) for _ in range(3)]
    for server in servers:
        server.start()
    assert [outcomes.get(timeout=60) for _ in servers] == [migrate.HEAD] * 3
    for server in servers:
        server.join()
