"""API keys beside servers of the version before, which know one secret a key, and neither ends nor IP ranges."""

from __future__ import annotations

import pytest

from engines import EVERY_ENGINE
from guestpass.core import ids
from guestpass.core.callers import api_key
from guestpass.errors import Unauthorized
from guestpass.server.api_keys.service import Actor
from world import START, Host

ENGINES = EVERY_ENGINE

SECRET = api_key.make("test", b"\x07" * 32)


class VersionBefore:
    """What such a server asks of the store, in its own words."""

    def __init__(self, world):
        self._world = world

    async def make(self, issuer):
        key_id = ids.time_ordered(int(START * 1000), bytes(ids.ENTROPY_BYTES))
        await self._world.store.at_once(
            lambda tx: tx.execute(
                "INSERT INTO api_keys (id, issuer, name, can, ceiling, created_at, revoked_at, secret_hash)"
                " VALUES (?, ?, 'theirs', 'manage mint read', 'a b', ?, NULL, ?)",
                (key_id, issuer, int(START), api_key.hash_of(SECRET)),
            )
        )
        return ids.encode("key", key_id)

    async def lets_in(self, secret):
        rows = await self._world.store.look_up(
            "SELECT id FROM api_keys WHERE secret_hash = ? AND revoked_at IS NULL", (api_key.hash_of(secret),)
        )
        return bool(rows)

    async def revoke(self, key_id):
        await self._world.store.at_once(
            lambda tx: tx.execute(
                "UPDATE api_keys SET revoked_at = ? WHERE id = ?", (int(START), ids.decode("key", key_id))
            )
        )


@pytest.fixture
def before(world):
    return VersionBefore(world)


async def change(world, host, path="", body=None):
    reply = await world.host.post(f"/v1/api-keys/{host.id}{path}", body)
    assert reply.status < 300, reply.body
    return reply.json


async def test_a_key_that_the_version_before_made_is_one_like_any_other(world, before):
    """It mints, is shown with its one secret, is edited and rotated; both then know the newest secret."""
    host = Host(world.http, world.host.issuer, await before.make(world.host.issuer.number), SECRET)
    assert (await host.mint("ada")).answer["allowedOperations"] == ["a", "b"]
    shown = (await world.host.get(f"/v1/api-keys/{host.id}")).json
    assert (shown["ipRanges"], shown["signing"], len(shown["secrets"])) == (None, False, 1)
    await change(world, host, body={"operations": ["a"]})
    assert (await host.mint("ada")).answer["allowedOperations"] == ["a"]
    new = (await change(world, host, "/rotate"))["secret"]
    assert [(await world.http.get("/v1/sessions", bearer=each)).status for each in (SECRET, new)] == [200, 200]
    assert [await before.lets_in(each) for each in (SECRET, new)] == [False, True]


async def test_a_key_that_the_version_before_revoked_is_revoked(world, before):
    host = await world.key()
    assert (await host.get("/v1/sessions")).status == 200
    key = await world.service.api_keys.authenticate(host.secret)
    await before.revoke(host.id)
    with pytest.raises(Unauthorized):
        await world.service.api_keys.create(host.issuer, "too late", actor=Actor.of(key))
    world.clock.advance(seconds=1)
    assert (await host.get("/v1/sessions")).code == "UNAUTHORIZED"


async def test_the_version_before_lets_a_new_key_in_that_it_can_judge_and_no_other(world, before):
    """Of an end and of IP ranges it knows nothing, so it must not know the secret either."""
    plain, ends, ranged = await world.key(), await world.key(expires_in=60), await world.key(ip_ranges=["203.0.113.7"])
    assert [await before.lets_in(host.secret) for host in (plain, ends, ranged)] == [True, False, False]
    await change(world, plain, body={"expiresAt": "2031-01-01T00:00:00Z"})
    await change(world, ends, body={"expiresAt": None})
    await change(world, ranged, body={"ipRanges": None})
    assert [await before.lets_in(host.secret) for host in (plain, ends, ranged)] == [False, True, True]
    secret = (await change(world, plain, "/rotate"))["secret"]
    assert not await before.lets_in(secret)


async def test_a_secret_that_was_rotated_away_is_dead_for_the_version_before_at_once(world, before):
    """It knows no end of a secret: rather too early than never."""
    host = await world.key()
    new = (await change(world, host, "/rotate"))["secret"]
    assert [await before.lets_in(each) for each in (host.secret, new)] == [False, True]


async def test_a_signing_key_of_the_version_before_goes_on_signing(world, before):
    """Its sealed secret stays where that version looks, as long as it can judge the key."""
    host = await world.key(signing=True)
    sealed = "SELECT sealed_secret IS NOT NULL FROM api_keys WHERE id = ?"
    row = (ids.decode("key", host.id),)
    assert [bool(found[0]) for found in await world.store.look_up(sealed, row)] == [True]
    await change(world, host, body={"ipRanges": ["203.0.113.7"]})
    assert [bool(found[0]) for found in await world.store.look_up(sealed, row)] == [False]
    assert (await world.host.get(f"/v1/api-keys/{host.id}")).json["signing"] is True
