"""``guestpass restore``: put a copy back, and cut what came before, so that nothing revoked since lives again.

What was issued before is cut for every issuer, above every id that any server may have issued; browsers are asked to
fetch anew. Lists go on with numbers that were never used, and with signing keys that nobody can have stolen yet.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from guestpass.core import times
from guestpass.server.app import open_service
from guestpass.server.audit import service as audit
from guestpass.server.audit.service import STORE, AuditEvent
from guestpass.server.clock import Clock, system_clock
from guestpass.server.opening import DATABASE_FILE, sealer_of
from guestpass.server.operate.backup import (
    check_whole,
    fingerprint_in_dump,
    new_file_beside,
    run_program,
    sync,
    take_name,
)
from guestpass.server.operate.settings import Settings
from guestpass.server.projects import service as projects
from guestpass.server.revocation import service as revocation
from guestpass.server.signed_requests import service as signed_requests
from guestpass.server.signing_keys import service as signing_keys
from guestpass.server.storage import copies, facts, migrate
from guestpass.server.storage.copies import StoreRefused
from guestpass.server.storage.postgres import PostgresStore
from guestpass.server.storage.sealing import Sealer
from guestpass.server.storage.sqlite import SqliteStore
from guestpass.server.storage.store import Locks, Store, Transaction

CALLER = "restore"  # revokedBy of what it ends
# A server may be 5 s ahead of its store, and that store's clock may have been ahead of this machine's by as much.
MARGIN_MS = 10_000


class Restored(NamedTuple):
    """``before_ms``: what was issued before is ended. ``copied_at``: Unix seconds, where the copy says it."""

    before_ms: int
    copied_at: int | None


async def restore_in_place(settings: Settings, *, clock: Clock = system_clock) -> Restored:
    """Cut what came before in the store that the settings name, which was put back by other means.

    Raises: StoreRefused, MasterKeyError, Unavailable, SettingsError.
    """
    sealer = sealer_of(settings)
    if settings.database_url:
        return await _settle_postgres(settings, sealer, clock)
    place = Path(settings.data_dir) / DATABASE_FILE
    with _nobody_else(place):
        """Whoever has it open holds numbers of lists from before."""
    return await _settle_embedded(settings, place, sealer, clock)


async def restore_file(settings: Settings, source: Path, *, replace: bool, clock: Clock = system_clock) -> Restored:
    """Put a backup where the settings point to. ``replace``: set a store that is there aside.

    Raises: StoreRefused, MasterKeyError, Unavailable, SettingsError; nothing was changed.
    """
    sealer = sealer_of(settings)
    if settings.database_url:
        return await _restore_dump(settings, source, sealer, clock)
    place = Path(settings.data_dir) / DATABASE_FILE
    _check_place(place, replace=replace)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with new_file_beside(place) as partial:
        _copy(source, partial)
        restored = await _settle_embedded(settings, partial, sealer, clock)
        _into_one_file(partial)
        if replace and place.exists():
            _replace(place, partial)
        else:
            take_name(partial, place)
    return restored


def _check_place(place: Path, *, replace: bool) -> None:
    if place.exists():
        if not replace:
            raise StoreRefused(
                f"{place} is a store already. Stop its servers and say --replace: it is kept, under another name."
            )
        with _nobody_else(place):
            """Said now, and again when it is replaced."""
    elif any(place.with_name(place.name + end).exists() for end in ("-wal", "-shm")):
        raise StoreRefused(f"{place} is gone, but not its -wal and -shm. Remove them: they fit no other file.")


def _copy(source: Path, partial: Path) -> None:
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as connection,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            check_whole(connection, source)
            connection.backup(copy)
    except sqlite3.Error as fault:
        raise StoreRefused(f"{source} cannot be read as a backup: {fault}.") from fault


def _into_one_file(partial: Path) -> None:
    with contextlib.closing(sqlite3.connect(partial)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


async def _settle_embedded(settings: Settings, file: Path, sealer: Sealer, clock: Clock) -> Restored:
    store = SqliteStore(file)
    try:
        await _check(store, sealer)
        migrate.upgrade(store)
        return await _settle(settings, store, sealer, clock)
    finally:
        await store.close()


async def _check(store: Store, sealer: Sealer) -> None:
    """Raises: StoreRefused where there is no store of ours; MasterKeyError where the key is not its own."""
    if (await store.read(migrate.schema_of)).revision is None:
        raise StoreRefused("There is no store of Guestpass in it. Nothing was changed.")
    await store.read(lambda tx: facts.derivation_secret(tx, sealer))


async def _settle(settings: Settings, store: Store, sealer: Sealer, clock: Clock) -> Restored:
    async def act(tx: Transaction, items: list[None]) -> list[Restored]:
        await tx.lock(Locks.STORE, [0])
        copied_at, now = await copies.copied_at(tx), int(clock())
        if copied_at is not None and now < copied_at:
            raise StoreRefused(
                f"This machine's clock says {times.of_seconds(now)}, before the copy was made ({times.of_seconds(copied_at)}). "
                f"Set it: what it says decides what is cut."
            )
        issuers = await projects.issuer_numbers(tx)
        before_ms = await revocation.cut_everything(
            tx, issuers, CALLER, clock_ms=int(clock() * 1000), margin_ms=MARGIN_MS
        )
        await revocation.skip_status_lists(tx, issuers[0], now=now)
        await signing_keys.forget_published(tx)
        await signed_requests.forget_before(tx, now)
        await copies.settle(tx)
        detail = {
            "before": times.of_milliseconds(before_ms),
            "copiedAt": None if copied_at is None else times.of_seconds(copied_at),
        }
        await audit.record(tx, [AuditEvent(issuer=STORE, action="store.restored", actor=CALLER, detail=detail)])
        return [Restored(before_ms, copied_at) for _ in items]

    restored = await store.write(act, None)
    service = await open_service(structs.replace(settings, redis_url=""), store, sealer, clock=clock)
    for number in await store.read(projects.issuer_numbers):
        await service.keyring.make_missing(await service.issuers.by_number(number))
    return restored


def _replace(place: Path, partial: Path) -> None:
    """Let ``partial`` take the place of a store, which stays beside it: at no moment there is none."""
    with _nobody_else(place):
        aside = place.with_name(f"{place.name}.before-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        os.link(place, aside)
        sync(partial)
        partial.replace(place)
        sync(place.parent)


@contextlib.contextmanager
def _nobody_else(place: Path) -> Iterator[None]:
    """Keep every other process from the file. Raises: StoreRefused where one has it open."""
    connection = sqlite3.connect(place, isolation_level=None, timeout=0)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")  # refused as long as another connection is open
        connection.execute("BEGIN EXCLUSIVE")
        yield
    except sqlite3.Error as fault:
        raise StoreRefused(f"{place} is in use ({fault}). Stop its servers first; nothing was changed.") from fault
    finally:
        connection.close()


# PostgreSQL


async def _restore_dump(settings: Settings, source: Path, sealer: Sealer, clock: Clock) -> Restored:
    store = PostgresStore(settings.database_url, prepared_statements=settings.database_prepared_statements)
    try:
        if (await store.read(migrate.schema_of)).revision is not None:
            raise StoreRefused(
                "The database holds a store already. Restore into an empty one: createdb a new database, and name it in "
                "database_url once this is done."
            )
    finally:
        await store.close()
    fingerprint = fingerprint_in_dump(source)
    if fingerprint is None:
        raise StoreRefused(f"{source} holds no store of Guestpass. Nothing was changed.")
    sealer.named(fingerprint)
    run_program(
        "pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", str(source),
        url=settings.database_url,
    )  # fmt: skip
    return await _settle_postgres(settings, sealer, clock)


async def _settle_postgres(settings: Settings, sealer: Sealer, clock: Clock) -> Restored:
    store = PostgresStore(settings.database_url, prepared_statements=settings.database_prepared_statements)
    try:
        await _check(store, sealer)
        await migrate.upgrade_postgres(store)
        return await _settle(settings, store, sealer, clock)
    finally:
        await store.close()
