"""Test and live never meet, nor do two projects: names, lists, cursors and tokens. Ids of every route: ``test_http_walls``."""

from __future__ import annotations

import pytest

from engines import EVERY_ENGINE

ENGINES = EVERY_ENGINE

BY_NAME = {
    "POST /v1/sessions/revoke by user": ("/v1/sessions/revoke", {"externalUserId": "ada"}),
    "POST /v1/sessions/revoke by organization": ("/v1/sessions/revoke", {"externalOrganizationId": "acme"}),
    "POST /v1/sessions/revoke all": ("/v1/sessions/revoke", {"all": True}),
    "POST /v1/users/revoke": ("/v1/users/revoke", {"externalUserId": "ada"}),
    "POST /v1/users/revoke with block": ("/v1/users/revoke", {"externalUserId": "ada", "block": True}),
}
STRANGERS = ["live", "neighbour"]


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(("path", "body"), BY_NAME.values(), ids=BY_NAME)
async def test_the_same_name_means_another_user_elsewhere(world, stranger, path, body):
    """A name of a stranger's own, who happens to have the same: nothing of ours ends, is blocked or counted."""
    ada = await world.mint("ada", externalOrganizationId="acme")
    reply = await getattr(world, stranger).post(path, body)
    assert (reply.status, reply.json["revoked"]) == (200, 0)
    assert await ada.lives()
    assert (await world.mint("ada")).id


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_list_shows_none_of_anothers_sessions(world, stranger):
    host = getattr(world, stranger)
    for _ in range(3):
        await world.mint("ada", externalOrganizationId="acme")
    own = await host.mint("ada", externalOrganizationId="acme")
    for query in (
        {},
        {"externalUserId": "ada"},
        {"externalOrganizationId": "acme"},
        {"status": "active"},
        {"limit": 1},
    ):
        assert [session["id"] for session in await host.sessions(**query)] == [own.id]


async def test_anothers_cursor_opens_nothing(world):
    for _ in range(3):
        await world.mint("ada")
    cursor = (await world.host.get("/v1/sessions", query="limit=1")).json["nextCursor"]
    assert (await world.neighbour.get("/v1/sessions", query={"cursor": cursor})).json["data"] == []


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_a_strangers_key_learns_nothing_from_our_token(world, stranger, form):
    ada = await world.mint("ada", format=form)
    answer = await getattr(world, stranger).verify(ada.token)
    assert answer["valid"] is False
    assert "session" not in answer
    assert ada.id not in str(answer)


async def test_customers_of_two_issuers_share_no_id(world):
    """One derivation for all, yet the same name gives each issuer its own id."""
    ids = {(await host.revoke_user("ada"))["customerId"] for host in (world.host, world.live, world.neighbour)}
    assert len(ids) == 3


async def test_a_token_of_one_environment_is_not_one_of_the_other_by_its_prefix(world):
    """The prefix is not under the signature: prefix, key and claim must agree."""
    test, live = await world.mint("ada"), await world.live.mint("ada")
    for token in (test.token.replace("_test_", "_live_"), live.token.replace("_live_", "_test_")):
        assert (await world.http.get("/v1/session", bearer=token)).code == "TOKEN_ENVIRONMENT_MISMATCH"
        for host in (world.host, world.live):
            assert (await host.verify(token))["code"] == "TOKEN_ENVIRONMENT_MISMATCH"
