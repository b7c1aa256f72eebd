"""When an API key stops working: its end, its secrets' ends, its address; and what a mint under way then does."""

from __future__ import annotations

import asyncio

import pytest

from engines import EVERY_ENGINE
from guestpass.core import times
from guestpass.core.bounds import SECRETS_MAX
from guestpass.errors import Forbidden, Unauthorized
from guestpass.server.api_keys.service import REMEMBERED_SECONDS
from guestpass.server.app import open_service
from guestpass.server.operate.settings import Settings
from guestpass.server.sessions.api import MintRequest
from guestpass.server.storage.sealing import Sealer
from signing import SigningHost
from world import MASTER_KEY, START, Host, World

ENGINES = EVERY_ENGINE

DAY = 86_400


def at(seconds):
    return times.of_seconds(int(START) + seconds)


async def rotated(world, host, **body):
    """Rotate a key; return the backend with its new secret."""
    reply = await world.host.post(f"/v1/api-keys/{host.id}/rotate", body or None)
    assert reply.status == 201, reply.body
    return Host(host.http, host.issuer, host.id, reply.json["secret"])


async def works(host):
    reply = await host.get("/v1/sessions")
    assert reply.status == 200 or reply.code == "UNAUTHORIZED", reply.body
    return reply.status == 200


async def secrets_of(world, host):
    return (await world.host.get(f"/v1/api-keys/{host.id}")).json["secrets"]


# Rotation


async def test_the_old_secret_works_for_a_day_beside_the_new_one(world):
    """Both mint under one key id; sessions of the old live on; both are shown as facts."""
    old = await world.key()
    ada = await old.mint("ada")
    world.clock.advance(seconds=10)
    new = await rotated(world, old)
    assert new.secret != old.secret
    assert [await works(host) for host in (old, new)] == [True, True]
    sessions = [await world.host.session(await host.mint("bob")) for host in (old, new)]
    assert {session["apiKeyId"] for session in sessions} == {old.id}
    assert await secrets_of(world, old) == [
        {"createdAt": at(10), "endsAt": None},
        {"createdAt": at(0), "endsAt": at(10 + DAY)},
    ]
    world.clock.advance(seconds=DAY - 1)
    assert [await works(host) for host in (old, new)] == [True, True]
    world.clock.advance(seconds=1)
    assert [await works(host) for host in (old, new)] == [False, True]
    assert await secrets_of(world, old) == [{"createdAt": at(10), "endsAt": None}]
    assert (await world.host.session(ada))["status"] == "expired", "by its own end: a rotation ends no session"


async def test_a_rotation_ends_no_session(world):
    old = await world.key()
    ada = await old.mint("ada")
    await rotated(world, old, overlapSeconds=0)
    assert await ada.lives()


async def test_without_an_overlap_every_older_secret_ends_at_once(world):
    """Also those that an earlier rotation left alive: it is what one does when a secret leaked."""
    first = await world.key()
    second = await rotated(world, first)
    assert await works(first)
    third = await rotated(world, second, overlapSeconds=0)
    assert [await works(host) for host in (first, second, third)] == [False, False, True]
    assert len(await secrets_of(world, first)) == 1


async def test_a_second_rotation_keeps_the_first_secret_alive_to_its_own_end_and_no_longer(world):
    """The secret of the first rotation may never have reached the backends."""
    first = await world.key()
    second = await rotated(world, first, overlapSeconds=100)
    world.clock.advance(seconds=50)
    third = await rotated(world, second, overlapSeconds=1000)
    world.clock.advance(seconds=49)
    assert [await works(host) for host in (first, second, third)] == [True, True, True]
    world.clock.advance(seconds=1)
    assert [await works(host) for host in (first, second, third)] == [False, True, True]


async def test_a_shorter_overlap_shortens_an_earlier_one(world):
    first = await world.key()
    second = await rotated(world, first)
    third = await rotated(world, second, overlapSeconds=60)
    world.clock.advance(seconds=60)
    assert [await works(host) for host in (first, second, third)] == [False, False, True]


async def test_only_so_many_secrets_work_at_once(world):
    host = await world.key()
    for _ in range(SECRETS_MAX - 1):
        await rotated(world, host)
    reply = await world.host.post(f"/v1/api-keys/{host.id}/rotate")
    assert (reply.status, reply.code) == (409, "CONFLICT")
    await rotated(world, host, overlapSeconds=0)
    await rotated(world, host)


@pytest.mark.parametrize("seconds", [-1, 7 * DAY + 1, 1.5, "60", None, True])
async def test_an_overlap_beyond_a_week_is_refused(world, seconds):
    reply = await world.host.post(f"/v1/api-keys/{world.host.id}/rotate", {"overlapSeconds": seconds})
    assert (reply.status, reply.json["details"][0]["path"]) == (400, "overlapSeconds")
    assert len(await secrets_of(world, world.host)) == 1


async def test_of_two_rotations_at_once_both_secrets_work(world):
    """Each is answered, so each may be put to use."""
    old = await world.key()
    both = await asyncio.gather(rotated(world, old), rotated(world, old))
    assert [await works(host) for host in (old, *both)] == [True, True, True]
    assert sum(secret["endsAt"] is None for secret in await secrets_of(world, old)) == 1


async def test_while_two_secrets_work_both_sign(world):
    """The new one is kept, sealed, like the old; without an overlap the old one's signature is refused."""
    old = await world.key(signing=True)
    new = await rotated(world, old)
    for host in (old, new):
        assert (await SigningHost(world, host).call("GET", "/v1/sessions")).status == 200
        assert (await SigningHost(world, host).mint()()).status == 201
    newest = await rotated(world, old, overlapSeconds=0)
    replies = [await SigningHost(world, host).mint()() for host in (old, new, newest)]
    assert [reply.status for reply in replies] == [401, 401, 201]
    assert (await world.host.get(f"/v1/api-keys/{old.id}")).json["signing"] is True


async def test_a_key_that_does_not_sign_keeps_no_secret_when_it_is_rotated(world):
    host = await rotated(world, await world.key())
    kept = await world.store.at_once(lambda tx: tx.fetch("SELECT sealed_secret FROM api_key_secrets"))
    assert {row[0] for row in kept} == {None}
    assert (await SigningHost(world, host).call("GET", "/v1/sessions")).code == "UNAUTHORIZED"


# Ends


async def test_a_key_ends_with_its_second_and_its_sessions_do_not(world):
    host = await world.key(expires_in=60)
    ada = await host.mint("ada")
    world.clock.advance(seconds=59.9)
    assert await works(host)
    world.clock.advance(milliseconds=100)
    assert not await works(host)
    assert await ada.lives()


async def test_who_shows_an_ended_a_revoked_or_an_unknown_secret_is_told_the_same(world):
    ended, revoked, rotated_away = await world.key(expires_in=1), await world.key(), await world.key()
    await world.revoke_key(revoked)
    await rotated(world, rotated_away, overlapSeconds=0)
    world.clock.advance(seconds=1)
    told = {(await host.get("/v1/sessions")).json["message"] for host in (ended, revoked, rotated_away)}
    assert len(told) == 1


# Addresses


async def test_a_key_with_ip_ranges_works_from_there_alone(world):
    """From elsewhere it is known, and refused by name of the rule; no range is named, nor what the key can do."""
    host = await world.key(can=["read"], ip_ranges=["203.0.113.0/24", "2001:db8::/32"])
    for peer in ("203.0.113.7", "2001:db8::9", "::ffff:203.0.113.7"):
        assert (await host.get("/v1/sessions", peer=peer)).status == 200, peer
    for peer in ("203.0.112.255", "2001:db9::1", "::1", None):
        for path in ("/v1/sessions", "/v1/api-keys"):
            reply = await host.get(path, peer=peer)
            assert (reply.status, reply.code) == (403, "FORBIDDEN"), peer
            assert "IP ranges" in reply.json["message"]
            assert not [word for word in ("203.0", "2001", "read", "manage") if word in reply.json["message"]]


async def test_behind_a_trusted_proxy_the_address_is_the_clients():
    """And a header that nobody trusted wrote moves nobody."""
    async with World.opened(trusted_proxies="10.0.0.0/8") as world:
        host = await world.key(ip_ranges=["198.51.100.0/24"])

        async def status(peer, forwarded):
            return (await host.get("/v1/sessions", peer=peer, headers={"x-forwarded-for": forwarded})).status

        assert await status("10.0.0.1", "198.51.100.4") == 200
        assert await status("10.0.0.1", "198.51.100.4, 203.0.113.7") == 403
        assert await status("203.0.113.7", "198.51.100.4") == 403


async def test_an_oauth_client_is_held_to_its_ranges_too(world):
    """However its key is sent: in a header, or in the form."""
    host = await world.key(ip_ranges=["198.51.100.0/24"])
    ada = await world.mint("ada")
    form = {"token": ada.token, "client_id": host.id, "client_secret": host.secret}
    body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for peer, status in (("203.0.113.7", 403), ("198.51.100.7", 200)):
        assert (await world.http.post("/oauth/introspect", body=body, headers=headers, peer=peer)).status == status


async def test_a_signature_that_came_from_elsewhere_is_used_up(world):
    """It was heard, and refused: nobody sends it again from a better place."""
    host = await world.key(signing=True, ip_ranges=["198.51.100.0/24"])
    signer = SigningHost(world, host)
    send = signer.mint()
    assert (await send()).code == "FORBIDDEN"
    assert (await send()).code == "REQUEST_REPLAYED"


# A mint that was let in a moment ago


async def let_in(world, host):
    """Return what mints with a key as it was let in now."""
    key = await world.service.api_keys.authenticate(host.secret)
    return lambda **fields: world.service.minting.mint(key, MintRequest(external_user_id="ada", **fields))


async def test_a_mint_under_way_with_a_secret_that_was_rotated_away_is_refused(world):
    """It would be a session of whoever had the leaked secret, minted after the answer that the secret is dead."""
    host = await world.key()
    mint = await let_in(world, host)
    await rotated(world, host)
    assert (await mint()).id, "while the old one works, it works"
    await rotated(world, host, overlapSeconds=0)
    with pytest.raises(Unauthorized):
        await mint()
    assert len(await world.host.sessions()) == 1


async def test_a_mint_under_way_when_its_key_ends_is_refused(world):
    ends, overlaps = await world.key(expires_in=60), await world.key()
    await rotated(world, overlaps, overlapSeconds=60)
    mints = [await let_in(world, host) for host in (ends, overlaps)]
    world.clock.advance(seconds=60)
    for mint in mints:
        with pytest.raises(Unauthorized):
            await mint()
    assert await world.host.sessions() == []


async def test_a_mint_under_way_of_a_key_that_was_cut_down_gives_no_more_than_it_may_now(world):
    host = await world.key(ceiling="a b")
    mint = await let_in(world, host)
    await world.host.post(f"/v1/api-keys/{host.id}", {"operations": ["a"]})
    with pytest.raises(Forbidden):
        await mint()
    assert (await mint(allowed_operations=["a"])).allowed_operations == ["a"]
    await world.host.post(f"/v1/api-keys/{host.id}", {"can": ["read", "manage"]})
    with pytest.raises(Forbidden):
        await mint(allowed_operations=["a"])


# Another server


@pytest.mark.parametrize("change", ["revoke", "rotate", "edit", "end"])
async def test_another_server_follows_within_a_second(world, change):
    """It remembers a key for a quarter of one, and is told nothing; a mint asks again at once."""
    other = await open_service(Settings(), world.store, Sealer(MASTER_KEY), clock=world.clock)
    host = await world.key()
    key = await other.api_keys.authenticate(host.secret)
    body = {"rotate": {"overlapSeconds": 0}, "edit": {"can": ["read"]}, "end": {"expiresAt": at(1)}}.get(change)
    path = {"edit": "", "end": ""}.get(change, f"/{change}")
    assert (await world.host.post(f"/v1/api-keys/{host.id}{path}", body)).status < 300
    if change == "end":
        world.clock.advance(seconds=1)
    with pytest.raises((Unauthorized, Forbidden)):
        await other.minting.mint(key, MintRequest(external_user_id="ada"))
    world.clock.advance(seconds=REMEMBERED_SECONDS)
    if change == "edit":
        assert (await other.api_keys.authenticate(host.secret)).can == {"read"}
    else:
        with pytest.raises(Unauthorized):
            await other.api_keys.authenticate(host.secret)
