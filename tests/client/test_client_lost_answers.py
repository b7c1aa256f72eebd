"""A real server, and answers that are lost on their way: the client tries again, and nothing is done twice."""

from __future__ import annotations

import asyncio

import pytest
from lossy_proxy import LossyProxy

from guestpass import AsyncGuestpass, Guestpass
from guestpass.errors import Unavailable
from torture.real_server import RealServer


@pytest.fixture
def server(tmp_path):
    server = RealServer.made(tmp_path)
    asyncio.run(server.start())
    yield server
    server.end()


@pytest.fixture
def proxy(server):
    with LossyProxy(server.port) as proxy:
        yield proxy


def mint_sync(**options):
    with Guestpass(sleep=lambda _: None, **options) as gp:
        return gp.create_session_token(external_user_id="ada")


def mint_async(**options):
    async def no_pause(_):
        pass

    async def mint():
        async with AsyncGuestpass(sleep=no_pause, **options) as gp:
            return await gp.create_session_token(external_user_id="ada")

    return asyncio.run(mint())


@pytest.fixture(params=[mint_sync, mint_async], ids=["sync", "async"])
def mint(request, server, proxy):
    def mint_through_the_proxy():
        return request.param(secret_key=server.key, base_url=proxy.url)

    return mint_through_the_proxy


def sessions_at(server):
    with Guestpass(server.key, base_url=f"http://127.0.0.1:{server.port}") as gp:
        return [session.id for session in gp.sessions.list(external_user_id="ada")]


def replayed(proxy):
    return [headers.get("idempotency-replayed") for _, headers in proxy.answers]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_mint_whose_answers_are_lost_makes_one_session(mint, server, proxy, lost):
    proxy.lose = lost
    minted = mint()
    assert sessions_at(server) == [minted.id]
    assert replayed(proxy) == [None] + ["true"] * lost
    with Guestpass(server.key, base_url=f"http://127.0.0.1:{server.port}") as gp:
        assert gp.tokens.verify(minted.session_token)


def test_where_no_answer_arrives_at_all_there_is_one_session_that_nobody_can_use(mint, server, proxy):
    proxy.lose = 3
    with pytest.raises(Unavailable):
        mint()
    assert len(sessions_at(server)) == 1


def test_two_calls_are_two_sessions(mint, server):
    assert sorted([mint().id, mint().id]) == sorted(sessions_at(server))
