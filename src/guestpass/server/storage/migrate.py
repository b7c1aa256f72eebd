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


def upgrade(store: SqliteStore) -> None:
    """Migrate to ``HEAD`` in one transaction; when two servers start at once, one of them does.

    Raises: Unavailable where the store was made by a newer version, or cannot be written.
    """
    with store.exclusively() as connection:
        found = schema_of(connection)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise Unavailable(
                f"The store has schema {found}; this version knows up to {HEAD}. Start the newer version again, "
                f"or restore a backup made before the upgrade."
            )
        try:
            wait_for_lock(connection, seconds=_LOCK_SECONDS)
            try:
                if schema_of(connection) != HEAD:
                    _run_alembic(connection)
                if connection.in_transaction:
                    connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as fault:
            raise Unavailable(f"The store cannot be brought to schema {HEAD}: {fault}.") from fault


def _run_alembic(connection: sqlite3.Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)

    def to_head(revision: object, _: object) -> object:
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type]  # noqa: SLF001 - as alembic.command does

    with (
        engine.connect() as borrowed,
        EnvironmentContext(config, script, fn=to_head) as environment,
    ):
        environment.configure(connection=borrowed, transactional_ddl=False)
        environment.run_migrations()
        borrowed.commit()
