"""The engines that a store may have. What is said of one holds for all of them, so tests run over each:

    ENGINES = EVERY_ENGINE

in a module lets every test in it that asks for ``store``, ``tx`` or ``world`` run once for each engine; see the
``conftest.py`` beside this file.
"""

from __future__ import annotations

import asyncio
import contextlib

from guestpass.server.storage import migrate
from guestpass.server.storage.postgres import _BEGIN, PostgresStore
from guestpass.server.storage.sqlite import MEMORY, SqliteStore, SqliteTransaction

SQLITE, POSTGRESQL = EVERY_ENGINE = ("sqlite", "postgresql")


def store_at(place, **options):
    """Open a store at a path, or at a URL."""
    return PostgresStore(place, **options) if is_url(place) else SqliteStore(place, **options)


def is_url(place):
    return str(place).startswith("postgresql://")


async def migrated(place=MEMORY, **options):
    """Open it, and bring it to the schema of this version."""
    store = store_at(place, **options)
    if is_url(place):
        await migrate.upgrade_postgres(store)
    else:
        migrate.upgrade(store)
    return store


def migrate_database(url):
    """Prepare an empty database; ``databases.fresh`` copies it for every test."""

    async def prepare():
        await (await migrated(url)).close()

    asyncio.run(prepare())


# What makes a used database as migrate_database left it; no row of one test is there in the next.
WIPE = """
DO $$
DECLARE one text;
BEGIN
  FOR one IN SELECT oid::regclass FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
    AND relname NOT IN ('alembic_version', 'store_facts')
  LOOP EXECUTE 'DELETE FROM ' || one; END LOOP;
  UPDATE alembic_version SET version_num = 'HEAD';
  DELETE FROM store_facts WHERE name <> 'servers_from';
  PERFORM setval(oid::regclass, 1, false) FROM pg_class
    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
END $$
""".replace("HEAD", migrate.HEAD)


class _RollBack(Exception):
    pass


@contextlib.asynccontextmanager
async def transaction(store):
    """A transaction of which nothing remains."""
    if isinstance(store, SqliteStore):
        with store.exclusively() as connection:
            connection.execute("BEGIN")
            try:
                yield SqliteTransaction(connection)
            finally:
                connection.execute("ROLLBACK")
    else:
        with contextlib.suppress(_RollBack):
            async with store._transaction(store._writers, _BEGIN) as tx:
                yield tx
                raise _RollBack


async def at_once(store, act):
    """Run ``await act(tx)`` in a transaction of its own, and return what it returns."""

    async def alone(tx, items):
        return [await act(tx) for _ in items]

    return await store.write(alone, None)
