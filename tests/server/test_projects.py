"""Projects: one issuer in each environment, settings of their own, and every server follows within a second."""

from __future__ import annotations

import jwt
import pytest

from engines import EVERY_ENGINE
from guestpass.core.bounds import LIFE_SECONDS_MAX, LIFE_SECONDS_MIN
from guestpass.errors import Conflict, NotFound, ValidationFailed
from guestpass.server.app import open_service
from guestpass.server.operate.settings import Settings, SettingsError
from guestpass.server.storage.sealing import Sealer
from http_caller import BASE_URL
from world import MASTER_KEY, World

ENGINES = EVERY_ENGINE


async def settle(world, project_id, environment="test", **changes):
    issuers = world.service.issuers
    issuer = await issuers.of(await issuers.project(project_id), environment)
    return await issuers.set(issuer, changes)


async def default_project(world):
    return (await world.service.issuers.project("default")).id


@pytest.mark.parametrize("environment", ["test", "live"])
async def test_a_new_project_mints_publishes_and_verifies_at_its_own_issuer(world, environment):
    """End to end: its key, its discovery at both path forms, its keys, a token that a stock library accepts."""
    project = await world.project("Larkspur")
    issuer = f"{BASE_URL}/{environment}/{project}"
    host = await world.key(environment, project=project)
    ada = await host.mint("ada")
    assert (await ada.who_am_i())["externalUserId"] == "ada"
    assert (await host.verify(ada.token))["valid"] is True
    name = "/.well-known/oauth-authorization-server"
    for path in (f"/{environment}/{project}{name}", f"{name}/{environment}/{project}"):
        discovered = (await world.http.get(path)).json
        assert (discovered["issuer"], discovered["jwks_uri"]) == (issuer, f"{issuer}/.well-known/jwks.json")
    published = (await world.http.get(f"/{environment}/{project}/.well-known/jwks.json")).json
    claims = jwt.decode(
        ada.token.removeprefix(f"gp_session_{environment}_"),
        jwt.PyJWK(published["keys"][0]),
        algorithms=["ES256"],
        audience=issuer,
        issuer=issuer,
        options={"verify_exp": False, "verify_iat": False},  # the world's clock is not this machine's
    )
    assert (claims["project_id"], claims["environment"]) == (project, environment)


async def test_two_projects_share_no_signing_key(world):
    first, second = await world.project("One"), await world.project("Two")
    kids = [
        key["kid"]
        for project in (first, second)
        for environment in ("test", "live")
        for key in (await world.http.get(f"/{environment}/{project}/.well-known/jwks.json")).json["keys"]
    ]
    assert len(set(kids)) == 4


async def test_a_name_is_given_once(world):
    await world.project("Larkspur")
    with pytest.raises(Conflict, match="proj_"):
        await world.project("Larkspur")
    with pytest.raises(Conflict):
        await world.project("default")


@pytest.mark.parametrize("name", ["", " a", "a\n", "a" * 256, "proj_01jd0000000000000000000000"])
async def test_a_name_that_could_be_mistaken_is_refused(world, name):
    with pytest.raises(ValidationFailed) as refusal:
        await world.project(name)
    assert refusal.value.details[0].path == "name"


async def test_a_project_is_found_by_id_or_by_its_exact_name(world):
    project = await world.project("Larkspur")
    for known_as in (project, "Larkspur"):
        assert (await world.service.issuers.project(known_as)).id == project
    for unknown in ("larkspur", "proj_01jd0000000000000000000000", project.upper()):
        with pytest.raises(NotFound):
            await world.service.issuers.project(unknown)


async def test_a_project_that_lost_its_keys_half_made_gets_them_with_the_next_start(world):
    project = await world.project("Larkspur")
    await world.store.at_once(lambda tx: tx.execute("DELETE FROM signing_keys"))
    service = await open_service(Settings(), world.store, Sealer(MASTER_KEY), clock=world.clock)
    for environment in ("test", "live"):
        assert (await service.keyring.of(await service.issuers.at(environment, project))).signer


async def test_an_issuer_that_belongs_to_a_project_is_not_given_to_another(world):
    """Two issuers would be equal, and a token of one would be one of the other's."""
    project = await world.project("Larkspur")
    settings = Settings(issuer_test=f"{BASE_URL}/test/{project}")
    with pytest.raises(SettingsError, match="belongs to the project"):
        await open_service(settings, world.store, Sealer(MASTER_KEY))


# Settings


async def test_an_audience_replaces_the_issuer_in_tokens_and_where_they_are_checked(world):
    before = await world.mint("ada")
    await settle(world, await default_project(world), audience="https://api.larkspur.example")
    after = await world.mint("ada")
    claims = jwt.decode(after.token.removeprefix("gp_session_test_"), options={"verify_signature": False})
    assert claims["aud"] == "https://api.larkspur.example"
    assert await after.lives()
    assert (await world.host.verify(before.token))["code"] == "TOKEN_AUDIENCE_MISMATCH"
    assert (await (await world.live.mint("ada")).who_am_i())["environment"] == "live", "live has settings of its own"


async def test_the_servers_own_setting_comes_before_a_projects(world):
    """``GUESTPASS_AUDIENCE_TEST`` replaces the audience of ``default`` verbatim."""
    await settle(world, await default_project(world), audience="https://project.example")
    settings = Settings(audience_test="https://operator.example")
    service = await open_service(settings, world.store, Sealer(MASTER_KEY), clock=world.clock)
    assert (await service.issuers.at("test")).audience == "https://operator.example"


async def test_lives_lie_within_what_the_project_allows(world):
    project = await default_project(world)
    await settle(world, project, min_expires_in=120, default_expires_in=300, max_expires_in=600)
    assert (await world.mint("ada")).answer["expiresIn"] == 300
    for seconds in (120, 600):
        assert (await world.mint("ada", expiresIn=seconds)).answer["expiresIn"] == seconds
    for seconds in (119, 601):
        with world.refused("INVALID_EXPIRATION") as replies:
            await world.mint("ada", expiresIn=seconds)
        assert "from 120 to 600" in replies[0].json["message"]
    assert (await world.neighbour.mint("ada")).answer["expiresIn"] == 3600


async def test_each_key_of_a_project_mints_as_often_as_the_project_says():
    """Its own limit, wider or closer than the server's; 0 is any number."""
    async with World.opened(mints_per_minute=2) as world:
        project = await default_project(world)
        await settle(world, project, mints_per_minute=3)
        assert [await status_of_mint(world.host) for _ in range(4)] == [201, 201, 201, 429]
        assert [await status_of_mint(await world.key()) for _ in range(3)] == [201] * 3, "each key has its own"
        assert [await status_of_mint(world.neighbour) for _ in range(3)] == [201, 201, 429]
        await settle(world, project, mints_per_minute=0)
        assert await status_of_mint(world.host) == 201


async def status_of_mint(host):
    return (await host.post("/v1/session-tokens", {"externalUserId": "ada"})).status


BROKEN = {
    "an audience with a line break": ({"audience": "a\nb"}, "audience"),
    "an audience that is empty": ({"audience": ""}, "audience"),
    "a least life below the contract's": ({"min_expires_in": LIFE_SECONDS_MIN - 1}, "minExpiresIn"),
    "a longest life above the contract's": ({"max_expires_in": LIFE_SECONDS_MAX + 1}, "maxExpiresIn"),
    "a default below the least": ({"min_expires_in": 4000}, "defaultExpiresIn"),
    "a default above the most": ({"max_expires_in": 600}, "defaultExpiresIn"),
    "a limit below none": ({"mints_per_minute": -1}, "mintsPerMinute"),
}


@pytest.mark.parametrize(("changes", "path"), BROKEN.values(), ids=BROKEN)
async def test_a_setting_beyond_its_bounds_is_refused_by_name_and_changes_nothing(world, changes, path):
    project = await default_project(world)
    with pytest.raises(ValidationFailed) as refusal:
        await settle(world, project, **changes)
    assert refusal.value.details[0].path == path
    assert (await world.mint("ada")).answer["expiresIn"] == 3600


async def test_a_setting_is_held_against_those_that_were_set_before(world):
    project = await default_project(world)
    await settle(world, project, default_expires_in=300)
    await settle(world, project, max_expires_in=600)
    with pytest.raises(ValidationFailed, match="set them together"):
        await settle(world, project, default_expires_in=None)
    assert (await settle(world, project, default_expires_in=None, max_expires_in=None)).max_expires_in == 86_400


async def test_a_setting_that_only_a_later_version_knows_is_left_alone(world):
    """So that servers of two versions can work on one store."""
    issuer = world.host.issuer.number
    await world.store.at_once(
        lambda tx: tx.execute("INSERT INTO issuer_settings VALUES (?, 'from_the_future', '[1]')", (issuer,))
    )
    await settle(world, await default_project(world), max_expires_in=7200)
    assert (await world.mint("ada")).answer["expiresIn"] == 3600
    rows = await world.store.at_once(lambda tx: tx.fetch("SELECT name FROM issuer_settings ORDER BY name"))
    assert rows == [("from_the_future",), ("max_expires_in",)]


async def test_another_server_follows_a_change_within_a_second(world):
    """It is told nothing: it asks again."""
    other = await open_service(Settings(), world.store, Sealer(MASTER_KEY), clock=world.clock)
    assert (await other.issuers.at("test")).settings.default_expires_in == 3600
    await settle(world, await default_project(world), default_expires_in=300)
    world.clock.advance(seconds=1)
    assert (await other.issuers.at("test")).settings.default_expires_in == 300
