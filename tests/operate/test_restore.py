"""Restore: what was issued before stays dead, whatever the copy has forgotten."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3

from sites import DATABASE

from guestpass.core import ids, times
from guestpass.server.operate.restore import MARGIN_MS
from guestpass.server.operate.routes import CLOCKS_APART_SECONDS_MAX
from guestpass.server.projects import service as projects
from guestpass.server.revocation import service as revocation
from guestpass.server.revocation.service import LISTS_SKIPPED
from guestpass.server.storage.sealing import MasterKey
from torture.real_server import run


async def test_what_was_issued_before_a_restore_is_dead_and_what_comes_after_lives(site):
    """Also what was revoked after the backup, and what the backup has never seen; with keys that nobody can have stolen."""
    thrown_out, revoked_after = await site.mint("bob", format="opaque"), await site.mint("eve")
    living, opaque = await site.mint("ada"), await site.mint("ada", format="opaque")
    await site.revoke(thrown_out)
    site.command("backup", str(site.file))
    await site.revoke(revoked_after)
    unknown, kids = await site.mint("zoe"), await site.kids()
    assert await site.answer_to(living) == (None, None)

    site.lose_the_store()
    restored = site.command("restore", str(site.file), "--json")
    await site.start_again()

    before_ms = int(times.parse(restored["before"]) * 1000)
    for minted in (thrown_out, revoked_after, living, opaque, unknown):
        code, _ = await site.answer_to(minted)
        assert code in ("TOKEN_REVOKED", "TOKEN_KEY_UNKNOWN")
        assert times.parse(minted["issuedAt"]) * 1000 < before_ms
    assert await site.answer_to(opaque) == ("TOKEN_REVOKED", "token"), "browsers are asked to fetch anew"
    assert await site.answer_to(thrown_out) == ("TOKEN_REVOKED", None), "and those who were thrown out are not"
    assert (await site.kids()).isdisjoint(kids)
    for _ in range(3):
        again = await site.mint("ada")
        assert await site.answer_to(again) == (None, None)
        assert list_number_of(read_claims(again["sessionToken"])) > LISTS_SKIPPED, "no number of a list comes twice"


def read_claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def list_number_of(claims):
    return int(claims["status"]["status_list"]["uri"].rpartition("/")[2])


async def test_the_audit_log_goes_on_from_where_the_copy_was_and_says_so(site):
    """What the copy has never seen is lost with it; what it holds is whole, and in one chain with what comes."""
    minted = await site.mint()
    await site.revoke(minted)
    before = await sealed(site, minted["id"])
    site.command("backup", str(site.file))
    lost = await site.mint()
    await sealed(site, lost["id"])

    site.lose_the_store()
    site.command("restore", str(site.file))
    await site.start_again()

    again = await site.mint()
    after = await sealed(site, again["id"])
    assert after["faults"] == []
    assert after["last"] > before["last"]
    assert after["first"] == before["first"]
    [told] = site.command("audit", "tail", "--action", "store.restored", "--json")
    assert (told["actor"], told["project"]) == ("restore", None)
    assert json.loads(site.command("audit", "prove", minted["id"]))["head"].count(".") == 2
    assert "There is no such event" in site.command("audit", "prove", lost["id"], expect=4)


async def sealed(site, session_id):
    """Wait until a mint is in the log; return what a check of all of it says."""
    for _ in range(20):
        if await asyncio.to_thread(is_proven, site, session_id):
            break
    return site.command("audit", "verify", "--json")


def is_proven(site, session_id):
    with contextlib.suppress(AssertionError):  # of a command that ends with 4
        return bool(site.command("audit", "prove", session_id))
    return False


async def test_a_copy_that_was_put_back_by_hand_is_not_served(site):
    """Whoever forgets the command is told of it, by every command that opens the store."""
    minted = await site.mint()
    site.command("backup", str(site.file))
    site.lose_the_store()
    site.copy_back_by_hand()
    for words in (("serve",), ("init",), ("keys", "list"), ("tokens", "mint", "--user", "ada")):
        assert "guestpass restore --in-place" in site.command(*words, expect=3)
    site.command("restore", "--in-place")
    await site.start_again()
    assert (await site.answer_to(minted))[0] in ("TOKEN_REVOKED", "TOKEN_KEY_UNKNOWN")
    assert await site.answer_to(await site.mint()) == (None, None)


async def test_a_recovery_that_nobody_can_see_is_cut_by_hand(site):
    """A snapshot of the disk, or PostgreSQL's recovery to a moment."""
    minted = await site.mint(format="opaque")
    site.server.kill()
    restored = site.command("restore", "--in-place", "--json")
    assert restored["copiedAt"] is None
    await site.start_again()
    assert await site.answer_to(minted) == ("TOKEN_REVOKED", "token")


async def test_every_project_and_environment_is_cut(world):
    theirs = [await host.mint("ada", format="opaque") for host in (world.host, world.live, world.neighbour)]

    async def act(tx):
        issuers = await projects.issuer_numbers(tx)
        return await revocation.cut_everything(tx, issuers, "restore", clock_ms=0, margin_ms=MARGIN_MS)

    before_ms = await world.store.at_once(act)
    assert [await session.lives() for session in theirs] == [False, False, False]
    again = await world.host.mint("ada")
    assert await again.lives()
    assert ids.unix_ms_of(ids.decode("sess", again.id)) >= before_ms


async def test_the_cut_lies_above_what_any_server_can_have_issued(world):
    """A server may be as far ahead of its store as is still ready, and that store as far ahead of this machine."""

    async def act(tx):
        issuers = await projects.issuer_numbers(tx)
        return await revocation.cut_everything(
            tx, issuers, "restore", clock_ms=int(world.clock() * 1000) + 60_000, margin_ms=MARGIN_MS
        )

    assert MARGIN_MS >= 2 * CLOCKS_APART_SECONDS_MAX * 1000
    assert await world.store.at_once(act) == int(world.clock() * 1000) + 60_000 + MARGIN_MS


async def test_a_store_that_is_replaced_is_kept(embedded):
    await embedded.mint("before")
    embedded.command("backup", str(embedded.file))
    after = await embedded.mint("after")
    embedded.server.kill()
    embedded.command("restore", str(embedded.file), "--replace")
    (aside,) = embedded.folder.glob(f"{DATABASE}.before-*")
    with contextlib.closing(sqlite3.connect(aside)) as connection:
        users = [row[0] for row in connection.execute("SELECT external_user_id FROM sessions")]
    assert users == ["before", "after"]
    await embedded.start_again()
    assert (await embedded.answer_to(after))[0] in ("TOKEN_REVOKED", "TOKEN_KEY_UNKNOWN")


def test_a_dump_that_needs_another_master_key_is_not_read_back(store):
    store.command("backup", str(store.file))
    store.lose_the_store()
    wrong = MasterKey.generate()
    said = run(
        "restore", str(store.file), at=store.folder, expect=1,
        settings=store.settings | {"GUESTPASS_MASTER_KEY": wrong.to_text()},
    )  # fmt: skip
    assert wrong.fingerprint in said
    store.command("restore", str(store.file))


def test_the_command_says_which_of_both_it_wants(tmp_path):
    assert "--in-place" in run("restore", at=tmp_path, expect=2)
    assert "--in-place" in run("restore", "file", "--in-place", at=tmp_path, expect=2)
