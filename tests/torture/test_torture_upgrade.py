"""A rolling upgrade: servers of the version before go on while the first of this version migrates the store.

``before/`` holds the server of the schema before, as the wheel that was built of it. It is replaced when a version is
released that needs another schema.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bad_days import Load
from promises import broken_promises
from real_server import RealServer

BEFORE = next(Path(__file__).parent.glob("before/*.whl"))
LOAD_SECONDS = 1


@pytest.fixture
def version_before(tmp_path):
    """The settings with which a server runs that version."""
    with zipfile.ZipFile(BEFORE) as wheel:
        wheel.extractall(tmp_path / "version-before")
    settings = {"PYTHONPATH": str(tmp_path / "version-before")}
    show = [sys.executable, "-c", "import guestpass; print(guestpass.__file__)"]
    assert "version-before" in subprocess.check_output(show, env=settings, text=True), "else this tests nothing"
    return settings


@pytest.fixture
async def old(version_before, tmp_path):
    """A server of the version before, on a store that it made."""
    store = tmp_path / "store"
    store.mkdir()
    server = RealServer.made(store, settings=version_before, log=tmp_path / "old.log")
    await server.start()
    yield server
    server.end()


@pytest.fixture
async def new(old, tmp_path):
    """One of this version, beside it."""
    server = RealServer(old.directory, key=old.key, log=tmp_path / "new.log")
    await server.start()
    yield server
    server.end()


async def test_both_versions_keep_each_others_promises_while_the_store_is_migrated(old, tmp_path):
    new = RealServer(old.directory, key=old.key, log=tmp_path / "new.log")
    before, during = Load([old], random.Random(1), rate=150), Load([old, new], random.Random(2), rate=150)
    try:
        async with before.running():
            await asyncio.sleep(LOAD_SECONDS)
            await new.start()
            async with during.running():
                await asyncio.sleep(LOAD_SECONDS)
        for load in (before, during):
            assert load.broken == []
            assert load.refused == []
            for server in (old, new):
                assert await broken_promises(server, load.ledgers) == []
    finally:
        new.end()


@pytest.mark.parametrize("direction", ["old to new", "new to old"])
async def test_what_one_version_does_the_other_knows(old, new, direction):
    minter, other = (old, new) if direction == "old to new" else (new, old)
    async with minter.connection() as here, other.connection() as there:
        minted = [
            (await here.post("/v1/session-tokens", {"externalUserId": user, "externalOrganizationId": "acme"}))[2]
            for user in ("ada", "ada", "bob", "cy", "dan")
        ]
        for one in minted:
            assert (await there.get("/v1/session", bearer=one["sessionToken"]))[0] == 200
        await there.delete(f"/v1/session-tokens/{minted[0]['id']}")
        await there.post("/v1/sessions/revoke", {"externalUserId": "bob"})
        await there.post("/v1/users/revoke", {"externalUserId": "cy", "block": True})
        alive = [(await here.get("/v1/session", bearer=one["sessionToken"]))[0] for one in minted]
        assert alive == [401, 200, 401, 401, 200]
        status, _, refusal = await here.post("/v1/session-tokens", {"externalUserId": "cy"})
        assert (status, refusal["code"]) == (403, "CUSTOMER_BLOCKED")
        found = (await there.get("/v1/sessions?externalUserId=ada"))[2]["data"]
        assert {one["id"] for one in found} == {one["id"] for one in minted[:2]}
        await there.post("/v1/sessions/revoke", {"externalOrganizationId": "acme"})
        assert (await here.get("/v1/session", bearer=minted[4]["sessionToken"]))[0] == 401


async def test_the_version_before_refuses_a_key_that_it_could_not_judge(old, new):
    """It knows no end and no IP ranges of a key: it lets none in that has one, and every other."""
    bounds = ({}, {"expiresAt": "2099-01-01T00:00:00Z"}, {"ipRanges": ["192.0.2.0/24"]})
    async with old.connection() as before, new.connection() as now:
        made = [(await now.post("/v1/api-keys", {"name": "a test's", **bound}))[2] for bound in bounds]
        seen = [[(await at.get("/v1/sessions", bearer=key["secret"]))[0] for key in made] for at in (before, now)]
        assert seen == [[200, 401, 401], [200, 200, 403]]
        rotated = (await now.post(f"/v1/api-keys/{made[0]['id']}/rotate", {}))[2]
        await asyncio.sleep(1)
        both = [key["secret"] for key in (made[0], rotated)]
        seen = [[(await at.get("/v1/sessions", bearer=secret))[0] for secret in both] for at in (before, now)]
        assert seen == [[401, 200], [200, 200]], "an old secret it lets in no more, since it knows no end of one"
