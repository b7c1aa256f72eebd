"""Restore touches nothing where it cannot go through, and says why."""

from __future__ import annotations

import contextlib
import sqlite3
import time

import pytest
from sites import DATABASE

from guestpass.errors import Unavailable
from guestpass.server.app import open_configured
from guestpass.server.operate.backup import back_up
from guestpass.server.operate.restore import restore_file, restore_in_place
from guestpass.server.operate.settings import Settings, SettingsError
from guestpass.server.storage.copies import StoreRefused
from guestpass.server.storage.sealing import MasterKey, MasterKeyError


class Lost:
    """A data directory whose store is gone; there is a backup of it, and the master key."""

    def __init__(self, folder):
        self.settings = Settings(data_dir=str(folder / "data"))
        self.database = folder / "data" / DATABASE
        self.key_file = folder / "data" / "master.key"
        self.backup = folder / "the.backup"

    async def make(self):
        await (await open_configured(self.settings)).close()
        back_up(self.settings, self.backup)
        for file in self.database.parent.glob(f"{DATABASE}*"):
            file.unlink()
        return self

    async def restore(self, source=None, *, replace=False):
        return await restore_file(self.settings, source or self.backup, replace=replace)

    def nothing_was_made(self):
        return [path.name for path in self.database.parent.iterdir()] == [self.key_file.name]


@pytest.fixture
async def lost(tmp_path):
    return await Lost(tmp_path).make()


async def test_a_wrong_master_key_is_said_with_both_fingerprints(lost):
    needed, used = MasterKey.from_text(lost.key_file.read_text()), MasterKey.generate()
    lost.key_file.write_text(used.to_text())
    with pytest.raises(MasterKeyError) as refused:
        await lost.restore()
    assert needed.fingerprint in str(refused.value)
    assert used.fingerprint in str(refused.value)
    assert lost.nothing_was_made()


async def test_a_missing_master_key_is_said_and_none_is_made(lost):
    lost.key_file.unlink()
    with pytest.raises(MasterKeyError, match="is missing"):
        await lost.restore()
    assert list(lost.database.parent.iterdir()) == []


async def test_a_clock_that_stands_before_the_copy_is_said(lost):
    """The cut would leave out what was issued after it."""
    with pytest.raises(StoreRefused, match="clock"):
        await restore_file(lost.settings, lost.backup, replace=False, clock=lambda: time.time() - 3600)
    assert lost.nothing_was_made()


async def test_a_public_url_that_is_not_the_store_s_is_said(lost):
    lost.settings = Settings(data_dir=lost.settings.data_dir, public_url="https://another.example.com")
    with pytest.raises(SettingsError, match="public URL"):
        await lost.restore()
    assert lost.nothing_was_made()


async def test_a_store_that_is_there_is_not_restored_over(lost):
    await (await open_configured(lost.settings)).close()
    before = lost.database.read_bytes()
    with pytest.raises(StoreRefused, match="--replace"):
        await lost.restore()
    assert lost.database.read_bytes() == before


async def test_what_a_lost_store_left_behind_is_not_mixed_with_a_backup(lost):
    """SQLite would read a write-ahead log that fits the name."""
    lost.database.with_name(f"{DATABASE}-wal").write_bytes(b"of another time")
    with pytest.raises(StoreRefused, match="-wal"):
        await lost.restore()
    assert not lost.database.exists()


def _of_another_kind(spoiled, _):
    with contextlib.closing(sqlite3.connect(spoiled)) as connection:
        connection.execute("CREATE TABLE t (x)")


def _damaged(spoiled, content):
    spoiled.write_bytes(content[: 4096 * 3] + bytes(4096) + content[4096 * 4 :])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spoiled, _: spoiled.write_bytes(b""),
        lambda spoiled, _: spoiled.write_bytes(b"no database" * 1000),
        lambda *_: None,
        lambda spoiled, _: spoiled.mkdir(),
        lambda spoiled, content: spoiled.write_bytes(content[:30_000]),
        _damaged,
        _of_another_kind,
    ],
    ids=["empty", "noise", "absent", "a directory", "cut short", "damaged", "another kind"],
)
async def test_what_is_no_whole_backup_is_not_restored(lost, tmp_path, spoil):
    spoiled = tmp_path / "spoiled.backup"
    spoil(spoiled, lost.backup.read_bytes())
    with pytest.raises((StoreRefused, Unavailable)):
        await lost.restore(spoiled)
    assert lost.nothing_was_made()


async def test_a_backup_of_a_newer_version_is_not_restored_by_an_older_one(lost):
    with contextlib.closing(sqlite3.connect(lost.backup)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("DELETE FROM store_facts WHERE name = 'servers_from'")
    with pytest.raises(Unavailable, match="newer version"):
        await lost.restore()
    assert lost.nothing_was_made()


async def test_a_backup_is_restored_as_often_as_it_is_asked_for(lost):
    """It is only read."""
    before = lost.backup.read_bytes()
    for _ in range(2):
        await lost.restore(replace=True)
    assert lost.backup.read_bytes() == before


async def test_a_store_that_is_open_is_not_replaced(lost):
    await lost.restore()
    service = await open_configured(lost.settings)
    try:
        for restoring in (lost.restore(replace=True), restore_in_place(lost.settings)):
            with pytest.raises(StoreRefused, match="Stop its servers"):
                await restoring
    finally:
        await service.close()
    assert list(lost.database.parent.glob("*.before-*")) == []


async def test_a_database_that_holds_a_store_is_not_restored_into(database_url, tmp_path):
    settings = Settings(database_url=database_url, master_key=MasterKey(1, bytes(32)).to_text())
    await (await open_configured(settings)).close()
    with pytest.raises(StoreRefused, match="holds a store already"):
        await restore_file(settings, tmp_path / "any.backup", replace=True)
