"""Block, unblock, and the stolen-laptop call."""

from __future__ import annotations

import asyncio

import pytest

from engines import EVERY_ENGINE

ENGINES = EVERY_ENGINE

UNKNOWN_CUSTOMER = "cust_01q3dcbd00fkhb236cvbnzk61r"


async def customer_of(world, session):
    return (await world.host.session(session))["customerId"]


async def test_a_block_ends_the_sessions_and_refuses_new_ones(world):
    ada, bob = await world.mint("ada"), await world.mint("bob")
    customer = await customer_of(world, ada)
    world.clock.advance(milliseconds=7)
    answer = await world.host.block(customer)
    assert answer == {"id": customer, "blocked": True, "revoked": 1, "before": "2030-01-01T00:00:00.008Z"}
    assert not await ada.lives()
    with world.refused("CUSTOMER_BLOCKED") as refusal:
        await world.mint("ada")
    assert refusal[0].status == 403
    assert "unblock" in refusal[0].json["message"]
    assert await bob.lives()
    assert (await world.mint("bob")).id


async def test_a_blocked_users_browser_is_not_told_to_fetch_anew(world):
    ada = await world.mint("ada")
    await world.host.block(await customer_of(world, ada))
    reply = await world.http.get("/v1/session", bearer=ada.token)
    assert reply.code == "TOKEN_REVOKED"
    assert reply.header("guestpass-retry") is None


async def test_an_unblocked_customer_mints_again_and_what_was_ended_stays_so(world):
    ada = await world.mint("ada")
    customer = await customer_of(world, ada)
    await world.host.block(customer)
    assert await world.host.unblock(customer) == {"id": customer, "blocked": False}
    assert not await ada.lives()
    assert await (await world.mint("ada")).lives()


async def test_block_and_unblock_may_be_said_twice(world):
    ada = await world.mint("ada")
    customer = await customer_of(world, ada)
    assert [(await world.host.block(customer))["revoked"] for _ in range(2)] == [1, 0]
    assert [(await world.host.unblock(customer))["blocked"] for _ in range(2)] == [False, False]


async def test_the_stolen_laptop_call_ends_all_of_a_user(world):
    sessions = [await world.mint("ada", externalOrganizationId=name) for name in ("acme", "zeta")]
    answer = await world.host.revoke_user("ada")
    assert answer == {
        "customerId": await customer_of(world, sessions[0]),
        "blocked": False,
        "revoked": 2,
        "before": "2030-01-01T00:00:00.001Z",
    }
    assert not any([await session.lives() for session in sessions])
    assert (await world.mint("ada")).id, "without block the user signs in again"


async def test_a_user_never_seen_can_be_blocked_before_his_first_session(world):
    answer = await world.host.revoke_user("mallory", block=True)
    assert (answer["blocked"], answer["revoked"]) == (True, 0)
    with world.refused("CUSTOMER_BLOCKED"):
        await world.mint("mallory")
    await world.host.unblock(answer["customerId"])
    assert (await world.mint("mallory")).id


async def test_revoking_a_blocked_user_says_that_he_is_blocked_still(world):
    await world.host.revoke_user("ada", block=True)
    assert (await world.host.revoke_user("ada"))["blocked"] is True


async def test_a_block_is_of_the_exact_id(world):
    """U+212A folds to k, SQLite matches '7.0' to 7: a block must do neither."""
    for blocked, others in {"k": ("K", "\u212a"), "7": ("7.0", "007")}.items():
        await world.host.revoke_user(blocked, block=True)
        for other in others:
            assert (await world.mint(other)).id


async def test_a_block_holds_in_its_own_environment_and_project_only(world):
    ada = await world.live.mint("ada")
    await world.host.revoke_user("ada", block=True)
    assert await ada.lives()
    assert (await world.live.mint("ada")).id
    assert (await world.neighbour.mint("ada")).id


async def test_a_mint_in_flight_is_ended_or_refused(world):
    """Block and mints at once: whatever the order, nothing lives after the block's answer."""
    outcomes = await asyncio.gather(
        *(world.mint("ada") for _ in range(20)), world.host.revoke_user("ada", block=True), return_exceptions=True
    )
    sessions = [outcome for outcome in outcomes if hasattr(outcome, "token")]
    assert not any([await session.lives() for session in sessions])


@pytest.mark.parametrize("customer", [UNKNOWN_CUSTOMER, "cust_1", "ada", UNKNOWN_CUSTOMER.upper()])
@pytest.mark.parametrize("act", ["block", "unblock"])
async def test_a_customer_who_is_not_there_is_not_found(world, act, customer):
    reply = await world.host.post(f"/v1/customers/{customer}/{act}")
    assert (reply.status, reply.code) == (404, "NOT_FOUND")
    assert reply.json["message"] == "There is no such customer."


BAD = {
    "nobody": ({}, "externalUserId"),
    "an empty user": ({"externalUserId": ""}, "externalUserId"),
    "outer white space": ({"externalUserId": "ada "}, "externalUserId"),
    "256 characters": ({"externalUserId": "a" * 256}, "externalUserId"),
    "block as text": ({"externalUserId": "ada", "block": "true"}, "block"),
    "block as a number": ({"externalUserId": "ada", "block": 1}, "block"),
    "an unknown field": ({"externalUserId": "ada", "reissue": True}, "reissue"),
}


@pytest.mark.parametrize(("body", "path"), BAD.values(), ids=BAD)
async def test_refused_by_name(world, body, path):
    reply = await world.host.post("/v1/users/revoke", body)
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert [detail["path"] for detail in reply.json["details"]] == [path]
