"""Backup: a copy while servers go on, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import subprocess
import sys

import pytest

from guestpass.server.operate.backup import _without_password
from guestpass.server.storage.sealing import MasterKey
from servers import postgres
from torture.real_server import run

# The copy


async def test_a_backup_is_made_while_servers_write(site):
    """What was acknowledged before it began is in it, and nothing half."""
    minted = [await site.mint(f"user{number}", format="opaque") for number in range(5)]
    backup = asyncio.create_task(asyncio.to_thread(site.command, "backup", str(site.file)))
    while not backup.done():
        await site.mint("meanwhile")
    await backup
    site.lose_the_store()
    site.command("restore", str(site.file))
    await site.start_again()
    async with site.server.connection() as connection:
        for each in minted:
            assert (await connection.get(f"/v1/sessions/{each['id']}"))[0] == 200


def test_a_backup_needs_no_master_key_and_tells_which_one_a_restore_needs(file_store):
    key_file = file_store.folder / "master.key"
    kept = key_file.read_text()
    key_file.unlink()
    made = file_store.command("backup", str(file_store.file), "--json")
    assert made["masterKeyFingerprint"] == MasterKey.from_text(kept).fingerprint
    assert made["bytes"] == file_store.file.stat().st_size
    assert file_store.file.stat().st_mode & 0o777 == 0o600
    assert kept.split(":")[1].strip().encode() not in file_store.file.read_bytes()


def test_a_dump_tells_which_master_key_it_needs(store):
    made = store.command("backup", str(store.file), "--json")
    assert re.fullmatch("[0-9a-f]{8}", made["masterKeyFingerprint"])


def test_a_backup_replaces_nothing(store):
    store.file.write_text("the only copy of something")
    assert "exists" in store.command("backup", str(store.file), expect=3)
    assert store.file.read_text() == "the only copy of something"
    assert others_in(store.folder, store.file) == []


def others_in(folder, file):
    return [path.name for path in folder.iterdir() if path.name.startswith(f".{file.name}")]


def test_half_a_backup_never_has_the_name_of_a_whole_one(store):
    """The disk is full in the middle: here, no file may grow beyond some kilobytes."""

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    words = [sys.executable, "-c", "from guestpass.server.main import main; main()", "backup", store.file]
    environment = os.environ | store.settings | {"GUESTPASS_DATA_DIR": str(store.folder)}
    ran = subprocess.run(words, env=environment, preexec_fn=little_room, capture_output=True, text=True, check=False)
    assert ran.returncode == 5, ran.stderr
    assert not store.file.exists()
    assert others_in(store.folder, store.file) == []


def test_a_folder_that_is_not_there_is_said(store):
    assert "cannot be written" in store.command("backup", str(store.folder / "no" / "file"), expect=5)


# PostgreSQL's programs


def test_without_pg_dump_the_command_to_run_is_said_and_no_password(tmp_path, database_url):
    key = MasterKey(1, bytes(32)).to_text()
    settings = {"GUESTPASS_DATABASE_URL": database_url, "GUESTPASS_MASTER_KEY": key}
    run("init", at=tmp_path, settings=settings)
    said = run("backup", str(tmp_path / "x"), at=tmp_path, expect=5, settings=settings | {"PATH": str(tmp_path)})
    assert "pg_dump --format=custom" in said
    assert postgres.PASSWORD not in said


@pytest.mark.parametrize(
    ("url", "plain", "password"),
    [
        ("postgresql://ada@db/gp", "postgresql://ada@db/gp", None),
        (
            "postgresql://ada:s%40cret@db1:5432,db2/gp?sslmode=require",
            "postgresql://ada@db1:5432,db2/gp?sslmode=require",
            "s@cret",
        ),
        ("postgresql://db/gp?user=ada&password=s%26x", "postgresql://db/gp?user=ada", "s&x"),
    ],
)
def test_a_password_is_in_no_list_of_processes(url, plain, password):
    assert _without_password(url) == (plain, password)
