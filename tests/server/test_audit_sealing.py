"""The chain: what is done is in it within a second, once, however late it was committed and whoever sealed."""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial

import pytest

from engines import EVERY_ENGINE
from guestpass.core import ids
from guestpass.core.audit import heads, tree
from guestpass.server.audit import batches, feed, sealing
from guestpass.server.audit.batches import Batch, Part
from guestpass.server.audit.packed import split
from guestpass.server.audit.sealing import HELD_MS, Sealing
from guestpass.server.sessions import sql as sessions
from guestpass.server.sessions.api import MintRequest
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage.store import Rider

ENGINES = EVERY_ENGINE


async def chain(world):
    """Every batch with its parts, in order."""

    async def read(tx):
        found = [Batch(*row) for row in await tx.fetch("SELECT * FROM audit_batches ORDER BY number")]
        parts = [Part(*row) for row in await tx.fetch("SELECT * FROM audit_leaves ORDER BY first_leaf")]
        keys = dict(await tx.fetch("SELECT kid, public_jwk FROM audit_keys"))
        return found, parts, {kid: json.loads(jwk) for kid, jwk in keys.items()}

    return await world.store.read(read)


async def sealed_ids(world):
    _, parts, _ = await chain(world)
    return [found for part in parts for found in split(part.ids, 16)]


async def all_ids(world):
    async def read(tx):
        return [row[0] for table in ("sessions", "audit_events") for row in await tx.fetch(f"SELECT id FROM {table}")]

    return await world.store.read(read)


async def check_whole(world):
    """Whatever there is stands in the chain once, and the heads hold together."""
    found, parts, keys = await chain(world)
    sealed = await sealed_ids(world)
    assert sorted(sealed) == sorted(await all_ids(world))
    previous, position = heads.NO_HEAD, 0
    for number, batch in enumerate(found, 1):
        head = heads.read(batch.head, keys[heads.kid_of(batch.head)])
        hashes = [one for part in parts if part.batch == number for one in split(part.hashes, 32)]
        assert (head.number, head.previous, head.first, head.count) == (number, previous, position, len(hashes))
        assert head.root == tree.root_of(hashes).hex()
        previous, position = heads.digest_of(batch.head), position + head.count


async def test_mints_and_acts_are_chained(world):
    ada = await world.mint("ada", externalOrganizationId="acme")
    await world.mint("bob")
    await world.host.end(ada)
    assert await world.service.audit.sealing.seal() == len(await all_ids(world))
    await check_whole(world)
    await world.live.mint("cy")
    await world.neighbour.mint("eve")
    assert await world.service.audit.sealing.seal() == 2
    await check_whole(world)
    assert len((await chain(world))[0]) == 2


async def test_nothing_new_is_no_batch(world):
    await world.mint("ada")
    await world.service.audit.sealing.seal()
    for seconds in (0, 1, 30, 3_600):
        world.clock.advance(seconds=seconds)
        assert await world.service.audit.sealing.seal() == 0
    assert len((await chain(world))[0]) == 1


async def test_many_leaves_are_batches_of_bounded_size(world):
    ada = await world.mint("ada")
    await world.fill(ada, 700)
    sealer = Sealing(world.store, world.service.issuers, world.service.keyring, leaves_max=100)
    assert await sealer.seal() == len(await all_ids(world))
    assert {batch.leaves for batch in (await chain(world))[0][:-1]} == {100}
    await check_whole(world)


async def insert(world, like, at_ms, entropy):
    """Commit a session below the API whose id was made at some other time."""
    found = ids.decode("sess", like.id)

    async def act(tx):
        row = SessionRow(*await tx.fetch_one(f"SELECT {sessions.COLUMNS} FROM sessions WHERE id = ?", (found,)))
        await sessions.add(tx, [row._replace(id=ids.time_ordered(int(at_ms), entropy))])

    await world.store.at_once(act)


async def test_a_mint_that_waited_too_long_for_its_transaction_takes_a_new_id(world):
    """The sealer waits for no id as old; the answer's is the one that was committed."""
    waits = [6.0, 0.0]

    async def wait(tx, items):
        world.clock.advance(seconds=waits.pop(0))
        return [None] * len(items)

    key = await world.service.api_keys.authenticate(world.host.secret)
    minted = await world.service.minting.mint(key, MintRequest(external_user_id="ada"), [Rider(wait, None)])
    assert ids.unix_ms_of(ids.decode("sess", minted.id)) == int(world.clock() * 1000)
    assert [session["id"] for session in await world.host.sessions()] == [minted.id]


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_committed_late_or_by_a_clock_that_is_ahead_is_sealed_once(world, seed):
    """Ids up to 18 s older and 5 s younger than their commit, looks between them, batches of a few leaves."""
    dice = random.Random(seed)
    ada = await world.mint("ada")
    sealer = Sealing(world.store, world.service.issuers, world.service.keyring, leaves_max=7)
    for _ in range(120):
        at_ms = world.clock() * 1000 + dice.choice((0, 0, 0, dice.randint(-18_000, 5_000)))
        await insert(world, ada, at_ms, dice.randbytes(10))
        world.clock.advance(milliseconds=dice.choice((0, 1, 50, 900)))
        if dice.random() < 0.3:
            await sealer.seal()
    await sealer.seal()
    await check_whole(world)


async def test_the_quiet_hour_before_a_late_commit_changes_nothing(world):
    ada = await world.mint("ada")
    await world.service.audit.sealing.seal()
    world.clock.advance(seconds=3_600)
    await world.service.audit.sealing.seal()
    await insert(world, ada, world.clock() * 1000 - 18_000, bytes(10))
    assert await world.service.audit.sealing.seal() == 1
    await check_whole(world)


async def test_issuers_without_news_are_not_looked_at(world):
    """Of thousands of them, only those that minted in the last minute or so cost anything."""
    await world.mint("ada")
    await world.neighbour.mint("eve")
    await world.service.audit.sealing.seal()
    assert set(await world.store.read(sealing._due)) == {0, world.host.issuer.number, world.neighbour.issuer.number}
    world.clock.advance(seconds=120)
    await world.mint("ada")
    await world.service.audit.sealing.seal()
    assert await world.store.read(sealing._due) == [0, world.host.issuer.number]
    await check_whole(world)


async def test_what_is_minted_after_the_clock_went_back_is_sealed_too(world):
    """The edge stands ahead of it for an hour."""
    await world.mint("ada")
    await world.service.audit.sealing.seal()
    world.clock.advance(seconds=3_600)
    await world.mint("ada")
    await world.service.audit.sealing.seal()
    world.clock.advance(seconds=70)
    await world.mint("ada")
    await world.service.audit.sealing.seal()
    world.clock.advance(seconds=-3_000)
    for user in ("bob", "cy"):
        await world.host.end(await world.mint(user))
        assert (await world.service.audit.checking.verify()).faults == [], "what waits is not taken for what was added"
        assert await world.service.audit.sealing.seal() == 2
        world.clock.advance(seconds=1_000)
    await check_whole(world)
    assert (await world.service.audit.checking.verify()).faults == []


async def test_servers_that_seal_at_once_seal_one_after_the_other(world):
    """Whoever reads while another writes finds that his batch no longer follows."""
    await world.mint("ada")
    service = world.service
    others = [Sealing(world.store, service.issuers, service.keyring) for _ in range(4)]
    looks = [await world.store.read(partial(other._look, numbers=[0, world.host.issuer.number])) for other in others]
    assert all(look.size for look in looks)
    sealed = [await other.seal() for other in others]
    assert sealed == [len(await all_ids(world)), 0, 0, 0]
    await check_whole(world)


async def test_mints_of_two_servers_are_sealed_once_while_they_go_on(world):
    """Commits overtake each other, one server's clock is ahead, and whoever is free seals."""
    other = await world.beside(ahead_seconds=4.0)
    key = await world.service.api_keys.authenticate(world.host.secret)

    async def mint_some(service):
        for _ in range(40):
            await service.minting.mint(key, MintRequest(external_user_id="ada"))

    async def seal_on():
        for _ in range(30):
            await world.service.audit.sealing.seal()
            await other.service.audit.sealing.seal()
            world.clock.advance(milliseconds=700)

    await asyncio.gather(*(mint_some(server.service) for server in (world, other) for _ in range(4)), seal_on())
    world.clock.advance(milliseconds=HELD_MS)
    await world.service.audit.sealing.seal()
    await check_whole(world)
    assert (await world.service.audit.checking.verify()).faults == []


async def test_another_server_takes_over_from_one_that_is_gone(world):
    await world.mint("ada")
    await world.service.audit.sealing.seal()
    await world.mint("bob")
    other = Sealing(world.store, world.service.issuers, world.service.keyring)
    assert await other.seal() == 0, "the one who sealed last is at it"
    world.clock.advance(milliseconds=HELD_MS)
    assert await other.seal() == 1
    await check_whole(world)


async def test_a_rotated_key_goes_on_with_the_chain(world):
    """Heads by keys that are long gone verify by what was kept of them."""
    issuer = await world.service.issuers.at("live")
    for _ in range(3):
        await world.mint("ada")
        await world.service.audit.sealing.seal()
        change = await world.service.rotation.rotate(issuer)
        last = change.keys.last(secret=False)
        world.clock.advance(milliseconds=max(0, last.signs_from_ms - change.keys.now_ms) + 1_000)
    await world.service.audit.sealing.seal()
    found, _, keys = await chain(world)
    assert len({heads.kid_of(batch.head) for batch in found}) == 4 == len(keys)
    await check_whole(world)


async def test_sessions_that_are_not_sealed_are_not_purged(world):
    await world.mint("ada")
    world.clock.advance(seconds=400 * 86_400)
    await world.service.jobs.cleaning.purge()
    assert len(await world.host.sessions()) == 1
    await world.service.audit.sealing.seal()
    await world.service.jobs.cleaning.purge()
    assert await world.host.sessions() == []


async def test_a_store_that_is_older_than_its_log_begins_with_what_comes(world):
    """Its old sessions are not sealed, and do not wait to be purged for that."""
    ada = await world.mint("ada")
    await insert(world, ada, (world.clock() - 40 * 86_400) * 1000, bytes(10))
    await world.service.audit.sealing.seal()
    assert ids.decode("sess", ada.id) in await sealed_ids(world)
    assert len(await sealed_ids(world)) == len(await all_ids(world)) - 1
    await world.service.jobs.cleaning.purge()
    assert [session["id"] for session in await world.host.sessions()] == [ada.id]


async def test_the_feed_tells_every_event_once_and_in_order(world):
    issuer = world.host.issuer.number
    ada = await world.mint("ada", externalOrganizationId="acme")
    await world.service.audit.sealing.seal()
    start = await world.store.read(feed.end)
    for user in ("bob", "cy", "di"):
        world.clock.advance(milliseconds=1)
        await world.mint(user)
    await world.host.end(ada)
    await world.service.audit.sealing.seal()
    world.clock.advance(seconds=1)
    await world.neighbour.mint("eve")
    await world.mint("fay")
    await world.service.audit.sealing.seal()
    told, position = [], start
    while True:
        some = await world.store.read(lambda tx, at=position: feed.sealed_after(tx, at, 2, sessions_of={issuer}))
        if some.position == position:
            break
        told, position = told + some.events, some.position
    assert position == await world.store.read(feed.end)
    assert [event.action for event in told] == ["session.revoked", *["session.created"] * 4]
    assert [event.personal["externalUserId"] for event in told][1:] == ["bob", "cy", "di", "fay"]
    assert told[0].targets[0] == ada.id
    assert {event.issuer for event in told} == {issuer}
    assert [event.position for event in told] == sorted({event.position for event in told})
    without = await world.store.read(lambda tx: feed.sealed_after(tx, start, 100))
    assert [event.action for event in without.events] == ["session.revoked"]
    assert without.position == position


async def test_a_part_of_a_batch_is_found_by_any_position_in_it(world):
    ada = await world.mint("ada")
    await world.fill(ada, 20)
    await world.service.audit.sealing.seal()
    issuer, last = world.host.issuer.number, await world.store.read(feed.end)
    for position in range(last):
        some = await world.store.read(lambda tx, at=position: feed.sealed_after(tx, at, 100, sessions_of={issuer}))
        assert [event.position for event in some.events] == list(range(position, last))
    assert (await world.store.read(batches.last)).leaves == last
