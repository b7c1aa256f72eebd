"""Several server processes on one store: what one of them answered, all of them know, whatever their clocks say."""

from __future__ import annotations

import asyncio

import pytest
from other_server import OtherServer, Server

from engines import EVERY_ENGINE, SQLITE
from guestpass.core import ids
from guestpass.errors import CustomerBlocked, Unauthorized

ENGINES = EVERY_ENGINE


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def place(engine, request, tmp_path_factory):
    """A store for all tests of the module."""
    if engine == SQLITE:
        yield tmp_path_factory.mktemp("shared") / "store.sqlite3"
    else:
        with request.getfixturevalue("databases").fresh() as url:
            yield url


@pytest.fixture(
    scope="module",
    params=[0.0, 5.0, -5.0, 40.0, -40.0],
    ids=["clocks agree", "fast", "slow", "far too fast", "far too slow"],
)
async def servers(place, request):
    """(here, the other process), over one store; to the last two it would not say that it is ready."""
    here = await Server.opened(place)
    other = OtherServer(place, offset_seconds=request.param, secret=here.secret)
    yield here, other
    await asyncio.to_thread(other.stop)
    await here.close()


@pytest.fixture(params=["here", "the other"])
def minter_and_revoker(servers, request):
    return servers if request.param == "here" else servers[::-1]


async def test_a_revoke_in_one_process_is_seen_by_the_next_read_of_the_other(servers, minter_and_revoker):
    minter, revoker = minter_and_revoker
    for form in ("jwt", "opaque"):
        for _ in range(20):
            session_id, token = await minter.mint("ada", form)
            await revoker.end(session_id)
            for server in servers:
                assert await server.is_revoked(session_id)
            assert await minter.accepts(token) == "TOKEN_REVOKED"


async def test_a_cut_ends_what_was_minted_before_and_nothing_that_is_minted_after(servers, minter_and_revoker):
    """Twenty times at once: in the same millisecond, too, and with clocks that are 40 seconds apart."""
    minter, revoker = minter_and_revoker
    for _ in range(20):
        before, _ = await minter.mint("ada")
        await revoker.end_user("ada")
        after, token = await minter.mint("ada")
        for server in servers:
            assert await server.is_revoked(before)
            assert not await server.is_revoked(after)
        assert await minter.accepts(token) is True


async def test_a_cut_is_above_every_id_that_was_committed_anywhere(servers, minter_and_revoker):
    minter, revoker = minter_and_revoker
    session_id, _ = await minter.mint("bob")
    assert await revoker.end_all() > ids.unix_ms_of(ids.decode("sess", session_id))


async def test_while_both_mint_a_cut_divides_their_sessions_cleanly(servers):
    """Whoever had his answer before the revoke was asked for is out; whoever asked after its answer is in."""
    here, other = servers
    users = [f"user{number}" for number in range(30)]
    for _ in range(3):
        before = [*await here.mint_many(users), *await other.mint_many(users)]
        during = asyncio.gather(here.mint_many(users), other.mint_many(users))
        cut = await here.end_all()
        after = await here.mint_many(users)
        during = [one for some in await during for one in some]
        after += await other.mint_many(users)
        assert [await here.is_revoked(one) for one in before] == [True] * len(before)
        assert [await here.is_revoked(one) for one in after] == [False] * len(after)
        for one in during:
            assert await here.is_revoked(one) == (ids.unix_ms_of(ids.decode("sess", one)) < cut)


async def test_a_customer_blocked_in_one_process_gets_no_token_from_the_other(minter_and_revoker, request):
    minter, revoker = minter_and_revoker
    user = request.node.name
    session_id, _ = await minter.mint(user)
    await revoker.block_user(user)
    assert await minter.is_revoked(session_id)
    with pytest.raises(CustomerBlocked):
        await minter.mint(user)


async def test_a_key_revoked_in_one_process_mints_no_more_in_the_other(place):
    """The other remembers the key for a moment; its mint asks again in its own transaction."""
    here = await Server.opened(place)
    other = await asyncio.to_thread(OtherServer, place, offset_seconds=0, secret=here.secret)
    session_id, _ = await other.mint("ada")
    await here.revoke_key()
    with pytest.raises(Unauthorized):
        await other.mint("ada")
    assert await other.is_revoked(session_id)
    await asyncio.to_thread(other.stop)
    await here.close()
