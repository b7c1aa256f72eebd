"""The world that other tests stand in."""

from __future__ import annotations

import pytest

from world import World


async def test_a_token_dies_with_its_second(world):
    ada = await world.mint("ada", expiresIn=60)
    assert (await ada.who_am_i())["externalUserId"] == "ada"
    world.clock.advance(seconds=59)
    assert await ada.lives()
    world.clock.advance(seconds=1)
    with world.refused("TOKEN_EXPIRED"):
        await ada.who_am_i()


async def test_a_refusal_that_does_not_come_fails_the_test(world):
    with pytest.raises(AssertionError, match="was not"), world.refused("TOKEN_EXPIRED"):
        await world.mint("ada")


async def test_a_refusal_with_another_code_fails_the_test(world):
    with pytest.raises(AssertionError), world.refused("TOKEN_EXPIRED"):
        await world.mint("ada", expiresIn=1)


async def test_two_worlds_with_one_seed_are_alike(world):
    """Clock and entropy are all that an id is made of, so a failure happens again in the next run."""
    async with World.opened() as other:
        assert (await world.mint("ada")).id == (await other.mint("ada")).id


async def test_a_store_that_is_away_is_said_to_be_so(world):
    """503 with Retry-After (held to by every call), and nothing of the cause."""
    with world.store.away(), world.refused("UNAVAILABLE") as refusal:
        await world.mint("ada")
    assert b"the test took" not in refusal[0].body
    assert (await world.mint("ada")).id
