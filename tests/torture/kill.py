"""Kill a server under load, again and again, and look whether it kept its word.

    python tests/torture/kill.py [--rounds 50] [--workers 1] [--seed N]

Each round mints, revokes single sessions and cuts whole users over many connections, and ends with SIGKILL at a
random moment. After each restart every acknowledged session of the round must be there, everything acknowledged as
revoked must be dead, and what was not acknowledged may be either, but not half.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field

from real_server import NotSent, RealServer, Unanswered

CLIENTS = 24
LOAD_SECONDS = (0.05, 0.6)
VERIFIERS = 8


@dataclass
class Ledger:
    """What the server has promised to one client, who acts for one user."""

    user: str
    living: dict[str, str] = field(default_factory=dict)  # id -> token
    ended: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)  # an end was asked for, and nothing was answered


async def load(server, ledger, dice):
    """Be a client until the server is gone."""
    async with server.connection() as connection:
        with contextlib.suppress(NotSent, Unanswered):
            while True:
                await act(connection, ledger, dice)


async def act(connection, ledger, dice):
    choice = dice.random()
    if choice < 0.75 or not ledger.living:
        await mint(connection, ledger, dice)
    elif choice < 0.95:
        await end_one(connection, ledger, dice.choice(list(ledger.living)))
    else:
        await end_user(connection, ledger)


async def mint(connection, ledger, dice):
    body = {"externalUserId": ledger.user, "expiresIn": 86_400}
    if dice.random() < 0.3:
        body |= {
            "format": "opaque",
            "metadata": {"cart": "x" * dice.randrange(2000)},
            "email": f"{ledger.user}@example.com",
        }
    status, _, answer = await connection.post("/v1/session-tokens", body)
    assert status == 201, answer
    ledger.living[answer["id"]] = answer["sessionToken"]


async def end_one(connection, ledger, session_id):
    ledger.unknown[session_id] = ledger.living.pop(session_id)
    status, _, answer = await connection.delete(f"/v1/session-tokens/{session_id}")
    assert status == 200, answer
    ledger.ended[session_id] = ledger.unknown.pop(session_id)


async def end_user(connection, ledger):
    """End all that were acknowledged; an end that was not acknowledged before is so now."""
    ledger.unknown |= ledger.living
    ledger.living.clear()
    status, _, answer = await connection.post("/v1/users/revoke", {"externalUserId": ledger.user})
    assert status == 200, answer
    ledger.ended |= ledger.unknown
    ledger.unknown.clear()


async def broken_promises(server, ledgers):
    """Ask for each session with its own token; say what is not as it was acknowledged."""
    promised = [
        (kind, session_id, token)
        for ledger in ledgers
        for kind in ("living", "ended", "unknown")
        for session_id, token in getattr(ledger, kind).items()
    ]
    broken = []

    async def verify():
        async with server.connection() as connection:
            while promised:
                kind, session_id, token = promised.pop()
                status, _, answer = await connection.get("/v1/session", bearer=token)
                if status == 200 and kind != "ended" and answer["id"] == session_id:
                    continue
                if status == 401 and kind != "living" and answer["code"] == "TOKEN_REVOKED":
                    continue
                broken.append(f"{session_id} was acknowledged as {kind}, and is answered {status} {answer}")

    await asyncio.gather(*(verify() for _ in range(VERIFIERS)))
    return broken


async def torture(directory, *, rounds, workers=1, seed=1, tell=lambda _: None):
    """Return (what was acknowledged, broken promises)."""
    dice = random.Random(seed)
    server = RealServer.made(directory, workers=workers)
    acknowledged, broken, older = Counter(), [], []
    try:
        await server.start()
        for number in range(rounds):
            ledgers = [Ledger(f"user_{number}_{client}") for client in range(CLIENTS)]
            clients = [asyncio.create_task(load(server, ledger, dice)) for ledger in ledgers]
            await asyncio.sleep(dice.uniform(*LOAD_SECONDS))
            server.kill()
            await asyncio.gather(*clients)
            await server.start()
            broken += await broken_promises(server, ledgers + dice.sample(older, min(3, len(older))))
            older += ledgers
            for ledger in ledgers:
                acknowledged.update({kind: len(getattr(ledger, kind)) for kind in ("living", "ended", "unknown")})
            tell(f"round {number + 1}: {dict(acknowledged)}, {len(broken)} broken promises")
        broken += await broken_promises(server, older)
    finally:
        server.end()
    return acknowledged, broken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        _, broken = asyncio.run(
            torture(directory, rounds=options.rounds, workers=options.workers, seed=options.seed, tell=say)
        )
    say("\n".join(broken) or "every promise was kept")
    sys.exit(1 if broken else 0)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
