"""Thousands of clients whose server was away come back at once: nobody is signed out, and nobody waits for long.

    PYTHONPATH=tests python tests/torture/herd.py [--clients 5000] [--workers 1] [--rounds 3]

Each round ends with SIGKILL in the middle of what everybody asks, so that answers are lost; the next begins when the
server is back. A client does as the SDKs do: the same token again, three attempts of 8 s, within the grace.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import statistics
import sys
import tempfile
import time

import uvloop
from real_server import Connection, NotSent, RealServer, Unanswered

ATTEMPTS = 3
ATTEMPT_SECONDS = 8
LOGINS_AT_ONCE = 64
PAUSE_SECONDS = 0.2
BEHIND_A_PROXY = {"GUESTPASS_TRUSTED_PROXIES": "127.0.0.1"}  # so that each client has an address of its own


class Client:
    """A browser with a refresh token."""

    def __init__(self, number, token):
        self.token = token
        self.signed_out = None
        self._headers = {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}

    async def refresh(self, port):
        """Return the seconds until there was a new token; None where there is none, and the old one is kept."""
        began = time.monotonic()
        for _ in range(ATTEMPTS):
            with contextlib.suppress(NotSent, Unanswered, TimeoutError):
                status, answer = await asyncio.wait_for(self._ask(port), ATTEMPT_SECONDS)
                if status == 200:
                    self.token = answer["refreshToken"]
                    return time.monotonic() - began
                if status != 503:
                    self.signed_out = answer["code"]
                    return None
            await asyncio.sleep(PAUSE_SECONDS)
        return None

    async def _ask(self, port):
        connection = Connection(port, "")
        try:
            body = {"refreshToken": self.token}
            status, _, answer = await connection.request("POST", "/v1/auth/refresh", body, headers=self._headers)
        finally:
            connection.close()
        return status, answer


async def log_in(server, count):
    """Return clients, each with a session of its own."""
    clients: list[Client] = []
    numbers = iter(range(count))

    async def one_after_the_other():
        async with server.connection() as connection:
            for number in numbers:
                status, _, answer = await connection.post("/v1/auth/login", {"externalUserId": f"user_{number}"})
                assert status == 201, answer
                clients.append(Client(number, answer["refreshToken"]))

    await asyncio.gather(*(one_after_the_other() for _ in range(LOGINS_AT_ONCE)))
    return clients


async def come_back(directory, *, clients, rounds, workers=1, tell=lambda _: None):
    """Return (seconds of every refresh, what signed clients out, how many got nothing)."""
    server = RealServer.made(directory, workers=workers, settings=BEHIND_A_PROXY)
    seconds, unanswered = [], 0
    try:
        await server.start()
        herd = await log_in(server, clients)
        for number in range(rounds):
            lost = [asyncio.create_task(client.refresh(server.port)) for client in herd[: clients // 4]]
            await asyncio.sleep(PAUSE_SECONDS)
            server.kill()
            for attempt in lost:
                attempt.cancel()
            await asyncio.gather(*lost, return_exceptions=True)
            await server.start()
            waited = await asyncio.gather(*(client.refresh(server.port) for client in herd))
            seconds += [each for each in waited if each is not None]
            unanswered += waited.count(None)
            tell(f"round {number + 1}: {told(seconds)}, {unanswered} without an answer, {signed_out(herd)}")
    finally:
        server.end()
    return seconds, signed_out(herd), unanswered


def signed_out(herd):
    return [client.signed_out for client in herd if client.signed_out is not None]


def told(seconds):
    ordered = sorted(seconds)
    return (
        f"{len(ordered)} refreshes, median {statistics.median(ordered):.2f} s, "
        f"p99 {ordered[len(ordered) * 99 // 100]:.2f} s, at most {ordered[-1]:.2f} s"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4 * options.clients), most))
    with tempfile.TemporaryDirectory() as directory:
        _, out, unanswered = uvloop.run(
            come_back(
                directory, clients=options.clients, rounds=options.rounds, workers=options.workers, tell=say
            )
        )  # fmt: skip
    say(f"{len(out)} clients were signed out, {unanswered} got no answer")
    sys.exit(1 if out or unanswered else 0)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
