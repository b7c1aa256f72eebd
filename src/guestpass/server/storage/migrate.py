"""Bring a store to the schema that this version needs. Forward only; alembic is loaded only when there is work."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from guestpass.errors import Unavailable
from guestpass.server.storage.sqlite import SqliteStore, wait_for_lock

HEAD = "0001"
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_SECONDS = 30.0  # another process may be migrating this very store


def schema_of(connection: sqlite3.Connection) -> str | None:
    """Return the schema's revision, or None for an empty store."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def readiness(schema: str | None) -> dict[str, str]:
    """Say that a store with ``schema`` can be served. Raises: Unavailable, naming what is missing."""
    if schema is None or schema < HEAD:
        raise Unavailable(f"The store has schema {schema or 'none'}; migrations up to {HEAD} are missing.")
    return {"status": "ready", "schema": schema}


def upgrade(store: SqliteStore, *, head: str = HEAD, scripts: Path = _MIGRATIONS) -> None:
    """Migrate to ``head`` in one transaction; when two servers start at once, one of them does.

    Raises: Unavailable where the store was made by a newer version, or cannot be written.
    """
    with store.exclusively() as connection:
        found = schema_of(connection)
        if found == head:
            return
        if found is not None and found > head:
            raise Unavailable(
                f"The store has schema {found}; this version knows up to {head}. Start the newer version again, "
                f"or restore a backup made before the upgrade."
            )
        try:
            _migrate(connection, head, scripts)
        except sqlite3.Error as fault:
            raise Unavailable(f"The store cannot be brought to schema {head}: {fault}.") from fault


def _migrate(connection: sqlite3.Connection, head: str, scripts: Path) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    def to_head(revision: object, _: object) -> object:
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type]  # noqa: SLF001 - as alembic.command does

    try:
        # The lock is taken within: SQLAlchemy's first connection rolls back whatever was begun before it. What it
        # begins is ours to end, so alembic commits nothing between, and a failure leaves nothing.
        with engine.connect() as borrowed, borrowed.begin():
            wait_for_lock(connection, seconds=_LOCK_SECONDS)
            if schema_of(connection) == head:
                return  # another process was first
            with EnvironmentContext(config, script, fn=to_head) as environment:
                environment.configure(connection=borrowed, transactional_ddl=False)
                environment.run_migrations()
    except DBAPIError as fault:
        raise fault.orig or fault from fault
