"""A store that hangs: its connections stay open, new ones are let in, and none is answered."""

from __future__ import annotations

import asyncio
import time

import pytest
from bad_days import settings_for
from promises import acknowledged
from real_server import RealServer

from servers.postgres import Postgres, url_of_all
from servers.slow_line import SlowLine

ANSWER_SECONDS = 3 + 1  # what a machine adds that is busy with other tests
AT_ONCE = 150  # many times the connections that a server has to its store


@pytest.fixture(scope="module")
def postgres(home):
    postgres = Postgres.made(home)
    yield postgres
    postgres.stop()


@pytest.fixture
async def server(postgres, tmp_path):
    server = RealServer.made(tmp_path, settings=settings_for(postgres.url()))
    await server.start()
    yield server
    server.end()


async def mint(connection, form="jwt"):
    body = {"externalUserId": "ada", "format": form}
    return acknowledged(201, await connection.post("/v1/session-tokens", body))


async def at_once(server, asks):
    """Ask all of it at once, over a connection each; return (seconds, status, headers, answer) of each."""

    async def timed(ask):
        async with server.connection() as connection:
            began = time.monotonic()
            status, headers, answer = await ask(connection)
            return time.monotonic() - began, status, headers, answer

    return await asyncio.gather(*map(timed, asks))


def asks_of_every_kind(sessions):
    kinds = [
        lambda connection: connection.post("/v1/session-tokens", {"externalUserId": "bob"}),
        lambda connection: connection.post("/v1/users/revoke", {"externalUserId": "cy"}),
        lambda connection: connection.get("/v1/sessions?externalUserId=ada"),
        lambda connection: connection.get("/readyz"),
    ]
    for session in sessions:
        kinds += [
            lambda connection, session=session: connection.get("/v1/session", bearer=session["sessionToken"]),
            lambda connection, session=session: connection.get(f"/v1/sessions/{session['id']}"),
            lambda connection, session=session: connection.delete(f"/v1/session-tokens/{session['id']}"),
        ]
    return [kinds[number % len(kinds)] for number in range(AT_ONCE)]


async def test_every_request_is_answered_in_time_and_all_goes_on_after(server, postgres):
    async with server.connection() as connection:
        sessions = [await mint(connection, form) for form in ("jwt", "opaque")]
        untouched = await mint(connection)
        postgres.freeze()
        try:
            for _ in range(2):
                answers = asyncio.create_task(at_once(server, asks_of_every_kind(sessions)))
                async with asyncio.timeout(ANSWER_SECONDS):
                    assert (await connection.get("/healthz"))[0] == 200, "the process itself is well"
                for seconds, status, headers, answer in await answers:
                    assert (status, answer["code"]) == (503, "UNAVAILABLE")
                    assert int(headers["retry-after"]) >= 1
                    assert seconds < ANSWER_SECONDS
        finally:
            postgres.thaw()
        asks = [lambda connection: connection.post("/v1/session-tokens", {"externalUserId": "ada"})] * AT_ONCE
        async with asyncio.timeout(30):
            while {status for _, status, _, _ in await at_once(server, asks)} != {201}:
                pass
        assert (await connection.get("/v1/session", bearer=untouched["sessionToken"]))[0] == 200
        for session in sessions:  # whether it was ended is not known; that it is one or the other is
            assert (await connection.get("/v1/session", bearer=session["sessionToken"]))[0] in (200, 401)
            await connection.delete(f"/v1/session-tokens/{session['id']}")
            assert (await connection.get("/v1/session", bearer=session["sessionToken"]))[0] == 401


async def test_a_request_that_asks_a_slow_store_twice_is_answered_in_time_too(postgres, tmp_path):
    """Each answer of the store comes within its patience; all that a request needs, together, do not."""
    key = RealServer.made(tmp_path, settings=settings_for(postgres.url())).key
    async with SlowLine.to(postgres.port) as line:
        url = postgres.url().replace(f":{postgres.port}/", f":{line.port}/")
        server = RealServer(tmp_path, settings=settings_for(url), key=key)
        await server.start()
        try:
            async with server.connection() as connection:
                sessions = [await mint(connection, form) for form in ("jwt", "opaque")]
            line.seconds = 1.1
            for seconds, status, _, answer in await at_once(server, asks_of_every_kind(sessions)):
                assert seconds < ANSWER_SECONDS
                assert status in (200, 201, 401) or answer["code"] == "UNAVAILABLE", answer
            line.seconds = 0.0
            async with asyncio.timeout(30), server.connection() as connection:
                while (await connection.post("/v1/session-tokens", {"externalUserId": "ada"}))[0] != 201:
                    pass
        finally:
            server.end()


async def test_nothing_is_acknowledged_that_the_standby_has_not(home, tmp_path):
    """Else a failover would lose it: a mint nobody knows, a revoke that never was."""
    primary = Postgres.made(home)
    standby = primary.standby()
    server = RealServer.made(tmp_path, settings=settings_for(url_of_all([primary, standby])))
    await server.start()
    try:
        async with server.connection() as connection:
            before = await mint(connection)
            standby.freeze()
            asks = [
                lambda connection: connection.post("/v1/session-tokens", {"externalUserId": "ada"}),
                lambda connection: connection.delete(f"/v1/session-tokens/{before['id']}"),
            ]
            for _, status, _, answer in await at_once(server, asks * 20):
                assert (status, answer["code"]) == (503, "UNAVAILABLE")
            assert (await connection.get("/v1/session", bearer=before["sessionToken"]))[0] == 200, (
                "reads need no standby"
            )
            primary.cut_power()
            standby.thaw()
            standby.promote()
            async with asyncio.timeout(30):
                while (await connection.post("/v1/session-tokens", {"externalUserId": "ada"}))[0] != 201:
                    pass
            assert (await connection.get(f"/v1/sessions/{before['id']}"))[0] == 200
    finally:
        server.end()
        standby.stop()
