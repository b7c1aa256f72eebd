"""Offline revocation: what is published, how soon, to whom it says what, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from guestpass.core.jose import base64url
from guestpass.core.jose.jwk import import_verifying_key
from guestpass.core.revocation import cut_list, status_list
from guestpass.core.revocation.status_list import INVALID, INVALID_REISSUE, VALID
from guestpass.core.tokens import claims as claims_codec
from guestpass.core.tokens.keys import KeySet
from guestpass.server.revocation import publishing
from guestpass.server.revocation.service import TOLD_AS_CUT_MS
from guestpass.server.revocation.status_lists import LEASE_SECONDS, LIST_SECONDS


def claims_in(session):
    return claims_codec.decode(base64url.decode(session.token.split(".")[1]))


def path_of(uri):
    return uri.removeprefix("http://127.0.0.1:8787")


async def keys_of(world, issuer):
    jwks = (await world.http.get(path_of(issuer.location) + "/.well-known/jwks.json")).json
    return KeySet([import_verifying_key(key) for key in jwks["keys"]])


class Verifier:
    """What a verifier that checks alone does with what it fetches: nothing is taken from the server but bytes."""

    def __init__(self, world, issuer=None):
        self.world = world
        self.issuer = issuer or world.host.issuer

    async def listed(self, session):
        """The status of a session's place in its list."""
        entry = claims_in(session).status.status_list
        reply = await self.world.http.get(path_of(entry.uri))
        assert (reply.status, reply.header("content-type")) == (200, "application/statuslist+jwt")
        keys = await keys_of(self.world, self.issuer)
        found = status_list.read(reply.body.decode(), keys, uri=entry.uri, now=int(self.world.clock()))
        return found.status_of(entry.idx)

    async def cuts(self):
        uri = f"{self.issuer.location}/status-lists/cuts"
        reply = await self.world.http.get(path_of(uri))
        assert (reply.status, reply.header("content-type")) == (200, "application/guestpass-cuts+jwt")
        keys = await keys_of(self.world, self.issuer)
        return cut_list.read(reply.body.decode(), keys, uri=uri, now=int(self.world.clock()))

    async def cut(self, session):
        """The status of a session by the cut list."""
        return (await self.cuts()).status_of(session.id, claims_in(session).status.cuts)


@pytest.fixture
def verifier(world):
    return Verifier(world)


async def test_a_revoked_session_is_invalid_in_its_list_and_its_neighbours_are_not(world, verifier):
    ada, bob = await world.mint("ada"), await world.mint("bob")
    assert await verifier.listed(ada) == VALID
    await world.host.end(ada)
    world.clock.advance(seconds=publishing.LOOK_SECONDS)
    assert (await verifier.listed(ada), await verifier.listed(bob)) == (INVALID, VALID)


async def test_what_ended_is_published_at_most_a_second_after_the_answer(world, verifier):
    ada = await world.mint("ada")
    await verifier.listed(ada)
    await world.host.end(ada)
    world.clock.advance(seconds=1)
    assert await verifier.listed(ada) == INVALID
    assert publishing.LOOK_SECONDS <= 1


async def test_of_several_endings_the_one_without_reissue_wins(world, verifier):
    ada = await world.mint("ada")
    for reissue, expected in ((True, INVALID_REISSUE), (False, INVALID), (True, INVALID)):
        await world.host.revoke(id=ada.id, reissue=reissue)
        world.clock.advance(seconds=1)
        assert await verifier.listed(ada) == expected


@pytest.mark.parametrize("subject", ["externalUserId", "externalOrganizationId", "apiKeyId", "all"])
async def test_a_cut_ends_whom_it_means_and_nobody_else(world, verifier, subject):
    meant = await world.mint("ada", externalOrganizationId="acme")
    other_key = await world.key()
    other = await other_key.mint("bob", externalOrganizationId="bolt")
    named = {"externalUserId": "ada", "externalOrganizationId": "acme", "apiKeyId": world.host.id, "all": True}
    await world.host.revoke(**{subject: named[subject]})
    after = await world.mint("ada", externalOrganizationId="acme")
    world.clock.advance(seconds=1)
    assert await verifier.cut(meant) == INVALID
    assert await verifier.cut(other) == (INVALID if subject == "all" else VALID)
    assert await verifier.cut(after) == VALID, "what is minted after the answer lives"


async def test_a_cut_carries_reissue(world, verifier):
    ada = await world.mint("ada")
    await world.host.revoke(externalUserId="ada", reissue=True)
    world.clock.advance(seconds=1)
    assert await verifier.cut(ada) == INVALID_REISSUE


async def test_the_list_of_cuts_names_nobody(world, verifier):
    """Neither a user's id nor what the API calls him stands in it, nor what could be guessed from them."""
    ada = await world.mint("ada@example.com", externalOrganizationId="acme")
    shown = await world.host.session(ada)
    await world.host.revoke(externalUserId="ada@example.com")
    await world.host.revoke(externalOrganizationId="acme")
    reply = await world.http.get("/test/status-lists/cuts")
    payload = base64url.decode(reply.body.decode().split(".")[1]).decode()
    for name in ("ada", "acme", shown["customerId"], shown["customerId"].removeprefix("cust_"), ada.id):
        assert name not in payload


async def test_a_list_belongs_to_one_issuer(world, verifier):
    """Another issuer's address does not show it, so nobody learns of another tenant's lists by counting."""
    ada = await world.mint("ada")
    number = claims_in(ada).status.status_list.uri.rpartition("/")[2]
    theirs = path_of(world.neighbour.issuer.location)
    assert (await world.http.get(f"/live/status-lists/{number}")).code == "NOT_FOUND"
    assert (await world.http.get(f"{theirs}/status-lists/{number}")).code == "NOT_FOUND"
    await world.host.revoke(all=True)
    assert (await Verifier(world, world.neighbour.issuer).cuts()).marks == {}
    neighbours = await world.neighbour.mint("ada")
    assert await Verifier(world, world.neighbour.issuer).listed(neighbours) == VALID


@pytest.mark.parametrize("name", ["0", "-1", "1.0", "01x", "9" * 30, "cuts2", "\u0661", "..", "1e3"])
async def test_what_is_no_list_is_not_found(world, name):
    assert (await world.http.get(f"/test/status-lists/{name}")).code == "NOT_FOUND"


async def test_who_asks_again_is_told_that_nothing_has_changed(world, verifier):
    ada = await world.mint("ada")
    path = path_of(claims_in(ada).status.status_list.uri)
    first = await world.http.get(path)
    etag = first.header("etag")
    for seconds in (0, 1, 60):
        world.clock.advance(seconds=seconds)
        again = await world.http.get(path, headers={"if-none-match": etag})
        assert (again.status, again.body, again.header("etag")) == (304, b"", etag)
    await world.host.end(ada)
    world.clock.advance(seconds=1)
    changed = await world.http.get(path, headers={"if-none-match": etag})
    assert changed.status == 200
    assert changed.header("cache-control") == "no-cache"


async def test_a_list_is_signed_anew_before_a_stale_copy_of_it_could_end(world, verifier):
    ada = await world.mint("ada", expiresIn=86_400)
    for _ in range(6):
        assert await verifier.listed(ada) == VALID
        world.clock.advance(seconds=publishing.SIGNED_ANEW_SECONDS - 1)
    assert publishing.GOOD_SECONDS - publishing.SIGNED_ANEW_SECONDS >= 3600, "the longest max_stale_seconds"


async def test_a_thousand_who_ask_at_once_cost_one_look(world, verifier):
    await world.mint("ada")
    reads = 0
    read = world.store.read

    async def counted(query):
        nonlocal reads
        reads += 1
        return await read(query)

    world.store.read = counted
    replies = await asyncio.gather(*(world.http.get("/test/status-lists/cuts") for _ in range(1000)))
    assert {reply.status for reply in replies} == {200}
    assert reads == 1


async def test_the_cuts_of_users_go_over_into_their_lists_and_the_list_of_cuts_stays_short(world, verifier):
    sessions = [await world.mint("ada") for _ in range(3)]
    kind = await world.mint("bob")
    await world.host.revoke(externalUserId="ada")
    await world.host.revoke(externalUserId="bob", reissue=True)
    cleaning = world.service.jobs.cleaning
    await cleaning.list_cuts()
    assert await verifier.listed(sessions[0]) == VALID, "at first the cut alone says it"
    world.clock.advance(milliseconds=TOLD_AS_CUT_MS + 1)
    await cleaning.list_cuts()
    assert [await verifier.listed(one) for one in sessions] == [INVALID] * 3
    assert await verifier.listed(kind) == INVALID_REISSUE
    assert await verifier.cut(sessions[0]) == INVALID, (
        "for a while both say it: who holds an older list asks for cuts after"
    )
    world.clock.advance(milliseconds=TOLD_AS_CUT_MS + 1)
    await cleaning.list_cuts()
    assert (await verifier.cuts()).marks == {}
    with world.refused("TOKEN_REVOKED"):
        await sessions[0].who_am_i()


async def test_a_cut_is_told_of_as_long_as_a_token_below_it_may_live(world, verifier):
    ada = await world.mint("ada", externalOrganizationId="acme", expiresIn=86_400)
    await world.host.revoke(externalOrganizationId="acme")
    cleaning = world.service.jobs.cleaning
    world.clock.advance(seconds=86_400 - 1)
    await cleaning.list_cuts()
    assert await verifier.cut(ada) == INVALID
    world.clock.advance(seconds=120)
    await cleaning.list_cuts()
    assert (await verifier.cuts()).marks == {}


async def test_a_list_is_retired_with_its_last_token(world, verifier):
    early = await world.mint("ada")
    world.clock.advance(seconds=LEASE_SECONDS - 1)
    late = await world.mint("ada", expiresIn=86_400)
    assert claims_in(early).status.status_list.uri == claims_in(late).status.status_list.uri
    world.clock.advance(seconds=86_400 - 1)
    assert await verifier.listed(late) == VALID
    world.clock.advance(seconds=LIST_SECONDS - LEASE_SECONDS - 86_400 + 3)
    path = path_of(claims_in(late).status.status_list.uri)
    assert (await world.http.get(path)).code == "NOT_FOUND"
    await world.mint("ada")
    await world.service.jobs.cleaning.purge()
    assert (
        len(await world.store.look_up("SELECT * FROM status_lists WHERE issuer = ?", (world.host.issuer.number,))) == 1
    )


async def test_places_of_an_old_list_are_given_out_no_more(world):
    """Else a list would have to be published for ever."""
    first = claims_in(await world.mint("ada"))
    world.clock.advance(seconds=LEASE_SECONDS)
    assert claims_in(await world.mint("ada")).status.status_list.uri != first.status.status_list.uri
