"""A disk that is full or cannot be written: 503 for what must be written, all else goes on, and no hand is needed after."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from real_server import RealServer, run

from world import World

ANSWER_SECONDS = 3


@contextlib.contextmanager
def small_disk(directory):
    """A file system of 3 MB of its own, and how to fill it and to empty it again."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "none", directory], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a file system takes root")
    ballast = directory / "ballast"

    @contextlib.contextmanager
    def full():
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield
        ballast.unlink()

    try:
        yield full
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@contextlib.contextmanager
def no_growing_files(server):
    """Let no file of the server grow: needs no root, and fails as a disk quota does."""
    largest = max(one.stat().st_size for one in Path(server.directory).iterdir())
    limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (min(largest, 4096), limits[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)


async def mint(connection):
    return await connection.post("/v1/session-tokens", {"externalUserId": "ada", "metadata": {"x": "y" * 8000}})


async def holds_its_word_while(server, disk_is_full):
    """Mint until the disk is full; while it is, be refused in time and be verified all the same; then mint again."""
    async with server.connection() as connection:
        status, _, session = await mint(connection)
        assert status == 201
        with disk_is_full:
            status = 201
            for _ in range(2000):
                began = time.monotonic()
                status, headers, answer = await mint(connection)
                assert time.monotonic() - began < ANSWER_SECONDS
                if status != 201:
                    break
            assert (status, answer["code"]) == (503, "UNAVAILABLE")
            assert int(headers["retry-after"]) >= 1
            for _ in range(20):
                assert (await connection.get("/v1/session", bearer=session["sessionToken"]))[0] == 200
                assert (await connection.get(f"/v1/sessions/{session['id']}"))[0] == 200
            status, headers, answer = await connection.delete(f"/v1/session-tokens/{session['id']}")
            assert status in (200, 503), "what is not on disk is not acknowledged"
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                if (await mint(connection))[0] == 201:
                    break
                await asyncio.sleep(0.05)
        assert (await connection.delete(f"/v1/session-tokens/{session['id']}"))[0] == 200
        assert (await connection.get("/v1/session", bearer=session["sessionToken"]))[0] == 401


async def test_a_full_disk(tmp_path):
    directory = tmp_path / "disk"
    with small_disk(directory) as full:
        server = RealServer.made(directory, log=tmp_path / "server.log")
        await server.start()
        try:
            await holds_its_word_while(server, full())
        finally:
            server.end()


async def test_files_that_may_not_grow(server):
    await holds_its_word_while(server, no_growing_files(server))


async def test_a_start_on_a_full_disk_is_refused_in_a_sentence(tmp_path):
    directory = tmp_path / "disk"
    with small_disk(directory) as full, full():
        said = run("init", at=directory, expect=5)
    assert_is_a_sentence(said)


@pytest.mark.parametrize("initialized", [True, False], ids=["with a store in it", "empty"])
async def test_a_start_on_a_disk_that_cannot_be_written_is_refused_in_a_sentence(tmp_path, initialized):
    """A volume that was mounted read-only."""
    directory = tmp_path / "disk"
    with small_disk(directory):
        if initialized:
            run("init", at=directory)
        await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,ro", directory], check=True)
        said = run("init", at=directory, expect=5)
    assert_is_a_sentence(said)
    assert "writ" in said or "Read-only" in said, said


def assert_is_a_sentence(said):
    assert "Traceback" not in said
    assert said.count("\n") == 1
    assert said.rstrip().endswith("."), said


async def test_a_store_that_becomes_read_only(tmp_path):
    """As a file system does after a fault of its disk: writes are refused, reads go on, and it may come back."""
    async with World.opened(tmp_path / "store.sqlite3") as world:
        ada = await world.mint("ada")
        connection = world.service.store._store._writer_connection
        connection.execute("PRAGMA query_only=ON")
        with world.refused("UNAVAILABLE"):
            await world.mint("ada")
        with world.refused("UNAVAILABLE"):
            await world.host.end(ada)
        assert await ada.lives()
        connection.execute("PRAGMA query_only=OFF")
        await world.host.end(ada)
        assert not await ada.lives()


async def test_a_database_that_may_not_grow_takes_back_what_it_cannot_keep(tmp_path):
    """Each group is whole or not there at all; nothing of a refused mint stays behind."""
    async with World.opened(tmp_path / "store.sqlite3") as world:
        connection = world.service.store._store._writer_connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 10}")
        body = {"externalUserId": "ada", "metadata": {"x": "y" * 3000}}
        replies = await asyncio.gather(*(world.host.post("/v1/session-tokens", body) for _ in range(60)))
        replies += [await world.host.post("/v1/session-tokens", body) for _ in range(60)]
        assert {reply.status for reply in replies} == {201, 503}
        minted = {reply.json["id"] for reply in replies if reply.status == 201}
        assert {one["id"] for one in await world.host.sessions()} == minted
        connection.execute("PRAGMA max_page_count=1073741823")
        assert await world.mint("ada")


async def test_a_write_lock_held_by_another_program_is_a_503_in_time(tmp_path):
    """A backup, or a person with sqlite3 in his hand."""
    async with World.opened(tmp_path / "store.sqlite3") as world:
        ada = await world.mint("ada")
        other = sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with world.refused("UNAVAILABLE"):
            await world.mint("ada")
        assert time.monotonic() - began < ANSWER_SECONDS
        assert await ada.lives()
        other.execute("ROLLBACK")
        other.close()
        assert await world.mint("ada")
