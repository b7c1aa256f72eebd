"""``guestpass audit``: what an operator reads, checks, proves and forgets."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest
from command_line import FAILED, NOT_FOUND, OK, USAGE

from guestpass.server.app import open_configured
from guestpass.server.operate.settings import Settings


@pytest.fixture
def store(run):
    """A store with an API key and two sessions, one of them revoked; all of it sealed."""
    assert run("init") == OK
    run.key = run.json("keys", "create", "--name", "mine")
    run.ada = run.json("tokens", "mint", "--user", "ada")["id"]
    run.bob = run.json("tokens", "mint", "--user", "bob")["id"]
    assert run("sessions", "revoke", run.bob) == OK
    seal(run)
    return run


def seal(run):
    async def once():
        service = await open_configured(Settings(data_dir=str(run.data_dir)))
        try:
            await service.audit.sealing.seal()
        finally:
            await service.close()

    asyncio.run(once())


def tamper(run, sql):
    connection = sqlite3.connect(next(run.data_dir.glob("*.sqlite3")))
    with connection:
        assert connection.execute(sql).rowcount
    connection.close()


def test_tail_shows_what_was_done_the_last_at_the_end(store):
    events = store.json("audit", "tail")
    assert [event["action"] for event in events[-2:]] == ["api_key.created", "session.revoked"]
    assert events[-1]["actor"] == "command line"
    assert events[-1]["targets"][0] == store.bob
    assert {event["project"] for event in events if event["action"] == "project.created"} == {None}
    assert store("audit", "tail", "--limit", "1") == OK
    assert store.out.count("\n") == 1
    assert store.bob in store.out


def test_tail_can_be_narrowed(store):
    assert [e["action"] for e in store.json("audit", "tail", "--target", store.bob)] == ["session.revoked"]
    assert {e["action"] for e in store.json("audit", "tail", "--action", "signing_key.created")} == {
        "signing_key.created"
    }
    live = store.json("audit", "tail", "--env", "live")
    assert {event["environment"] for event in live} == {"live"}
    assert store("audit", "tail", "--limit", "0") == USAGE
    assert store("audit", "tail", "--project", "nobody's") == NOT_FOUND


def test_verify_says_that_nothing_was_changed(store):
    checked = store.json("audit", "verify")
    assert checked["whole"]
    assert checked["faults"] == []
    assert checked["head"].count(".") == 2
    assert store("audit", "verify") == OK
    assert "Nothing was changed." in store.out


def test_verify_names_what_was_and_ends_with_1(store):
    tamper(store, "UPDATE sessions SET scope = 'everything'")
    assert store("audit", "verify") == FAILED
    assert f"batch 1: {store.ada} was changed" in store.out
    assert "2 faults" in store.out


def test_heads_that_were_published_are_held_against_the_log(store, tmp_path):
    """Whoever rewrites the past, and signs it anew, does not get it past a head that lies elsewhere."""
    file = tmp_path / "heads.txt"
    file.write_text(store.json("audit", "verify")["head"] + "\n")
    store("sessions", "revoke", store.ada)
    assert store("audit", "verify", "--heads", str(file)) == OK
    for table in ("audit_batches", "audit_leaves", "audit_edges"):
        tamper(store, f"DELETE FROM {table}")
    tamper(store, "DELETE FROM audit_events WHERE action = 'session.revoked'")
    seal(store)
    assert store("audit", "verify") == OK, "it was sealed anew, with the key"
    assert store("audit", "verify", "--heads", str(file)) == FAILED
    assert "batch 1: its head is not the one that was published" in store.out
    file.write_text("not a head\n")
    assert store("audit", "verify", "--heads", str(file)) == USAGE
    assert "Line 1" in store.err
    assert store("audit", "verify", str(file), "--heads", str(file)) == USAGE


def test_an_empty_log_is_no_fault(run):
    assert run("init") == OK
    assert run("audit", "verify") == OK
    assert "Nothing is sealed yet" in run.out


def test_a_proof_is_checked_without_the_store(store, tmp_path):
    assert store("audit", "prove", store.ada, "--personal") == OK
    text, file = store.out, tmp_path / "proof.json"
    file.write_text(text)
    store.data_dir = tmp_path / "no-store-here"
    shown = store.json("audit", "verify", str(file))
    assert (shown["proven"], shown["event"]["id"], shown["personal"]) == (True, store.ada, {"externalUserId": "ada"})
    assert store("audit", "verify", str(file), "--kid", shown["kid"]) == OK
    assert f"{store.ada} session.created stands in batch 1" in store.out
    assert store("audit", "verify", str(file), "--kid", "another") == FAILED
    assert "none of the keys" in store.out
    forged = json.loads(text)
    forged["leaf"] = forged["leaf"].replace("test", "live")
    file.write_text(json.dumps(forged))
    assert store("audit", "verify", str(file)) == FAILED
    assert "does not hold" in store.out
    assert store("audit", "verify", str(tmp_path / "not there")) == NOT_FOUND
    assert not store.data_dir.exists()


def test_what_is_not_in_the_log_is_not_proven(store):
    assert store("audit", "prove", "sess_01q3dcbd00fkhb236cvbnzk61r") == NOT_FOUND
    assert store("audit", "verify", "--kid", "x") == USAGE


def test_a_person_is_forgotten_and_the_log_is_whole(store):
    shown = store.json("audit", "erase", "--user", "bob")
    assert (shown["sessions"], shown["events"]) == (1, 1)
    seal(store)
    checked = store.json("audit", "verify")
    assert checked["whole"]
    assert store.bob in checked["erased"]
    assert "bob" not in json.dumps(store.json("audit", "tail"))
    assert store("audit", "erase", shown["id"]) == OK, "by his id, again"
    assert store("audit", "erase", "--user", "never seen") == NOT_FOUND
    assert store("audit", "erase", "cust_nonsense") == NOT_FOUND
    assert store("audit", "erase") == USAGE
    assert store("audit", "erase", shown["id"], "--user", "bob") == USAGE
