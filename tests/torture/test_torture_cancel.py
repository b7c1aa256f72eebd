"""Requests that are cancelled wherever they stand: nobody else's answer changes, and nothing is left half done."""

from __future__ import annotations

import asyncio
import random

from engines import EVERY_ENGINE, POSTGRESQL, SQLITE

ENGINES = EVERY_ENGINE
CANCELLED = {SQLITE: 10_000, POSTGRESQL: 2_000}  # each that had a connection to PostgreSQL costs it
AT_ONCE = 100


async def ask(world, number, known):
    """Make one request of a kind of its own, and hold the answer to what was asked for."""
    kind = number % 6
    session = known[number % len(known)]
    if kind == 0:
        user = f"user{number}"
        answer = (await world.host.post("/v1/session-tokens", {"externalUserId": user})).json
        assert answer["externalUserId"] == user
    elif kind == 1:
        assert (await world.http.get("/v1/session", bearer=session.token)).json["id"] == session.id
    elif kind == 2:
        assert (await world.host.get(f"/v1/sessions/{session.id}")).json["id"] == session.id
    elif kind == 3:
        listed = (await world.host.get("/v1/sessions", query={"externalUserId": session.user})).json["data"]
        assert {one["externalUserId"] for one in listed} == {session.user}
    elif kind == 4:
        answer = (await world.host.post("/v1/tokens/verify", {"token": session.token})).json
        assert answer["session"]["id"] == session.id
    else:
        assert (await world.host.delete(f"/v1/session-tokens/{session.id}x")).status == 404


async def test_thousands_cancelled_at_random_points_give_no_foreign_answer(world, engine):
    dice = random.Random(1)
    known = []
    for number in range(20):
        session = await world.mint(f"known{number}", format=dice.choice(["jwt", "opaque"]))
        session.user = f"known{number}"
        known.append(session)
    cancelled = answered = 0
    while cancelled < CANCELLED[engine]:
        tasks = [asyncio.create_task(ask(world, dice.randrange(1_000_000), known)) for _ in range(AT_ONCE)]
        doomed = dice.sample(tasks, AT_ONCE * 9 // 10)
        while doomed:
            for _ in range(dice.randrange(25)):
                if doomed:
                    doomed.pop().cancel()
            await asyncio.sleep(dice.choice((0, 0, 0, 0.0002, 0.001)))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = [type(outcome) for outcome in outcomes]
        assert set(kinds) <= {type(None), asyncio.CancelledError}, outcomes
        answered += kinds.count(type(None))
        cancelled += kinds.count(asyncio.CancelledError)
    assert answered > cancelled // 10
    for session in known:
        assert (await session.who_am_i())["id"] == session.id
