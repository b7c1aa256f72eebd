"""Secrets at rest open under their own master key, for their own purpose, unchanged; else a sentence says what to do."""

from __future__ import annotations

import multiprocessing
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestpass.server.app import open_service
from guestpass.server.operate.settings import Settings
from guestpass.server.storage import migrate
from guestpass.server.storage.sealing import KEY_BYTES, MasterKey, MasterKeyError, Sealer, load_or_create_key_file
from guestpass.server.storage.sqlite import SqliteStore

KEY = MasterKey(1, bytes(range(KEY_BYTES)))
OTHER_KEY = MasterKey(1, bytes(KEY_BYTES))
PURPOSE = "signing_key:abc"


@given(st.binary(max_size=300), st.text(max_size=50))
def test_what_was_sealed_opens_for_its_purpose(plaintext, purpose):
    sealed = KEY.seal(purpose, plaintext)
    assert Sealer(MasterKey.from_text(KEY.to_text())).open(purpose, sealed) == plaintext
    assert plaintext not in sealed or len(plaintext) < 4


def test_the_same_secret_is_never_sealed_twice_alike():
    assert len({KEY.seal(PURPOSE, b"secret") for _ in range(100)}) == 100


@pytest.mark.parametrize("purpose", ["signing_key:abd", "signing_key:", "", "Signing_key:abc", "signing_key:abc "])
def test_a_value_that_was_moved_to_another_place_does_not_open(purpose):
    with pytest.raises(MasterKeyError, match="was changed or moved"):
        Sealer(KEY).open(purpose, KEY.seal(PURPOSE, b"secret"))


def test_no_byte_can_be_changed_and_none_be_missing():
    sealed = KEY.seal(PURPOSE, b"secret")
    for position in range(len(sealed)):
        changed = bytes(byte ^ (position == at) for at, byte in enumerate(sealed))
        with pytest.raises(MasterKeyError):
            Sealer(KEY).open(PURPOSE, changed)
        with pytest.raises(MasterKeyError):
            Sealer(KEY).open(PURPOSE, sealed[:position])


def test_another_master_key_is_named_beside_the_one_that_is_needed():
    with pytest.raises(MasterKeyError) as refusal:
        Sealer(OTHER_KEY).open(PURPOSE, KEY.seal(PURPOSE, b"secret"))
    assert KEY.fingerprint in str(refusal.value)
    assert OTHER_KEY.fingerprint in str(refusal.value)
    assert "GUESTPASS_MASTER_KEY" in str(refusal.value)


async def test_a_store_does_not_open_under_another_master_key_and_is_not_changed(tmp_path):
    path = tmp_path / "store.sqlite3"
    await (await service_at(path, KEY)).close()
    before = path.read_bytes()
    with pytest.raises(MasterKeyError, match=rf"{OTHER_KEY.fingerprint}.+{KEY.fingerprint}.+Nothing was changed"):
        await service_at(path, OTHER_KEY)
    assert path.read_bytes() == before


async def service_at(path, key):
    store = SqliteStore(path)
    try:
        migrate.upgrade(store)
        return await open_service(Settings(), store, Sealer(key))
    except MasterKeyError:
        await store.close()
        raise


@pytest.mark.parametrize(
    "text",
    ["", "1", "1:", KEY.to_text()[2:], KEY.to_text()[:-1], KEY.to_text() + "A", "0:" + KEY.to_text()[2:],
     "256:" + KEY.to_text()[2:], "x:" + KEY.to_text()[2:], "1:" + "ä" * 43, "1:" + KEY.to_text()[2:-1] + "!", "\0" * 46],
)  # fmt: skip
def test_a_malformed_master_key_is_refused_without_being_shown(text):
    with pytest.raises(MasterKeyError, match="malformed") as refusal:
        MasterKey.from_text(text)
    assert len(text) < 10 or text[2:] not in str(refusal.value)


def test_a_master_key_is_not_shown_by_accident():
    assert KEY.to_text()[2:] not in f"{KEY!r} {Sealer(KEY)!r}"
    assert str(KEY.secret) not in repr(KEY)


class TestTheKeyFile:
    def test_is_made_once_for_its_owner_alone(self, tmp_path):
        path = tmp_path / "master.key"
        made = load_or_create_key_file(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert load_or_create_key_file(path) == made
        assert [one.name for one in tmp_path.iterdir()] == ["master.key"]

    def test_is_made_although_a_start_before_died_over_it(self, tmp_path):
        """In a container every process has the same number."""
        (tmp_path / f"master.key.{os.getpid()}").write_text("half")
        assert load_or_create_key_file(tmp_path / "master.key")

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00binary", b"1:short\n"])
    def test_that_holds_something_else_is_said_so(self, tmp_path, content):
        (tmp_path / "master.key").write_bytes(content)
        with pytest.raises(MasterKeyError, match="malformed"):
            load_or_create_key_file(tmp_path / "master.key")
        assert (tmp_path / "master.key").read_bytes() == content

    def test_is_one_for_all_processes_that_start_at_once(self, tmp_path):
        spawning = multiprocessing.get_context("spawn")
        barrier, made = spawning.Barrier(3), spawning.Queue()
        processes = [spawning.Process(target=make, args=(tmp_path / "master.key", barrier, made)) for _ in range(3)]
        for process in processes:
            process.start()
        keys = {made.get(timeout=60) for _ in processes}
        for process in processes:
            process.join()
        assert keys == {load_or_create_key_file(tmp_path / "master.key").to_text()}
        assert [one.name for one in tmp_path.iterdir()] == ["master.key"]


def make(path, barrier, made):
    barrier.wait()
    made.put(load_or_create_key_file(path).to_text())
