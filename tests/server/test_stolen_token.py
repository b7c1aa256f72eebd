"""What a thief can do with which token, as docs/stolen-token.md tells it row by row."""

import re
from pathlib import Path

import pytest

from guestpass.core.ids import ID_CHARACTERS

GRACE_SECONDS = 30
PAGE = Path(__file__).parents[2] / "docs/stolen-token.md"


@pytest.fixture
async def owner(world):
    return await world.login("ada")


@pytest.fixture
def thief(owner):
    """Whoever copied both tokens."""
    return owner.copy()


async def test_a_token_that_the_owner_used_before_ends_the_session_of_the_thief(world, owner, thief):
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh()
    with world.refused("REFRESH_TOKEN_REVOKED"):
        await owner.refresh()


async def test_a_token_that_the_thief_used_first_ends_the_session_when_its_owner_comes(world, owner, thief):
    await thief.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await owner.refresh()
    with world.refused("REFRESH_TOKEN_REVOKED"):
        await thief.refresh()
    assert (await world.login("ada")).id != owner.id


async def test_within_the_grace_both_get_the_same_and_the_next_refresh_tells_them_apart(world, owner, thief):
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS - 1)
    await thief.refresh()
    assert thief.refresh_token == owner.refresh_token
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh()
    with world.refused("REFRESH_TOKEN_REVOKED"):
        await owner.refresh()


async def test_the_grace_is_over_once_the_successor_was_used(world, owner, thief):
    await owner.refresh()
    await owner.refresh()
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh()
    with world.refused("REFRESH_TOKEN_REVOKED"):
        await owner.refresh()


async def test_a_token_of_many_refreshes_ago_ends_its_session_too(world, owner, thief):
    for _ in range(20):
        await owner.refresh()
        world.clock.advance(seconds=3600)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh()
    with world.refused("REFRESH_TOKEN_REVOKED"):
        await owner.refresh()


async def test_another_device_is_no_theft_and_goes_on(world, owner, thief):
    phone = await world.login("ada")
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh()
    await phone.refresh()
    assert await phone.lives()


@pytest.mark.parametrize("at", [0, -1, -30, 20, 16 + ID_CHARACTERS], ids=lambda at: f"character {at}")
async def test_a_forged_token_changes_nothing(world, owner, thief, at):
    text = list(owner.refresh_token)
    text[at] = "1" if text[at] != "1" else "2"
    thief.answer["refreshToken"] = "".join(text)
    with world.refused("REFRESH_TOKEN_INVALID"):
        await thief.refresh()
    with world.refused("REFRESH_TOKEN_INVALID"):
        await thief.logout()
    assert await owner.lives()
    await owner.refresh()


async def test_a_thief_can_log_out_what_he_stole_and_no_more(world, owner, thief):
    phone = await world.login("ada")
    assert await thief.logout() == 1
    assert not await owner.lives()
    assert await phone.lives()


async def test_a_used_token_logs_out_its_own_session_alone(world, owner, thief):
    phone = await world.login("ada")
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.logout(everywhere=True)
    assert not await owner.lives()
    assert await phone.lives()


async def test_a_stolen_token_that_nobody_uses_dies_by_itself(world, owner, thief):
    for _ in range(4):
        world.clock.advance(seconds=6 * 86_400)
        await owner.refresh()
    idle = owner.copy()
    world.clock.advance(seconds=6 * 86_400)  # the 30th day
    with world.refused("REFRESH_TOKEN_EXPIRED"):
        await owner.refresh()
    with world.refused("REFRESH_TOKEN_EXPIRED"):
        await idle.refresh()
    other = await world.login("ben")
    world.clock.advance(seconds=7 * 86_400)
    with world.refused("REFRESH_TOKEN_EXPIRED"):
        await other.refresh()


async def test_when_a_session_ends_for_reuse_its_access_tokens_end_with_it(world, owner, thief):
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh()
    for session in (owner, thief):
        with world.refused("TOKEN_REVOKED"):
            await session.who_am_i()


async def test_a_theft_is_told_with_its_evidence(world, owner, thief):
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh(peer="198.51.100.7")
    [odd] = (await world.host.get("/v1/auth/anomalies")).json["data"]
    assert (odd["kind"], odd["externalUserId"], odd["sessionId"]) == ("reuse", "ada", owner.id)
    assert (odd["at"], odd["outcome"]) == ("2030-01-01T00:00:30.000Z", "revoked")
    assert odd["evidence"].keys() == {"generation", "currentGeneration", "network", "agent"}
    assert odd["evidence"]["network"] == "198.51.100.0/24"


async def test_the_session_says_that_it_ended_for_reuse(world, owner, thief):
    await owner.refresh()
    world.clock.advance(seconds=GRACE_SECONDS)
    with world.refused("REFRESH_TOKEN_REUSED"):
        await thief.refresh()
    shown = await world.host.session(owner)
    assert (shown["status"], shown["revokedBy"]) == ("revoked", "refresh token reuse")


async def test_a_thief_who_comes_first_is_odd_already(world, owner):
    await owner.refresh(peer="203.0.113.7", headers={"user-agent": "Firefox"})
    await owner.copy().refresh(peer="198.51.100.7", headers={"user-agent": "curl"})
    [odd] = (await world.host.get("/v1/auth/anomalies")).json["data"]
    assert (odd["kind"], odd["outcome"]) == ("origin", "recorded")


async def test_a_stolen_access_token_dies_with_its_quarter_of_an_hour(world, owner, thief):
    world.clock.advance(seconds=899)
    await thief.who_am_i()
    await owner.refresh()
    world.clock.advance(seconds=1)
    with world.refused("TOKEN_EXPIRED"):
        await thief.who_am_i()
    assert await owner.lives()


async def test_an_access_token_gets_no_other_token(world, owner, thief):
    for path, body in {
        "/v1/auth/refresh": {"refreshToken": thief.token},
        "/v1/auth/login": {"externalUserId": "ada"},
        "/v1/session-tokens": {"externalUserId": "ada"},
    }.items():
        assert (await world.http.post(path, body)).status == 401
        assert (await world.http.post(path, body, bearer=thief.token)).status == 401


def test_every_test_that_the_page_names_is_there():
    page = PAGE.read_text()
    told = {f"test_{name}" for name in re.findall(r"\| `([a-z_]{9,})` \|$", page, re.MULTILINE)}
    told |= set(re.findall(r"`(test_[a-z_]+)`\)", page))
    here = {name for name in globals() if name.startswith("test_")}
    elsewhere = {"test_a_stolen_cookie_alone_gets_nothing_from_the_site"}  # tests/host/test_host_sites.py
    assert told - elsewhere == here - {"test_every_test_that_the_page_names_is_there"}
