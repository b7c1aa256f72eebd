"""SIGTERM under load: who was let in is served, and told to come back elsewhere."""

from __future__ import annotations

import asyncio

import pytest
from real_server import NotSent, RealServer, Unanswered

CLIENTS = 24
LOAD_SECONDS = 0.5


@pytest.mark.parametrize("workers", [1, 2])
async def test_no_request_fails_while_the_server_ends(tmp_path, workers):
    """Clients that keep their connection, and open a new one when they are asked to, until nobody is there."""
    server = RealServer.made(tmp_path, workers=workers)
    await server.start()
    failed, minted = [], []

    async def client(number):
        async with server.connection() as connection:
            while True:
                is_kept = connection.is_open
                try:
                    status, _, answer = await connection.post("/v1/session-tokens", {"externalUserId": f"user{number}"})
                except NotSent:
                    return
                except Unanswered as fault:
                    failed.append(f"{fault.__cause__!r} on a connection that was {'kept' if is_kept else 'new'}")
                    return
                if status == 201:
                    minted.append(answer["id"])
                else:
                    failed.append(f"{status} {answer}")

    try:
        clients = [asyncio.create_task(client(number)) for number in range(CLIENTS)]
        await asyncio.sleep(LOAD_SECONDS)
        server.terminate()
        async with asyncio.timeout(30):
            await asyncio.gather(*clients)
            code, said = await server.ended()
        assert failed == []
        assert code == 0, said
        assert "Traceback" not in said
        await server.start()
        async with server.connection() as connection:
            for session_id in minted[-200:]:
                assert (await connection.get(f"/v1/sessions/{session_id}"))[0] == 200
    finally:
        server.end()


async def test_an_idle_client_is_no_reason_to_stay(server):
    """Connections that only wait are closed; the server is gone in a moment."""
    async with server.connection() as idle:
        assert (await idle.get("/healthz"))[0] == 200
        server.terminate()
        async with asyncio.timeout(5):
            code, said = await server.ended()
        assert code == 0, said
        with pytest.raises((Unanswered, NotSent)):
            await idle.get("/healthz")
