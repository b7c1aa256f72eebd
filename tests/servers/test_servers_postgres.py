"""The PostgreSQL of the tests can be had fresh, and have every bad day that a test needs."""

from __future__ import annotations

import shutil
import subprocess

import asyncpg
import pytest

from servers.postgres import NEWEST, OLDEST, PASSWORD, Postgres, databases, package, programs, sql, url_of_all


@pytest.fixture
def server(home):
    server = Postgres.made(home)
    server.sql("CREATE TABLE notes (word text)")
    yield server
    server.stop()


def words(url):
    return sql(url, "SELECT word FROM notes ORDER BY word").split()


def test_each_test_has_a_database_of_its_own(databases):
    with databases.fresh() as one, databases.fresh() as other:
        sql(one, "CREATE TABLE notes (word text)")
        with pytest.raises(AssertionError, match="does not exist"):
            words(other)
    with pytest.raises(AssertionError, match="does not exist"):
        words(one)


def test_what_a_database_is_to_begin_with_is_made_once_and_copied(databases):
    made = []

    def prepare(url):
        made.append(url)
        sql(url, "CREATE TABLE notes (word text)")

    for _ in range(2):
        with databases.fresh(prepare) as url:
            sql(url, "INSERT INTO notes VALUES ('here')")
            assert words(url) == ["here"]
    assert len(made) == 1


def test_a_used_database_is_wiped_for_the_next(databases):
    def prepare(url):
        sql(url, "CREATE TABLE notes (word text)")

    urls = []
    for _ in range(2):
        with databases.fresh(prepare, "DELETE FROM notes") as url:
            assert words(url) == []
            sql(url, "INSERT INTO notes VALUES ('here')")
            urls.append(url)
    assert urls[0] == urls[1]


def test_an_address_in_the_environment_wins(home, server):
    with (
        databases(home, {"GUESTPASS_TEST_DATABASE_URL": server.url()}) as given,
        given.fresh() as url,
    ):
        assert f":{server.port}/" in url
        assert words(server.url()) == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_server_is_of_the_version_that_was_asked_for_and_wants_its_password(home, version):
    server = Postgres.made(home, version=version, durable=False)
    assert server.sql("SHOW server_version").startswith(f"{version}.")
    with pytest.raises(AssertionError, match="password"):
        sql(server.url().replace(PASSWORD, "wrong"), "SELECT 1")
    server.stop()


def test_what_is_to_survive_is_on_disk(server):
    kept = ("fsync", "synchronous_commit", "full_page_writes")
    assert [server.sql(f"SHOW {setting}") for setting in kept] == ["on"] * 3


@pytest.mark.parametrize("way", ["stop", "kill", "cut_power"])
async def test_what_was_committed_outlives_every_end_and_no_connection_does(server, way):
    connection = await asyncpg.connect(server.url())
    await connection.execute("INSERT INTO notes VALUES ('here')")
    getattr(server, way)()
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.execute("INSERT INTO notes VALUES ('lost')")
    with pytest.raises(AssertionError, match="refused"):
        words(server.url())
    server.start()
    assert words(server.url()) == ["here"]


async def test_a_frozen_server_says_nothing_and_goes_on_when_it_is_thawed(server):
    connection = await asyncpg.connect(server.url())
    server.freeze()
    with pytest.raises(TimeoutError):
        await connection.execute("SELECT 1", timeout=0.2)
    server.thaw()
    other = await asyncpg.connect(server.url())
    assert await other.fetchval("SELECT 1") == 1
    for one in (connection, other):
        await one.close()


async def test_what_was_acknowledged_is_on_the_standby_that_is_promoted(server):
    standby = server.standby()
    server.sql("INSERT INTO notes VALUES ('here')")
    address = url_of_all([server, standby])
    connection = await asyncpg.connect(address)
    assert connection._addr[1] == server.port
    await connection.close()
    server.cut_power()
    standby.promote()
    connection = await asyncpg.connect(address)
    assert [row[0] for row in await connection.fetch("SELECT word FROM notes")] == ["here"]
    await connection.execute("INSERT INTO notes VALUES ('there')")
    await connection.close()
    third = standby.standby(port=server.port)
    assert words(third.url()) == ["here", "there"]
    for one in (third, standby):
        one.stop()
    server.start()


async def test_nothing_is_acknowledged_that_the_standby_has_not(server):
    standby = server.standby()
    standby.freeze()
    connection = await asyncpg.connect(server.url())
    with pytest.raises(TimeoutError):
        await connection.execute("INSERT INTO notes VALUES ('here')", timeout=0.2)
    standby.thaw()
    connection.terminate()
    standby.cut_power()


def test_programs_in_a_folder_that_is_closed_to_others_are_copied(home, tmp_path):
    """As a checkout in the home directory of root is."""
    if not home.privileges:
        pytest.skip("who is not root runs servers under his own name")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    theirs = package()
    ours = closed / theirs.name
    shutil.copytree(theirs / "pginstall18", ours / "pginstall18", symlinks=True)
    shutil.copytree(theirs.with_suffix(".libs"), ours.with_suffix(".libs"))
    initdb = programs(home, NEWEST, ours) / "initdb"
    subprocess.run([initdb, "--version"], check=True, capture_output=True, **home.privileges)
