"""Bring a store to the schema that this version needs. Forward only; alembic is loaded only when there is work."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from guestpass.errors import Unavailable
from guestpass.server.storage import facts
from guestpass.server.storage.group_commit import run_now
from guestpass.server.storage.postgres import PostgresStore
from guestpass.server.storage.sqlite import SqliteStore, SqliteTransaction, wait_for_lock
from guestpass.server.storage.store import Locks, Transaction

HEAD = "0014"
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_SECONDS = 30.0  # another process may be migrating this very store
_SERVERS_FROM = "servers_from"
_VERSION_TABLE = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'",
    "postgresql": "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL",
}


class Schema(NamedTuple):
    """``revision``: None for an empty store. ``servers_from``: of the oldest servers that can work on it."""

    revision: str | None
    servers_from: str | None = None

    def serves(self, head: str) -> bool:
        """Say whether a server that needs ``head`` can work on this store as it is."""
        if self.revision is None or self.revision < head:
            return False
        return self.revision == head or (self.servers_from is not None and self.servers_from <= head)


async def schema_of(tx: Transaction) -> Schema:
    if await tx.fetch_one(_VERSION_TABLE[tx.dialect]) is None:
        return Schema(None)
    row = await tx.fetch_one("SELECT version_num FROM alembic_version")
    if row is None:
        return Schema(None)
    servers_from = await facts.get(tx, _SERVERS_FROM)
    return Schema(row[0], None if servers_from is None else servers_from.decode())


def readiness(schema: Schema) -> dict[str, str]:
    """Say that a store with ``schema`` can be served. Raises: Unavailable, naming what is missing."""
    if schema.revision is None or not schema.serves(HEAD):
        raise Unavailable(f"The store has schema {schema.revision or 'none'}; migrations up to {HEAD} are missing.")
    return {"status": "ready", "schema": schema.revision}


def upgrade(store: SqliteStore, *, head: str = HEAD, scripts: Path = _MIGRATIONS) -> None:
    """Migrate to ``head`` in one transaction; when two servers start at once, one of them does.

    Raises: Unavailable where a newer version made the store into what this one cannot serve, or it cannot be written.
    """
    with store.exclusively() as connection:
        if not is_due(run_now(schema_of(SqliteTransaction(connection))), head):
            return
        try:
            _migrate_sqlite(connection, head, scripts)
        except sqlite3.Error as fault:
            raise _cannot_be_brought(head, fault) from fault


async def upgrade_postgres(store: PostgresStore, *, head: str = HEAD, scripts: Path = _MIGRATIONS) -> None:
    """Do the same for PostgreSQL. Raises: Unavailable."""
    if not is_due(await store.read(schema_of), head):
        return

    async def script_due(tx: Transaction) -> str | None:
        await tx.lock(Locks.STORE, [0])
        found = await schema_of(tx)
        return script_of(tx.dialect, found.revision, scripts) if is_due(found, head) else None  # another was first

    await store.run_script(script_due, seconds=_LOCK_SECONDS)


def is_due(schema: Schema, head: str = HEAD) -> bool:
    """Say whether the store needs migrating. Raises: Unavailable where only a newer version can work on it."""
    if schema.serves(head):
        return False
    if schema.revision is not None and schema.revision > head:
        raise Unavailable(
            f"The store has schema {schema.revision}; this version knows up to {head}. Start the newer version again, "
            f"or restore a backup made before the upgrade."
        )
    return True


def script_of(dialect: str, revision: str | None, scripts: Path = _MIGRATIONS) -> str:
    """Return the SQL that brings a store from ``revision`` to the head, as text."""
    from alembic.runtime.environment import EnvironmentContext

    config, script = _scripts(scripts)
    text = io.StringIO()

    def to_head(_: object, __: object) -> object:
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - as alembic.command does

    with EnvironmentContext(config, script, fn=to_head, as_sql=True, starting_rev=revision) as environment:
        environment.configure(dialect_name=dialect, output_buffer=text, transactional_ddl=False)
        environment.run_migrations()
    return text.getvalue()


def _cannot_be_brought(head: str, fault: Exception) -> Unavailable:
    return Unavailable(f"The store cannot be brought to schema {head}: {fault}.")


def _scripts(scripts: Path) -> tuple[Any, Any]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def _migrate_sqlite(connection: sqlite3.Connection, head: str, scripts: Path) -> None:
    from alembic.runtime.environment import EnvironmentContext
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    config, script = _scripts(scripts)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    def to_head(revision: object, _: object) -> object:
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - as alembic.command does

    try:
        # The lock is taken within: SQLAlchemy's first connection rolls back whatever was begun before it. What it
        # begins is ours to end, so alembic commits nothing between, and a failure leaves nothing.
        with engine.connect() as borrowed, borrowed.begin():
            wait_for_lock(connection, seconds=_LOCK_SECONDS)
            if not is_due(run_now(schema_of(SqliteTransaction(connection))), head):
                return  # another process was first
            with EnvironmentContext(config, script, fn=to_head) as environment:
                environment.configure(connection=borrowed, transactional_ddl=False)
                environment.run_migrations()
    except DBAPIError as fault:
        raise fault.orig or fault from fault
