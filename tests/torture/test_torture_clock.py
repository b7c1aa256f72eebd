"""The clock steps: what is dead stays as dead as its time, ids stay in order, and nobody is locked out."""

from __future__ import annotations

import pytest

STEPS_SECONDS = (-1, -60, -3_600, -86_400 * 40)


@pytest.mark.parametrize("seconds", STEPS_SECONDS)
async def test_what_was_revoked_stays_so(world, seconds):
    ada, bob, cy = [await world.mint(user) for user in ("ada", "bob", "cy")]
    await world.host.end(ada)
    await world.host.revoke_user("bob")
    world.clock.advance(seconds=seconds)
    for ended in (ada, bob):
        assert not await ended.lives()
        assert (await world.host.session(ended))["status"] == "revoked"
    await world.host.end(cy)
    await world.host.revoke(all=True)
    world.clock.advance(seconds=-seconds)
    assert not await cy.lives()


@pytest.mark.parametrize("seconds", STEPS_SECONDS)
async def test_a_cut_made_by_a_clock_that_stepped_back_ends_what_was_minted_before(world, seconds):
    """Its moment is not the clock's but behind every id that was committed."""
    before = await world.mint("ada")
    world.clock.advance(seconds=seconds)
    await world.host.revoke_user("ada")
    after = await world.mint("ada")
    assert (await world.host.session(before))["status"] == "revoked"
    assert (await world.host.session(after))["status"] == "active"
    assert await after.lives()
    assert after.id > before.id, "ids go on behind the cut"


async def test_a_remembered_token_is_held_against_the_clock_as_a_new_one_is(world):
    """What is remembered is that the signature holds, never that the time was good."""
    ada = await world.mint("ada", expiresIn=60, notBefore="2030-01-01T00:00:30Z")
    seen_before = [await ada.lives()]
    codes = {}
    for second in (29, 61, 29, 40, 59, 60, 3_000, 59, -3_600):
        world.clock.now = world.clock.now - world.clock.now % 86_400 + second
        reply = await world.http.get("/v1/session", bearer=ada.token)
        other = (await world.host.verify(ada.token)).get("code")
        assert (None if reply.status == 200 else reply.code) == other, second
        codes.setdefault(second, set()).add(other)
    assert seen_before == [False]
    assert all(len(said) == 1 for said in codes.values()), "each second has one answer, whatever was asked before it"
    assert codes[59] == {None}
    assert codes[60] == {"TOKEN_EXPIRED"}


@pytest.mark.parametrize("seconds", STEPS_SECONDS)
async def test_ids_stay_unique_and_are_found_after_a_step(world, seconds):
    first = [await world.mint("ada") for _ in range(20)]
    world.clock.advance(seconds=seconds)
    second = [await world.mint("ada") for _ in range(20)]
    made = {one.id for one in first + second}
    assert len(made) == 40
    assert {one["id"] for one in await world.host.sessions(externalUserId="ada")} == made


async def test_a_clock_that_ran_far_ahead_for_a_moment_locks_nobody_out(world):
    world.clock.advance(seconds=86_400 * 365)
    await world.host.revoke(all=True)
    stray = await world.mint("ada")
    world.clock.advance(seconds=-86_400 * 365)
    ada = await world.mint("ada")
    assert await ada.lives()
    await world.host.revoke_user("ada")
    assert not await ada.lives()
    assert (await world.host.session(stray))["status"] == "revoked"
    assert await (await world.mint("ada")).lives()
