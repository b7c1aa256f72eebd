"""Kill a server under load, again and again, and look whether it kept its word.

    PYTHONPATH=tests python tests/torture/kill.py [--rounds 50] [--workers 1] [--seed N]

Each round mints, revokes single sessions and cuts whole users over many connections, and ends with SIGKILL at a
random moment. After each restart every promise of the round must have been kept; see ``promises``. At the end the
audit log must hold all of it, once; see ``audit_log``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
from collections import Counter

import audit_log
from promises import Ledger, broken_promises, end_one, end_user, mint
from real_server import NotSent, RealServer, Unanswered

CLIENTS = 24
LOAD_SECONDS = (0.05, 0.6)


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


async def torture(directory, *, rounds, workers=1, seed=1, settings=None, tell=lambda _: None):
    """Return (what was acknowledged, broken promises)."""
    dice = random.Random(seed)
    server = RealServer.made(directory, workers=workers, settings=settings)
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
                acknowledged.update(ledger.counts)
            tell(f"round {number + 1}: {dict(acknowledged)}, {len(broken)} broken promises")
        broken += await broken_promises(server, older)
    finally:
        server.end()
    if not settings:  # its store is a file that is there when it is gone
        broken += await audit_log.breaches(directory, older)
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
