"""Refreshes at real servers: thousands of one token at once, and a server that is killed in the middle of them."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from real_server import NotSent, RealServer, Unanswered
from refresh_races import REFRESH, log_in, race_at, without_key

CLIENTS = 16
ROUNDS = 3
LOAD_SECONDS = (0.1, 0.4)


@pytest.mark.parametrize("engine_of_race", ["sqlite", "postgresql"])
async def test_one_token_shown_at_several_processes_at_once_has_one_successor(tmp_path, request, engine_of_race):
    """A short form of ``refresh_races.py``: 10 000 of them over 200 connections to 4 processes."""
    url = request.getfixturevalue("database_url") if engine_of_race == "postgresql" else None
    answers, successors, after = await race_at(tmp_path, refreshes=600, connections=60, workers=2, database_url=url)
    assert answers == {(200, None): 600}
    assert len(successors) == 1
    assert after == {(200, None): 1}


async def refresh_until_the_end(server, held):
    """Refresh again and again; ``held`` keeps the token that was answered last, as a client does."""
    async with server.connection() as connection:
        with contextlib.suppress(NotSent, Unanswered):
            while True:
                status, _, answer = await connection.post(REFRESH, {"refreshToken": held["token"]})
                assert status == 200, answer
                held["token"], held["count"] = answer["refreshToken"], held["count"] + 1


@pytest.mark.parametrize("workers", [1, 2])
async def test_after_a_kill_the_token_that_was_shown_last_still_works(tmp_path, workers):
    """Whether its refresh was committed without a word, or lost: nobody is signed out, and what was answered is not forgotten."""
    dice = random.Random(workers)
    server = RealServer.made(tmp_path, workers=workers)
    refreshed = 0
    try:
        await server.start()
        opened = [await log_in(server, f"user_{number}") for number in range(CLIENTS)]
        server = without_key(server)
        clients = [{"token": one["refreshToken"], "count": 0} for one in opened]
        for _ in range(ROUNDS):
            load = [asyncio.create_task(refresh_until_the_end(server, held)) for held in clients]
            await asyncio.sleep(dice.uniform(*LOAD_SECONDS))
            server.kill()
            await asyncio.gather(*load)
            await server.start()
            async with server.connection() as connection:
                for held in clients:
                    status, _, answer = await connection.post(REFRESH, {"refreshToken": held["token"]})
                    assert status == 200, answer
                    held["token"] = answer["refreshToken"]
        refreshed = sum(held["count"] for held in clients)
    finally:
        server.end()
    assert refreshed > 100
