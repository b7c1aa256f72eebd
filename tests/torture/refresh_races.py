"""One refresh token, shown ten thousand times at once over many connections to several processes.

    PYTHONPATH=tests python tests/torture/refresh_races.py [--refreshes 10000] [--connections 200] [--workers 4] [--database-url URL]

Every answer is the same successor, or that the server is busy; there is no other, and nobody is signed out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter

from real_server import RealServer

from guestpass.server.storage.sealing import KEY_BYTES, MasterKey

REFRESH = "/v1/auth/refresh"
MASTER_KEY = MasterKey(1, bytes(KEY_BYTES)).to_text()


async def log_in(server, user="ada"):
    async with server.connection() as connection:
        status, _, opened = await connection.post("/v1/auth/login", {"externalUserId": user})
    assert status == 201, opened
    return opened


def without_key(server):
    """Connections as a browser's, which has no API key."""
    server.key = None
    return server


async def race(server, token, *, refreshes, connections):
    """Show ``token`` that often; return how often there was which answer, and the successors."""
    left = iter(range(refreshes))
    answers, successors = Counter(), set()

    async def client():
        async with server.connection() as connection:
            for _ in left:
                status, _, answer = await connection.post(REFRESH, {"refreshToken": token})
                answers[status, answer.get("code")] += 1
                if status == 200:
                    successors.add(answer["refreshToken"])

    await asyncio.gather(*(client() for _ in range(connections)))
    return answers, successors


async def race_at(directory, *, refreshes, connections, workers, database_url=None):
    """Race at a server of its own; return the answers, the successors, and whether the session then goes on."""
    settings = {"GUESTPASS_DATABASE_URL": database_url, "GUESTPASS_MASTER_KEY": MASTER_KEY} if database_url else None
    server = RealServer.made(directory, workers=workers, settings=settings)
    try:
        await server.start()
        opened = await log_in(server)
        server = without_key(server)
        answers, successors = await race(server, opened["refreshToken"], refreshes=refreshes, connections=connections)
        after, _ = await race(server, min(successors), refreshes=1, connections=1)
        return answers, successors, after
    finally:
        server.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--refreshes", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--database-url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        answers, successors, after = asyncio.run(
            race_at(
                directory,
                refreshes=options.refreshes,
                connections=options.connections,
                workers=options.workers,
                database_url=options.database_url,
            )
        )
    sys.stdout.write(f"{dict(answers)}, {len(successors)} successor, which then gives {dict(after)}\n")


if __name__ == "__main__":
    main()
