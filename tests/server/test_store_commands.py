"""``guestpass master-key`` and ``guestpass db``: what an operator sees, and how they end."""

import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from command_line import FAILED, NOT_FOUND, OK, UNREACHABLE, USAGE

from guestpass.server.storage import migrate
from guestpass.server.storage.sealing import MasterKey
from guestpass.server.storage.sqlite import SqliteStore

DUE = FAILED
OTHER = MasterKey(7, bytes(32))


@pytest.fixture
def store(run):
    assert run("init") == OK
    return run


def key_of(store):
    return MasterKey.from_text((store.data_dir / "master.key").read_text())


class TestMasterKey:
    def test_generate_prints_a_key_and_changes_nothing(self, run):
        assert run("master-key", "generate") == OK
        first = MasterKey.from_text(run.out)
        made = run.json("master-key", "generate")
        assert made["masterKey"] != first.to_text()
        assert made["fingerprint"] == MasterKey.from_text(made["masterKey"]).fingerprint
        assert not run.data_dir.exists()

    def test_generate_counts_on_from_the_key_that_is_there(self, store, monkeypatch):
        assert store.json("master-key", "generate")["version"] == 2
        monkeypatch.setenv("GUESTPASS_MASTER_KEY", OTHER.to_text())
        assert store.json("master-key", "generate")["version"] == 8

    def test_check_opens_everything(self, store):
        checked = store.json("master-key", "check")
        assert checked["whole"] is True
        assert checked["fingerprint"] == checked["configured"] == key_of(store).fingerprint
        assert checked["sealed"] == {key_of(store).fingerprint: 3}

    def test_check_names_both_fingerprints_where_the_key_is_another(self, store, monkeypatch):
        monkeypatch.setenv("GUESTPASS_MASTER_KEY", OTHER.to_text())
        assert store("master-key", "check") == FAILED
        assert OTHER.fingerprint in store.err
        assert key_of(store).fingerprint in store.err
        assert OTHER.to_text()[2:] not in store.err

    def test_rewrap_makes_a_new_key_beside_the_store_and_keeps_the_old_one(self, store):
        before = key_of(store)
        moved = store.json("master-key", "rewrap")
        assert moved["fingerprint"] == key_of(store).fingerprint != before.fingerprint
        assert MasterKey.from_text(Path(moved["keptFile"]).read_text()) == before
        assert store("master-key", "check") == OK
        assert store("keys", "create", "--name", "mine", "--signing") == OK

    def test_rewrap_to_a_key_of_the_settings_asks_for_the_one_before(self, store, monkeypatch):
        before = store.data_dir / "master.key"
        monkeypatch.setenv("GUESTPASS_MASTER_KEY", OTHER.to_text())
        assert store("master-key", "rewrap") == FAILED
        assert "GUESTPASS_MASTER_KEY_OLD" in store.err
        monkeypatch.setenv("GUESTPASS_MASTER_KEY_OLD_FILE", str(before))
        assert store("master-key", "check") == FAILED
        assert "run guestpass master-key rewrap" in store.out
        assert store("master-key", "rewrap") == OK
        monkeypatch.delenv("GUESTPASS_MASTER_KEY_OLD_FILE")
        assert store("master-key", "check") == OK

    @pytest.mark.parametrize("command", ["check", "rewrap"])
    def test_without_a_store_there_is_nothing_to_do(self, run, command):
        assert run("master-key", command) == NOT_FOUND


class TestTheSchema:
    @pytest.fixture
    def old_store(self, store, tmp_path):
        """A store as the first version made it."""
        scripts = Path(shutil.copytree(Path(migrate.__file__).parent / "migrations", tmp_path / "migrations"))
        for script in (scripts / "versions").glob("m0*.py"):
            if not script.name.startswith("m0001"):
                script.unlink()
        file = store.data_dir / "guestpass.sqlite3"
        for part in store.data_dir.glob("guestpass.sqlite3*"):
            part.unlink()
        opened = SqliteStore(file)
        migrate.upgrade(opened, head="0001", scripts=scripts)
        with opened.exclusively() as connection:
            connection.close()
        return store

    def test_of_a_new_store_is_the_one_that_is_needed(self, store):
        assert store.json("db", "upgrade", "--check") == {"schema": migrate.HEAD, "needed": migrate.HEAD, "due": False}
        assert store("db", "upgrade", "--plan") == OK
        assert store.out == "-- Nothing is due.\n"

    def test_that_is_old_is_said_to_be_and_its_plan_is_shown_and_nothing_is_changed(self, old_store):
        assert old_store("db", "upgrade", "--check") == DUE
        assert old_store("db", "upgrade", "--plan") == OK
        assert "ALTER TABLE signing_keys ADD COLUMN signs_from_ms" in old_store.out
        assert old_store("db", "upgrade", "--check", "--json") == DUE
        assert '"schema": "0001"' in old_store.out

    def test_the_plan_is_what_an_upgrade_does(self, old_store):
        assert old_store("db", "upgrade", "--plan") == OK
        file = old_store.data_dir / "guestpass.sqlite3"
        by_hand = sqlite3.connect(file.with_name("by hand"))
        with sqlite3.connect(file) as connection:
            connection.backup(by_hand)
        by_hand.executescript(old_store.out)
        assert old_store.json("db", "upgrade")["due"] is False
        with sqlite3.connect(file) as connection:
            assert _shape(connection) == _shape(by_hand)
        by_hand.close()
        assert old_store("db", "upgrade", "--check") == OK

    def test_of_a_newer_version_is_not_touched(self, store):
        with sqlite3.connect(store.data_dir / "guestpass.sqlite3") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.execute("UPDATE store_facts SET value = CAST('9999' AS BLOB) WHERE name = 'servers_from'")
        for words in ((), ("--check",), ("--plan",)):
            assert store("db", "upgrade", *words) == UNREACHABLE
            assert re.search(r"has schema 9999; this version knows up to \d{4}", store.err)

    def test_one_thing_is_asked_for(self, store):
        assert store("db", "upgrade", "--plan", "--check") == USAGE

    def test_without_a_store_there_is_nothing_to_do(self, run):
        assert run("db", "upgrade", "--check") == NOT_FOUND


def _shape(connection):
    return sorted(connection.execute("SELECT type, name, sql FROM sqlite_master"))
