"""Signing keys come and go, on either engine, and no good token is refused by any server of the store."""

from __future__ import annotations

import asyncio
import contextlib

import jwt
import pytest

from guestpass.core.jose import base64url, jws
from guestpass.errors import Conflict, NotFound
from guestpass.server.signing_keys import policy
from guestpass.server.signing_keys import sql as signing_keys
from world import World

LEAD_SECONDS = policy.LEAD_MS / 1000
LAST_TOKEN_SECONDS = policy.LAST_TOKEN_MS / 1000
DAY = 24 * 3600


class Fleet:
    """Two servers of one store, whose own clocks are 9 s apart."""

    def __init__(self, first, second):
        self.first, self.second = first, second
        self.issuer = first.host.issuer
        self.rotation = first.service.rotation
        self.clock = first.clock

    async def keep(self):
        """Do what the servers do by themselves once a minute."""
        return [change.made.kid async for change in self.rotation.keep(algorithm=False) if change.made]

    async def published(self, server=None):
        reply = await (server or self.second).http.get("/test/.well-known/jwks.json")
        return [key["kid"] for key in reply.json["keys"]]

    async def states(self):
        keys = await self.rotation.of(self.issuer)
        return {key.kid: keys.state_of(key) for key in keys.stored}

    async def in_state(self, state):
        [kid] = [kid for kid, its_state in (await self.states()).items() if its_state == state]
        return kid

    async def answers(self, session):
        """What each server says to the session's token: None, or a code."""
        replies = [await server.http.get("/v1/session", bearer=session.token) for server in (self.first, self.second)]
        return [reply.json.get("code") for reply in replies]

    def kid_of(self, session):
        return jwt.get_unverified_header(session.token.removeprefix("gp_session_test_"))["kid"]


@contextlib.asynccontextmanager
async def fleet_over(database_url, **settings):
    async with World.opened(database_url=database_url, **settings) as first:
        yield Fleet(first, await first.beside(ahead_seconds=4.5, **settings))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    return request.getfixturevalue("database_url") if request.param == "postgresql" else ""


@pytest.fixture
async def fleet(url):
    async with fleet_over(url) as fleet:
        yield fleet


async def test_the_next_key_is_published_and_does_not_sign(fleet):
    """Once; of servers that find it missing at the same time, one publishes it."""
    ada = await fleet.first.mint("ada")
    made = await asyncio.gather(fleet.keep(), fleet.keep())
    assert sum(map(len, made)) == 4, "two projects, each in two environments"
    assert await fleet.published() == [await fleet.in_state("next"), fleet.kid_of(ada)]
    fleet.clock.advance(seconds=DAY)
    assert fleet.kid_of(await fleet.first.mint("ada")) == fleet.kid_of(ada)


async def test_a_rotation_lets_the_next_key_sign_and_the_one_before_verify_until_its_last_token_has_ended(fleet):
    await fleet.keep()
    fleet.clock.advance(seconds=LEAD_SECONDS)
    old = await fleet.first.mint("ada", expiresIn=DAY)
    coming = await fleet.in_state("next")
    await fleet.rotation.rotate(fleet.issuer)
    fleet.clock.advance(seconds=1)
    new = await fleet.first.mint("ada", expiresIn=DAY)
    assert fleet.kid_of(new) == coming
    fleet.clock.advance(seconds=DAY - 11)  # until the faster server calls the first one expired
    assert await fleet.answers(old) == await fleet.answers(new) == [None, None]
    fleet.clock.advance(seconds=LAST_TOKEN_SECONDS - DAY + 10)
    assert await fleet.published() == [coming]
    assert (await fleet.states())[fleet.kid_of(old)] == "retired"


async def test_a_key_that_has_retired_has_lost_its_private_part(fleet):
    old = await fleet.in_state("signing")
    await fleet.rotation.rotate(fleet.issuer)
    fleet.clock.advance(seconds=LEAD_SECONDS + LAST_TOKEN_SECONDS - 1)
    await fleet.keep()
    assert await private_part(fleet, old)
    fleet.clock.advance(seconds=1)
    await fleet.keep()
    assert await private_part(fleet, old) == b""
    fleet.clock.advance(seconds=366 * DAY)
    await fleet.keep()
    assert old not in await fleet.states(), "after a year it is not even listed"


async def private_part(fleet, kid):
    keys = await fleet.first.store.read(lambda tx: signing_keys.of_issuer(tx, fleet.issuer.number))
    return next(key.sealed_private_jwk for key in keys if key.kid == kid)


async def test_without_a_next_key_a_rotation_publishes_one_that_signs_when_every_cache_has_it(fleet):
    before = await fleet.in_state("signing")
    change = await fleet.rotation.rotate(fleet.issuer)
    assert await fleet.published() == [change.made.kid, before]
    fleet.clock.advance(seconds=LEAD_SECONDS - 1)
    assert fleet.kid_of(await fleet.first.mint("ada")) == before
    fleet.clock.advance(seconds=1)
    assert fleet.kid_of(await fleet.first.mint("ada")) == change.made.kid


async def test_rotating_again_before_the_next_key_signs_changes_nothing(fleet):
    await fleet.rotation.rotate(fleet.issuer)
    states = await fleet.states()
    fleet.clock.advance(seconds=5)
    again = await fleet.rotation.rotate(fleet.issuer)
    assert (again.made, await fleet.states()) == (None, states)


async def test_a_key_signs_for_ninety_days(fleet):
    first = await fleet.in_state("signing")
    await fleet.keep()
    fleet.clock.advance(seconds=90 * DAY - 1)
    await fleet.keep()
    assert await fleet.in_state("signing") == first
    fleet.clock.advance(seconds=1)
    await fleet.keep()
    assert await fleet.in_state("signing") != first
    assert len(await fleet.published()) == 2, "the one before verifies; there will be a next at the next turn"
    await fleet.keep()
    assert len(await fleet.published()) == 3


async def test_no_key_is_rotated_by_itself_where_the_setting_is_0(url):
    async with fleet_over(url, signing_key_days=0) as fleet:
        first = await fleet.in_state("signing")
        await fleet.keep()
        fleet.clock.advance(seconds=3650 * DAY)
        await fleet.keep()
        assert await fleet.in_state("signing") == first


async def test_a_stolen_key_is_out_at_once_and_the_next_signs(fleet):
    """Known to every verifier already: nobody has to fetch anything."""
    await fleet.keep()
    fleet.clock.advance(seconds=LEAD_SECONDS)
    old = await fleet.first.mint("ada", expiresIn=DAY)
    assert await fleet.answers(old) == [None, None]
    cached = await fleet.published()
    await fleet.rotation.revoke(fleet.issuer, fleet.kid_of(old))
    assert fleet.kid_of(old) not in await fleet.published()
    fleet.clock.advance(seconds=1)
    assert await fleet.answers(old) == ["TOKEN_KEY_UNKNOWN"] * 2
    new = await fleet.first.mint("ada")
    assert fleet.kid_of(new) in cached
    assert await fleet.answers(new) == [None, None]
    assert await private_part(fleet, fleet.kid_of(old)) == b""


async def test_without_a_next_key_a_new_one_signs_at_once_and_every_server_asks_for_it(fleet):
    """The other server has looked a moment ago, and looks again before it says that the key is unknown."""
    old = await fleet.first.mint("ada")
    fleet.clock.advance(seconds=1)
    assert await fleet.answers(old) == [None, None]
    change = await fleet.rotation.revoke(fleet.issuer, fleet.kid_of(old))
    third = await fleet.first.beside()
    fleet.first.host.http = third.http
    new = await fleet.first.mint("ada")
    assert fleet.kid_of(new) == change.made.kid
    assert await fleet.answers(new) == [None, None]


async def test_the_key_before_signs_until_a_next_one_is_known(fleet):
    first = await fleet.in_state("signing")
    second = (await fleet.rotation.rotate(fleet.issuer)).made.kid
    fleet.clock.advance(seconds=LEAD_SECONDS)
    third = (await fleet.rotation.revoke(fleet.issuer, second)).made.kid
    fleet.clock.advance(seconds=1)
    assert fleet.kid_of(await fleet.first.mint("ada")) == first
    fleet.clock.advance(seconds=LEAD_SECONDS)
    assert fleet.kid_of(await fleet.first.mint("ada")) == third


async def test_a_retired_key_is_not_called_back(fleet):
    """Its private part may be erased already, and verifiers have let go of it."""
    first = await fleet.in_state("signing")
    second = (await fleet.rotation.rotate(fleet.issuer)).made.kid
    fleet.clock.advance(seconds=LEAD_SECONDS + LAST_TOKEN_SECONDS)
    change = await fleet.rotation.revoke(fleet.issuer, second)
    fleet.clock.advance(seconds=1)
    assert fleet.kid_of(await fleet.first.mint("ada")) == change.made.kid
    assert (await fleet.states())[first] == "retired"


async def test_revoking_again_changes_nothing_and_an_unknown_key_is_not_found(fleet):
    kid = await fleet.in_state("signing")
    await fleet.rotation.revoke(fleet.issuer, kid)
    states = await fleet.states()
    assert (await fleet.rotation.revoke(fleet.issuer, kid)).made is None
    assert await fleet.states() == states
    with pytest.raises(NotFound):
        await fleet.rotation.revoke(fleet.issuer, "nobody")


async def test_a_revoked_key_of_one_issuer_leaves_the_others_alone(fleet):
    bea = await fleet.first.live.mint("bea")
    await fleet.rotation.revoke(fleet.issuer, await fleet.in_state("signing"))
    fleet.clock.advance(seconds=1)
    assert await fleet.answers(bea) == [None, None]


async def test_another_algorithm_in_the_settings_is_a_rotation(url):
    """Published first; tokens of the old algorithm live to their end. A server that runs on undoes nothing."""
    async with fleet_over(url) as fleet:
        old = await fleet.first.mint("ada", expiresIn=DAY)
        other = await fleet.first.beside(signing_algorithm="EdDSA")
        changes = [change async for change in other.service.rotation.keep(algorithm=True)]
        assert [change.made.algorithm for change in changes] == ["EdDSA"] * 4
        fleet.clock.advance(seconds=LEAD_SECONDS - 1)
        assert fleet.kid_of(await fleet.first.mint("ada")) == fleet.kid_of(old)
        fleet.clock.advance(seconds=1)
        new = await fleet.first.mint("ada")
        header = jwt.get_unverified_header(new.token.removeprefix("gp_session_test_"))
        assert header["alg"] == "EdDSA"
        await fleet.keep()
        assert await fleet.answers(old) == await fleet.answers(new) == [None, None]


async def test_all_who_show_an_unknown_key_at_once_share_a_look(fleet):
    """The browsers after a theft, or somebody who tries names of keys."""
    ada = await fleet.first.mint("ada")
    await fleet.rotation.revoke(fleet.issuer, fleet.kid_of(ada))
    fleet.clock.advance(seconds=1)
    before = fleet.first.store.reads_begun
    replies = await asyncio.gather(*(fleet.first.http.get("/v1/session", bearer=ada.token) for _ in range(50)))
    assert {reply.code for reply in replies} == {"TOKEN_KEY_UNKNOWN"}
    assert fleet.first.store.reads_begun - before <= 3


class TestAProjectUnderASecret:
    async def test_mints_and_verifies_under_that_secret_alone(self, fleet):
        old = await fleet.first.mint("ada")
        change = await fleet.rotation.use_secret(fleet.issuer)
        assert await fleet.answers(old) == [None, None]
        fleet.clock.advance(seconds=policy.SWITCH_MS / 1000)
        new = await fleet.first.mint("ada", expiresIn=DAY)
        bare = new.token.removeprefix("gp_session_test_")
        options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}  # the world lives in another year
        claims = jwt.decode(bare, change.secret, ["HS256"], audience=fleet.issuer.audience, options=options)
        assert claims["sub"] == "ada"
        assert await fleet.answers(new) == [None, None]
        assert await fleet.answers(old) == ["TOKEN_ALGORITHM_REFUSED"] * 2

    async def test_publishes_only_what_signs_lists(self, fleet):
        asymmetric = await fleet.in_state("signing")
        change = await fleet.rotation.use_secret(fleet.issuer)
        fleet.clock.advance(seconds=policy.SWITCH_MS / 1000)
        assert await fleet.published() == [asymmetric]
        keys = await fleet.second.service.keyring.of(fleet.issuer)
        assert (keys.signer.key.kid, keys.list_signer.key.kid) == (change.made.kid, asymmetric)

    async def test_refuses_what_its_published_keys_sign(self, fleet):
        """Else whoever may sign lists could write tokens."""
        await fleet.rotation.use_secret(fleet.issuer)
        fleet.clock.advance(seconds=policy.SWITCH_MS / 1000)
        new = await fleet.first.mint("ada")
        keys = await fleet.first.service.keyring.of(fleet.issuer)
        forged = sign_again(new, keys.list_signer)
        assert (await fleet.first.http.get("/v1/session", bearer=forged)).code == "TOKEN_ALGORITHM_REFUSED"

    async def test_gets_a_new_secret_while_the_old_one_verifies(self, fleet):
        await fleet.rotation.use_secret(fleet.issuer)
        fleet.clock.advance(seconds=policy.SWITCH_MS / 1000)
        old = await fleet.first.mint("ada", expiresIn=DAY)
        change = await fleet.rotation.rotate(fleet.issuer, signs_in_seconds=600)
        fleet.clock.advance(seconds=599)
        assert fleet.kid_of(await fleet.first.mint("ada")) == fleet.kid_of(old)
        fleet.clock.advance(seconds=1)
        new = await fleet.first.mint("ada")
        assert fleet.kid_of(new) == change.made.kid
        assert await fleet.answers(old) == await fleet.answers(new) == [None, None]

    async def test_never_gets_one_by_itself(self, fleet):
        """Nobody would be there to hand it out."""
        change = await fleet.rotation.use_secret(fleet.issuer)
        fleet.clock.advance(seconds=1000 * DAY)
        await fleet.keep()
        assert fleet.kid_of(await fleet.first.mint("ada")) == change.made.kid

    async def test_gets_another_at_once_when_it_is_stolen(self, fleet):
        change = await fleet.rotation.use_secret(fleet.issuer)
        fleet.clock.advance(seconds=policy.SWITCH_MS / 1000)
        old = await fleet.first.mint("ada")
        new = await fleet.rotation.revoke(fleet.issuer, change.made.kid)
        fleet.clock.advance(seconds=1)
        assert await fleet.answers(old) == ["TOKEN_KEY_UNKNOWN"] * 2
        assert fleet.kid_of(await fleet.first.mint("ada")) == new.made.kid
        assert new.secret.startswith("hs_test_")

    async def test_can_turn_back_and_its_secret_is_erased(self, fleet):
        secret = (await fleet.rotation.use_secret(fleet.issuer)).made.kid
        fleet.clock.advance(seconds=policy.SWITCH_MS / 1000)
        under_secret = await fleet.first.mint("ada")
        await fleet.rotation.use_setting(fleet.issuer)
        assert await fleet.answers(under_secret) == [None, None]
        fleet.clock.advance(seconds=policy.SWITCH_MS / 1000)
        assert await fleet.answers(await fleet.first.mint("ada")) == [None, None]
        assert await fleet.answers(under_secret) == ["TOKEN_ALGORITHM_REFUSED"] * 2
        await fleet.keep()
        assert await private_part(fleet, secret) == b""

    async def test_is_not_turned_twice(self, fleet):
        await fleet.rotation.use_secret(fleet.issuer)
        with pytest.raises(Conflict):
            await fleet.rotation.use_secret(fleet.issuer)
        with pytest.raises(Conflict):
            await fleet.rotation.use_setting(fleet.first.live.issuer)


def sign_again(session, signer):
    _, payload, _ = session.token.removeprefix("gp_session_test_").split(".")
    return jws.sign_compact(signer.session_header, base64url.decode(payload), signer.key)
