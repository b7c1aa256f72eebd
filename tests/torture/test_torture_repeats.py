"""Requests with an Idempotency-Key, at real servers: killed, raced by twins, with answers that never arrive."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest
from real_server import NotSent, RealServer, Unanswered

CLIENTS = 24
TWINS = 50
ROUNDS = 4
LOAD_SECONDS = (0.1, 0.4)
MINT = "/v1/session-tokens"


async def mint_until_the_end(server, user, sent):
    """Mint under one new key after the other; note under each what was answered, None where nothing was."""
    async with server.connection() as connection:
        with contextlib.suppress(NotSent, Unanswered):
            while True:
                key = f"{user}-{len(sent)}"
                sent[key] = None
                status, headers, answer = await connection.post(MINT, {"externalUserId": user}, key=key)
                assert (status, "idempotency-replayed" in headers) == (201, False)
                sent[key] = answer


async def send_again(server, user, sent):
    """Send every request once more; return those that are not answered as before."""
    wrong = []
    async with server.connection() as connection:
        for key, before in sent.items():
            status, headers, answer = await connection.post(MINT, {"externalUserId": user}, key=key)
            told_again = before is None or (
                answer["sessionToken"] == before["sessionToken"] and headers.get("idempotency-replayed") == "true"
            )
            if status != 201 or not told_again:
                wrong.append((key, before and before["id"], status, answer))
    return wrong


async def sessions_of(server, user):
    found, cursor = 0, ""
    async with server.connection() as connection:
        while cursor is not None:
            path = f"/v1/sessions?externalUserId={user}&limit=100" + (f"&cursor={cursor}" if cursor else "")
            _, _, page = await connection.get(path)
            found += len(page["data"])
            cursor = page["nextCursor"]
    return found


@pytest.mark.parametrize("workers", [1, 2])
async def test_after_a_kill_a_request_that_is_sent_again_is_done_exactly_once(tmp_path, workers):
    """Whether it was acknowledged, or committed without a word, or lost: in the end there is one session a key."""
    dice = random.Random(workers)
    server = RealServer.made(tmp_path, workers=workers)
    acknowledged = unanswered = 0
    try:
        await server.start()
        for turn in range(ROUNDS):
            requests = {f"user-{turn}-{number}": {} for number in range(CLIENTS)}
            clients = [asyncio.create_task(mint_until_the_end(server, *one)) for one in requests.items()]
            await asyncio.sleep(dice.uniform(*LOAD_SECONDS))
            server.kill()
            await asyncio.gather(*clients)
            await server.start()
            for user, sent in requests.items():
                assert await send_again(server, user, sent) == []
                assert await sessions_of(server, user) == len(sent)
                acknowledged += sum(answer is not None for answer in sent.values())
                unanswered += sum(answer is None for answer in sent.values())
    finally:
        server.end()
    assert acknowledged > 50
    assert unanswered > 10


async def test_twins_at_two_processes_make_one_session(tmp_path):
    server = RealServer.made(tmp_path, workers=2)
    try:
        await server.start()
        for turn in range(10):

            async def twin(user):
                async with server.connection() as connection:
                    return await connection.post(MINT, {"externalUserId": user}, key=user)

            replies = await asyncio.gather(*(twin(f"user-{turn}") for _ in range(TWINS)))
            assert {status for status, _, _ in replies} == {201}
            assert len({answer["sessionToken"] for _, _, answer in replies}) == 1
            assert sum("idempotency-replayed" not in headers for _, headers, _ in replies) == 1
            assert await sessions_of(server, f"user-{turn}") == 1
    finally:
        server.end()
