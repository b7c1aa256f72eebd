"""``POST /v1/sessions/revoke``: whom it ends, what it counts, and when exactly it cuts."""

from __future__ import annotations

import asyncio

import pytest

from engines import EVERY_ENGINE
from guestpass.core import times
from world import START

ENGINES = EVERY_ENGINE

SELECTORS = {
    "id": "sess_01q3dcbd00fkhb236cvbnzk61r",
    "externalUserId": "ada",
    "externalOrganizationId": "acme",
    "apiKeyId": "key_01q3dcbd00fkhb236cvbnzk61r",
    "all": True,
}


@pytest.fixture
async def crowd(world):
    """Three users, two organizations, two keys."""
    second = await world.key()
    return {
        "ada at acme": await world.mint("ada", externalOrganizationId="acme"),
        "ada alone": await world.mint("ada"),
        "bob at acme": await world.mint("bob", externalOrganizationId="acme", format="opaque"),
        "cy at zeta, by the second key": await second.mint("cy", externalOrganizationId="zeta"),
        "second": second,
    }


async def living(crowd):
    return {name for name, session in crowd.items() if name != "second" and await session.lives()}


ENDS = {
    "of a user": (lambda c: {"externalUserId": "ada"}, {"ada at acme", "ada alone"}),
    "of an organization": (lambda c: {"externalOrganizationId": "acme"}, {"ada at acme", "bob at acme"}),
    "of an API key": (lambda c: {"apiKeyId": c["second"].id}, {"cy at zeta, by the second key"}),
    "with one id": (lambda c: {"id": c["bob at acme"].id}, {"bob at acme"}),
    "of everyone": (
        lambda c: {"all": True},
        {"ada at acme", "ada alone", "bob at acme", "cy at zeta, by the second key"},
    ),
    "of nobody": (lambda c: {"externalUserId": "never seen"}, set()),
    "of a user whose id is an organization's": (lambda c: {"externalUserId": "acme"}, set()),
}


@pytest.mark.parametrize(("selector", "ended"), ENDS.values(), ids=ENDS)
async def test_it_ends_the_sessions(world, crowd, selector, ended):
    """Those, no others; it counts them, and counts none a second time."""
    before = await living(crowd)
    answer = await world.host.revoke(**selector(crowd))
    assert answer.keys() == {"revoked", "before"}
    assert answer["revoked"] == len(ended)
    assert await living(crowd) == before - ended
    world.clock.advance(seconds=1)
    assert (await world.host.revoke(**selector(crowd)))["revoked"] == 0
    for name in ended:
        shown = await world.host.session(crowd[name])
        assert (shown["status"], shown["revokedBy"]) == ("revoked", world.host.id)


@pytest.mark.parametrize("body", [{}, {"reissue": True}, {"issuedBefore": "2029-12-31T00:00:00Z"}], ids=str)
async def test_nobody_named_is_nobody_ended(world, body):
    reply = await world.host.post("/v1/sessions/revoke", body)
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert all(name in reply.json["message"] for name in SELECTORS)


@pytest.mark.parametrize("first", SELECTORS)
@pytest.mark.parametrize("second", SELECTORS)
async def test_two_selectors_are_refused(world, first, second):
    """A reader that took one of them would end more than was meant, or less."""
    if first == second:
        return
    ada = await world.mint("ada", externalOrganizationId="acme")
    reply = await world.host.post("/v1/sessions/revoke", {name: SELECTORS[name] for name in (first, second)})
    assert (reply.status, reply.code) == (400, "VALIDATION_ERROR")
    assert await ada.lives()


REFUSED = {
    "all that is not true": ({"all": False}, 400, "all"),
    "all as text": ({"all": "true"}, 400, "all"),
    "all as a number": ({"all": 1}, 400, "all"),
    "a null beside a name": ({"id": None, "externalUserId": "ada"}, 400, "id"),
    "an empty user": ({"externalUserId": ""}, 400, "externalUserId"),
    "an organization with a line break": ({"externalOrganizationId": "a\nb"}, 400, "externalOrganizationId"),
    "a moment in the future": ({"all": True, "issuedBefore": "2030-01-01T00:00:00.001Z"}, 400, "issuedBefore"),
    "a moment without offset": ({"all": True, "issuedBefore": "2029-01-01T00:00:00"}, 400, "issuedBefore"),
    "a moment that is no date": ({"all": True, "issuedBefore": "2029-13-01T00:00:00Z"}, 400, "issuedBefore"),
    "a moment beside one session": (
        {"id": SELECTORS["id"], "issuedBefore": "2029-01-01T00:00:00Z"},
        400,
        "issuedBefore",
    ),
    "reissue as text": ({"all": True, "reissue": "yes"}, 400, "reissue"),
    "an unknown field": ({"all": True, "before": "2029-01-01T00:00:00Z"}, 400, "before"),
    "an unknown session": ({"id": SELECTORS["id"]}, 404, None),
    "a session id that is none": ({"id": "ada"}, 404, None),
    "an unknown key": ({"apiKeyId": SELECTORS["apiKeyId"]}, 404, None),
    "a key id that is none": ({"apiKeyId": "ada"}, 404, None),
}


@pytest.mark.parametrize(("body", "status", "path"), REFUSED.values(), ids=REFUSED)
async def test_refused_and_nothing_ends(world, body, status, path):
    ada = await world.mint("ada")
    reply = await world.host.post("/v1/sessions/revoke", body)
    assert reply.status == status, reply.body
    assert reply.code == ("NOT_FOUND" if status == 404 else "VALIDATION_ERROR")
    assert [detail["path"] for detail in reply.json.get("details", ())] == ([path] if path else [])
    assert await ada.lives()


async def test_what_was_issued_before_a_moment_ends_and_the_rest_lives(world):
    """The millisecond itself is not before itself."""
    sessions = []
    for _ in range(4):
        sessions.append(await world.mint("ada"))
        world.clock.advance(milliseconds=1)
    moment = times.of_milliseconds(int(START * 1000) + 2)
    assert await world.host.revoke(externalUserId="ada", issuedBefore=moment) == {"revoked": 2, "before": moment}
    assert [await session.lives() for session in sessions] == [False, False, True, True]


async def test_every_millisecond_is_read_as_the_one_it_is(world):
    """No float may move a cut: what it says it cut before is what was asked."""
    world.clock.advance(seconds=1)
    for ms in range(0, 1000, 7):
        moment = times.of_milliseconds(int(START * 1000) + ms)
        assert (await world.host.revoke(externalUserId="ada", issuedBefore=moment))["before"] == moment


async def test_part_of_a_millisecond_cuts_the_whole_of_it(world):
    """An id has whole milliseconds: what may have been minted before the moment ends."""
    ada = await world.mint("ada")
    world.clock.advance(seconds=1)
    answer = await world.host.revoke(all=True, issuedBefore="2030-01-01T00:00:00.000001Z")
    assert answer == {"revoked": 1, "before": "2030-01-01T00:00:00.001Z"}
    assert not await ada.lives()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"])
async def test_a_moment_before_all_sessions_ends_none(world, moment):
    ada = await world.mint("ada")
    assert (await world.host.revoke(all=True, issuedBefore=moment))["revoked"] == 0
    assert await ada.lives()


async def test_now_is_not_the_future(world):
    assert (await world.host.revoke(all=True, issuedBefore=times.of_seconds(int(START))))["revoked"] == 0


async def test_what_is_minted_after_the_answer_lives_in_the_same_millisecond(world):
    """The clock stands still: no tick is needed between a revoke and the next mint."""
    for _ in range(5):
        before = await world.mint("ada")
        await world.host.revoke(externalUserId="ada")
        after = await world.mint("ada")
        assert not await before.lives()
        assert await after.lives()


async def test_a_mint_of_a_server_whose_clock_is_ahead_does_not_outlive_a_revoke(world):
    """The cut lies above the highest id that was committed, not at the clock of who cuts."""
    world.clock.advance(seconds=30)
    ahead = await world.mint("ada")
    world.clock.advance(seconds=-30)
    await world.host.revoke(all=True)
    assert not await ahead.lives()
    assert await (await world.mint("ada")).lives()


async def test_mints_and_revokes_at_once_are_each_before_or_after(world):
    """A mint answered before a revoke was asked for is dead; one asked for after the answer lives."""
    early = [await world.mint("ada") for _ in range(5)]
    await asyncio.gather(*(world.mint("ada") for _ in range(20)), world.host.revoke(all=True))
    late = [await world.mint("ada") for _ in range(5)]
    assert not any([await session.lives() for session in early])
    assert all([await session.lives() for session in late])


RETRY = {
    "a plain revoke": ([{}], None),
    "a revoke with reissue": ([{"reissue": True}], "token"),
    "reissue, then without": ([{"reissue": True}, {}], None),
    "without, then reissue": ([{}, {"reissue": True}], None),
    "reissue twice": ([{"reissue": True}, {"reissue": True}], "token"),
}


@pytest.mark.parametrize("selector", ["id", "externalUserId"])
@pytest.mark.parametrize(("revokes", "retry"), RETRY.values(), ids=RETRY)
async def test_a_browser_is_told_to_fetch_anew_only_after_reissue(world, selector, revokes, retry):
    """Of several revokes the one without wins: who was thrown out for good is not invited back."""
    ada = await world.mint("ada")
    for revoke in revokes:
        await world.host.revoke(**{selector: ada.id if selector == "id" else "ada"}, **revoke)
        world.clock.advance(milliseconds=1)
    reply = await world.http.get("/v1/session", bearer=ada.token)
    assert reply.code == "TOKEN_REVOKED"
    assert reply.header("guestpass-retry") == retry


async def test_one_session_is_counted_once_and_dated_by_its_first_end(world):
    ada = await world.mint("ada")
    world.clock.advance(milliseconds=5)
    assert (await world.host.revoke(id=ada.id))["revoked"] == 1
    world.clock.advance(seconds=1)
    again = await world.host.revoke(id=ada.id)
    assert again == {"revoked": 0, "before": "2030-01-01T00:00:00.005Z"}
    assert (await world.host.revoke(all=True))["revoked"] == 0
    assert (await world.host.session(ada))["revokedAt"] == "2030-01-01T00:00:00.005Z"


async def test_what_had_ended_by_itself_is_not_counted(world):
    await world.mint("ada", expiresIn=60)
    world.clock.advance(seconds=60)
    await world.mint("ada", notBefore=times.of_seconds(int(world.clock()) + 60))
    assert (await world.host.revoke(externalUserId="ada"))["revoked"] == 1, "a scheduled one lives"


@pytest.mark.parametrize(("sessions", "told"), [(10_000, 10_000), (10_001, None)])
async def test_ten_thousand_are_counted_exactly_and_more_are_not(world, sessions, told):
    await world.fill(await world.mint("ada", externalOrganizationId="acme"), sessions - 1)
    world.clock.advance(seconds=60)
    assert (await world.host.revoke(externalOrganizationId="acme"))["revoked"] == told
    assert (await world.host.sessions(status="active", limit=100)) == []


async def test_the_other_environment_and_the_neighbour_are_left_alone(world):
    live, neighbour = await world.live.mint("ada"), await world.neighbour.mint("ada")
    await world.mint("ada")
    assert (await world.host.revoke(all=True))["revoked"] == 1
    assert (await world.host.revoke(externalUserId="ada"))["revoked"] == 0
    assert await live.lives()
    assert await neighbour.lives()


async def test_a_revoked_keys_sessions_end_with_it(world):
    host = await world.key()
    ada = await host.mint("ada")
    await world.revoke_key(host)
    assert not await ada.lives()
    assert await (await world.mint("ada")).lives()


async def test_a_cut_that_cannot_be_counted_is_made_and_said_to_be(world):
    """503 would say that nothing was changed."""
    ada = await world.mint("ada")
    with world.store.away(for_long_reads_only=True):
        answer = await world.host.revoke(all=True)
    assert answer["revoked"] is None
    assert not await ada.lives()
