"""A schema that servers of the version before can work on, made once, on either engine."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
from pathlib import Path

import pytest
from other_server import Server

import engines
from engines import EVERY_ENGINE, SQLITE, at_once
from guestpass.errors import Unavailable
from guestpass.server.storage import migrate

ENGINES = EVERY_ENGINE
SERVERS = 3
_MIGRATIONS = Path(migrate.__file__).parent / "migrations"
_REVISIONS = sorted(one.name[1:5] for one in (_MIGRATIONS / "versions").glob("m*.py"))
_COLUMNS = {
    "sqlite": 'SELECT t.name, c.name, c.type, c."notnull" = 1, c.dflt_value IS NOT NULL'
    " FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    "postgresql": "SELECT table_name, column_name, data_type, is_nullable = 'NO', column_default IS NOT NULL"
    " FROM information_schema.columns WHERE table_schema = 'public'",
}
_BROKEN = f"""
from alembic import op

revision = "9999"
down_revision = "{migrate.HEAD}"


def upgrade():
    op.execute("CREATE TABLE half (number INTEGER)")
    op.execute("INSERT INTO no_such_table VALUES (1)")
"""


@pytest.fixture
def at(engine, request, tmp_path):
    """Where there is no store yet."""
    return tmp_path / "store.sqlite3" if engine == SQLITE else request.getfixturevalue("database_url")


async def upgrade(at, **options):
    """Upgrade what is there; return its columns as {(table, column): (type, must be given, has a default)}."""
    store = engines.store_at(at)
    try:
        if engines.is_url(at):
            await migrate.upgrade_postgres(store, **options)
        else:
            migrate.upgrade(store, **options)
        return await store.read(columns)
    finally:
        await store.close()


async def columns(tx):
    return {(table, column): rest for table, column, *rest in await tx.fetch(_COLUMNS[tx.dialect])}


def scripts_up_to(revision, folder):
    """Our migrations as they were when ``revision`` was the newest."""
    shutil.copytree(_MIGRATIONS, folder)
    for one in (folder / "versions").glob("m*.py"):
        if one.name[1:5] > revision:
            one.unlink()
    return folder


async def test_no_migration_takes_anything_from_a_server_of_the_version_before(at, tmp_path):
    """It reads what it read, and it may leave out what it does not know: nothing goes, and what comes has a default."""
    before = await upgrade(at, head=_REVISIONS[0], scripts=scripts_up_to(_REVISIONS[0], tmp_path / _REVISIONS[0]))
    for revision in _REVISIONS[1:]:
        after = await upgrade(at, head=revision, scripts=scripts_up_to(revision, tmp_path / revision))
        assert {name: after.get(name) for name in before} == before, revision
        old_tables = {table for table, _ in before}
        for (table, column), (_, must_be_given, has_default) in after.items():
            if table in old_tables and (table, column) not in before:
                assert has_default or not must_be_given, f"{revision}: {table}.{column}"
        before = after
    assert await upgrade(at) == before, "there is nothing left to do"


async def test_a_migration_that_fails_leaves_nothing_and_says_what_failed(at, tmp_path):
    before = await upgrade(at)
    scripts = scripts_up_to(migrate.HEAD, tmp_path / "migrations")
    broken = scripts / "versions" / "m9999_broken.py"
    broken.write_text(_BROKEN)
    with pytest.raises(Unavailable, match="no_such_table"):
        await upgrade(at, head="9999", scripts=scripts)
    assert await upgrade(at) == before


@pytest.mark.parametrize("works_on_it", [True, False])
async def test_a_newer_schema_is_served_by_whom_it_says(at, works_on_it):
    await upgrade(at)
    store = engines.store_at(at)

    async def make_newer(tx):
        await tx.execute("UPDATE alembic_version SET version_num = '9999'")
        oldest = (migrate.HEAD if works_on_it else "9999").encode()
        await tx.execute(
            "INSERT INTO store_facts (name, value) VALUES ('servers_from', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (oldest,),
        )

    await at_once(store, make_newer)
    await store.close()
    if works_on_it:
        await upgrade(at)
    else:
        with pytest.raises(Unavailable, match="schema 9999; this version knows up to"):
            await upgrade(at)


def start(at, barrier, outcomes):
    """Be one of several servers that start at the same moment on nothing."""
    barrier.wait()
    asyncio.run(_start(at, outcomes))


async def _start(at, outcomes):
    server = await Server.opened(at, secret=None)
    session_id, token = await server.mint("ada")
    outcomes.put((session_id, token, await server.accepts(token)))
    await server.close()


async def counted(tx):
    tables = ("projects", "signing_keys", "store_facts", "alembic_version")
    return {table: (await tx.fetch_one(f"SELECT count(*) FROM {table}"))[0] for table in tables}


async def test_of_servers_that_start_at_once_one_makes_the_store_and_all_serve_it(at, tmp_path, request):
    """One schema, one default project, one signing key an environment; and each accepts what the others signed."""
    spawning = multiprocessing.get_context("spawn")
    barrier, outcomes = spawning.Barrier(SERVERS), spawning.Queue()
    servers = [spawning.Process(target=start, args=(at, barrier, outcomes)) for _ in range(SERVERS)]
    for server in servers:
        server.start()
    minted = [await asyncio.to_thread(outcomes.get, timeout=60) for _ in servers]
    for server in servers:
        server.join()
    here = await Server.opened(at)
    for _, token, accepted in minted:
        assert accepted is True
        assert await here.accepts(token) is True
    together = await here.service.store.read(counted)
    await here.close()
    assert together["projects"] == together["alembic_version"] == 1
    assert together["signing_keys"] == 2
