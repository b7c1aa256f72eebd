"""POST /sessions: the contract of embedded analytics, to the letter, over the sessions that everything else has too."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from guestpass.core.bounds import LIFE_SECONDS_MAX
from signing import SigningHost

HOUR = 3600


def at(world, seconds, **options):
    """The server's time and so many seconds, as ISO 8601."""
    return datetime.fromtimestamp(world.clock() + seconds, UTC).isoformat(**options)


def claims_of(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


async def mint(host, **fields):
    return await host.post("/sessions", {"user": {"id": "ada"}, **fields})


async def test_the_answer_is_a_bare_jwt_and_nothing_else(world):
    reply = await mint(world.host)
    assert (reply.status, list(reply.json)) == (201, ["token"])
    assert reply.json["token"].count(".") == 2
    assert reply.json["token"].startswith("eyJ")
    assert reply.header("cache-control") == "no-store"


async def test_it_is_signed_by_a_key_that_is_sent_or_that_signs(world):
    signer = SigningHost(world, await world.key(signing=True))
    send = signer.prepare("POST", "/sessions", {"user": {"id": "ada"}})
    assert (await send()).status == 201
    assert (await send()).code == "REQUEST_REPLAYED"


async def test_it_lives_for_an_hour_unless_it_says_otherwise(world):
    claims = claims_of((await mint(world.host)).json["token"])
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("ada", HOUR)
    assert {"nbf", "organization_id"} & claims.keys() == set()


async def test_all_that_it_may_say_is_in_the_token(world):
    reply = await mint(world.host, organization={"id": "acme"}, expiration=at(world, 90), not_before=at(world, 30))
    claims = claims_of(reply.json["token"])
    now = int(world.clock())
    assert (claims["exp"], claims["nbf"], claims["iat"]) == (now + 90, now + 30, now)
    assert (claims["organization_id"], claims["scope"], claims["jti"]) == ("acme", "*", claims["sid"])


async def test_its_session_is_one_like_all_others(world):
    """Listed, verified, who am I, revoked."""
    token = (await mint(world.host, organization={"id": "acme"})).json["token"]
    [listed] = await world.host.sessions(externalOrganizationId="acme")
    assert (listed["externalUserId"], listed["format"], listed["renewable"]) == ("ada", "jwt", False)
    assert listed["id"] == claims_of(token)["sid"]
    assert (await world.host.verify(token, operation="read"))["valid"]
    assert (await world.http.get("/v1/session", bearer=token)).json["id"] == listed["id"]
    await world.host.revoke(externalUserId="ada")
    assert (await world.http.get("/v1/session", bearer=token)).code == "TOKEN_REVOKED"


async def test_it_may_do_what_its_key_may(world):
    host = await world.key(ceiling="read_charts")
    assert claims_of((await mint(host)).json["token"])["scope"] == "read_charts"


ENDS = {
    "a second ahead": (1, 1),
    "a second and a half ahead": (1.5, 1),
    "24 h": (LIFE_SECONDS_MAX, LIFE_SECONDS_MAX),
    "24 h and a second, by a clock that is ahead": (LIFE_SECONDS_MAX + 1, LIFE_SECONDS_MAX),
    "24 h and 300 s": (LIFE_SECONDS_MAX + 300, LIFE_SECONDS_MAX),
}


@pytest.mark.parametrize(("seconds", "life"), ENDS.values(), ids=ENDS)
async def test_an_end_that_is_taken(world, seconds, life):
    claims = claims_of((await mint(world.host, expiration=at(world, seconds))).json["token"])
    assert claims["exp"] - claims["iat"] == life


@pytest.mark.parametrize("seconds", [-HOUR, -1, 0, 0.9, LIFE_SECONDS_MAX + 300.5, LIFE_SECONDS_MAX + 301, 10**9])
async def test_an_end_that_is_not(world, seconds):
    reply = await mint(world.host, expiration=at(world, seconds))
    assert (reply.code, reply.json["details"][0]["path"]) == ("INVALID_EXPIRATION", "expiration")
    assert "2030-01-01T00:00:00Z" in reply.json["message"], "whose clock is off can be seen"


STARTS = {"60 s past": (-60, 0), "now": (0, 0), "in a while": (100, 100), "half a second ahead": (0.5, 1)}


@pytest.mark.parametrize(("seconds", "start"), STARTS.values(), ids=STARTS)
async def test_a_start_that_is_taken(world, seconds, start):
    claims = claims_of((await mint(world.host, not_before=at(world, seconds))).json["token"])
    assert claims["nbf"] - claims["iat"] == start


@pytest.mark.parametrize("seconds", [-61, -HOUR, HOUR, 2 * HOUR])
async def test_a_start_that_is_not(world, seconds):
    reply = await mint(world.host, not_before=at(world, seconds))
    assert (reply.code, reply.json["details"][0]["path"]) == ("INVALID_NOT_BEFORE", "not_before")


SAME_MOMENT = (
    "2030-01-01T01:00:00Z", "2030-01-01T01:00:00", "2030-01-01t01:00z", "2030-01-01T01:00:00.000000+00:00",
    "2030-01-01T03:00:00+02:00", "2030-01-01T03:00:00+0200", "2030-01-01T03:00+02", "2029-12-31T20:30:00-04:30",
    "2030-01-01T01:00:00,5", "20300101T010000Z", "20300101T0100", "20300101T030000.5+0200",
)  # fmt: skip


@pytest.mark.parametrize("text", SAME_MOMENT)
async def test_iso_8601_in_all_its_forms_and_without_an_offset_utc(world, text):
    assert claims_of((await mint(world.host, expiration=text)).json["token"])["exp"] == 1_893_456_000 + HOUR


async def test_what_the_libraries_of_python_write_is_read(world):
    moment = datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))) + timedelta(hours=5, minutes=45)
    for text in (moment.isoformat(), moment.astimezone(UTC).replace(tzinfo=None).isoformat()):
        assert (await mint(world.host, expiration=text)).status == 201, text


SHAPES = {
    "no user": ({}, "user"),
    "a user without an id": ({"user": {}}, "user.id"),
    "a user's name": ({"user": "ada"}, "user"),
    "an empty id": ({"user": {"id": ""}}, "user.id"),
    "65 characters": ({"user": {"id": "u" * 65}}, "user.id"),
    "a control character": ({"user": {"id": "a\u0000"}}, "user.id"),
    "outer white space": ({"user": {"id": " ada"}}, "user.id"),
    "a number": ({"user": {"id": 7}}, "user.id"),
    "more of the user": ({"user": {"id": "ada", "name": "Ada"}}, "user.name"),
    "an organization of 65 characters": ({"user": {"id": "ada"}, "organization": {"id": "o" * 65}}, "organization.id"),
    "an organization that is null": ({"user": {"id": "ada"}, "organization": None}, "organization"),
    "camelCase": ({"user": {"id": "ada"}, "notBefore": "2030-01-01T00:00:00Z"}, "notBefore"),
    "a field of the other mint": ({"user": {"id": "ada"}, "allowedOperations": []}, "allowedOperations"),
    "an end in seconds": ({"user": {"id": "ada"}, "expiration": 1_893_459_600}, "expiration"),
    "an end that is a word": ({"user": {"id": "ada"}, "expiration": "tomorrow"}, "expiration"),
    "an end that is a day": ({"user": {"id": "ada"}, "expiration": "2030-01-02"}, "expiration"),
    "an end with a blank": ({"user": {"id": "ada"}, "expiration": "2030-01-01 01:00:00"}, "expiration"),
    "an end on a day that is not": ({"user": {"id": "ada"}, "expiration": "2030-02-30T00:00:00Z"}, "expiration"),
    "an end at 24 o'clock": ({"user": {"id": "ada"}, "expiration": "2030-01-01T24:00:00Z"}, "expiration"),
    "a week": ({"user": {"id": "ada"}, "expiration": "2030-W01-2T01:00:00Z"}, "expiration"),
    "digits of another script": ({"user": {"id": "ada"}, "expiration": "\uff12\uff10\uff13\uff10-01-01T01:00:00Z"}, "expiration"),
    "a start that is null": ({"user": {"id": "ada"}, "not_before": None}, "not_before"),
    "a start that is empty": ({"user": {"id": "ada"}, "not_before": ""}, "not_before"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "path"), SHAPES.values(), ids=SHAPES)
async def test_a_wrong_shape_is_named(shared_world, body, path):
    reply = await shared_world.host.post("/sessions", body)
    assert (reply.status, reply.code, reply.json["details"][0]["path"]) == (400, "VALIDATION_ERROR", path)


async def test_ids_of_64_characters_are_taken_and_counted_in_code_points(world):
    reply = await world.host.post("/sessions", {"user": {"id": "🦉" * 64}, "organization": {"id": "o" * 64}})
    assert claims_of(reply.json["token"])["sub"] == "🦉" * 64


async def test_who_may_not_mint_is_told_so(world):
    assert (await world.http.post("/sessions", {"user": {"id": "ada"}})).code == "UNAUTHORIZED"
    assert (await mint(await world.key(can=["read"]))).code == "FORBIDDEN"
    await world.host.revoke_user("ada", block=True)
    assert (await mint(world.host)).code == "CUSTOMER_BLOCKED"


async def test_a_server_without_a_usable_key_says_that_it_is_its_own_fault(world):
    """And nothing is minted."""
    await world.store.at_once(lambda tx: tx.execute("DELETE FROM signing_keys"))
    world.clock.advance(seconds=2)  # every server looks for keys by then
    reply = await mint(world.host)
    assert (reply.status, reply.code) == (500, "JWT_CONFIGURATION_ERROR")
    assert await world.host.sessions() == []


async def test_a_project_may_set_another_default_and_a_shorter_most(world):
    """The least of this contract stays a second: a project's least is for ``expiresIn``."""
    change = {"min_expires_in": 120, "default_expires_in": 300, "max_expires_in": 600}
    await world.service.issuers.set(world.host.issuer, change)
    assert [await life(world, **asked) for asked in ({}, {"expiration": at(world, 1)}, {"expiration": at(world, 900)})] == [300, 1, 600]  # fmt: skip
    assert (await mint(world.host, expiration=at(world, 901))).code == "INVALID_EXPIRATION"


async def life(world, **asked):
    claims = claims_of((await mint(world.host, **asked)).json["token"])
    return claims["exp"] - claims["iat"]
