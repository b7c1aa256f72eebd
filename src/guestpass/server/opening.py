"""Which store the settings name, and with which master key it opens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from guestpass.errors import Unavailable
from guestpass.server.operate.settings import Settings
from guestpass.server.storage import migrate
from guestpass.server.storage.postgres import PostgresStore
from guestpass.server.storage.sealing import MasterKey, MasterKeyError, Sealer, load_or_create_key_file
from guestpass.server.storage.sqlite import SqliteStore
from guestpass.server.storage.store import Store
from guestpass.server.tally import Tally

DATABASE_FILE = "guestpass.sqlite3"
MASTER_KEY_FILE = "master.key"
NEXT_KEY_FILE = "master.key.next"  # while the store moves to it


async def is_initialized(settings: Settings) -> bool:
    """Say whether there is a store where the settings point to. Raises: Unavailable where nobody can tell."""
    if not settings.database_url:
        return (Path(settings.data_dir) / DATABASE_FILE).exists()
    async with store_as_it_is(settings) as store:
        return (await store.read(migrate.schema_of)).revision is not None


async def open_store(settings: Settings, tally: Tally | None = None) -> tuple[Store, Sealer]:
    """Open the store and bring it to this version's schema; a new one in a directory gets its master key.

    Raises: Unavailable, MasterKeyError.
    """
    store, sealer = _open_postgres(settings, tally) if settings.database_url else _open_embedded(settings, tally)
    try:
        with _named(settings):
            await bring_to_head(store)
    except Exception:
        await store.close()
        raise
    return store, sealer


async def bring_to_head(store: SqliteStore | PostgresStore) -> None:
    """Migrate a store to the schema of this version. Raises: Unavailable."""
    if isinstance(store, SqliteStore):
        migrate.upgrade(store)
    else:
        await migrate.upgrade_postgres(store)


@asynccontextmanager
async def store_as_it_is(settings: Settings) -> AsyncIterator[SqliteStore | PostgresStore]:
    """Open a store that is there, whatever its schema. Raises: Unavailable."""
    embedded = Path(settings.data_dir) / DATABASE_FILE
    store = postgres_of(settings) if settings.database_url else SqliteStore(embedded)
    try:
        with _named(settings):
            yield store
    finally:
        await store.close()


def sealer_of(settings: Settings) -> Sealer:
    """Return what opens the secrets of a store that is there. Raises: MasterKeyError, saying what to do."""
    before = [MasterKey.from_text(settings.master_key_old)] if settings.master_key_old else []
    if settings.master_key:
        return Sealer(MasterKey.from_text(settings.master_key), *before)
    if settings.database_url:
        raise MasterKeyError(
            "A store on PostgreSQL is shared by several servers, so its master key is in no data directory. Make one "
            "with: guestpass master-key generate. Give it to every server as GUESTPASS_MASTER_KEY or "
            "GUESTPASS_MASTER_KEY_FILE, and keep a copy apart from the database. Nothing was changed."
        )
    directory = Path(settings.data_dir)
    if not (directory / MASTER_KEY_FILE).exists():
        raise MasterKeyError(
            f"{directory / MASTER_KEY_FILE} is missing, and without it the secrets of this store cannot be opened. Put "
            f"it back, or set GUESTPASS_MASTER_KEY or GUESTPASS_MASTER_KEY_FILE. Nothing was changed."
        )
    return Sealer(*keys_in(directory), *before, look_again=partial(keys_in, directory))


def keys_in(directory: Path) -> list[MasterKey]:
    """Return the master key that lies beside a store, and the next one while the store moves to it."""
    files = (directory / name for name in (MASTER_KEY_FILE, NEXT_KEY_FILE))
    return [MasterKey.from_text(file.read_text(errors="replace")) for file in files if file.exists()]


def postgres_of(settings: Settings, tally: Tally | None = None) -> PostgresStore:
    return PostgresStore(settings.database_url, prepared_statements=settings.database_prepared_statements, tally=tally)


def _open_embedded(settings: Settings, tally: Tally | None) -> tuple[SqliteStore, Sealer]:
    directory = Path(settings.data_dir)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made for a new store only: to an old one it would not fit.
        if not settings.master_key and not (directory / DATABASE_FILE).exists():
            load_or_create_key_file(directory / MASTER_KEY_FILE)
        sealer = sealer_of(settings)
    except OSError as fault:
        raise Unavailable(f"The data directory {directory} cannot be used: {fault.strerror}.") from fault
    return SqliteStore(directory / DATABASE_FILE, tally=tally), sealer


def _open_postgres(settings: Settings, tally: Tally | None) -> tuple[PostgresStore, Sealer]:
    sealer = sealer_of(settings)
    return postgres_of(settings, tally), sealer


@contextmanager
def _named(settings: Settings) -> Iterator[None]:
    """Name the database that does not answer, without what its URL may hold besides."""
    try:
        yield
    except Unavailable as fault:
        if not settings.database_url:
            raise
        where = settings.database_url.rpartition("@")[2].partition("?")[0]
        raise Unavailable(f"The store at {where} cannot be used: {fault.internal or fault.message}") from fault
