"""Give a PostgreSQL its bad days while two servers mint and revoke on it, and look whether they keep their word.

    PYTHONPATH=tests python tests/torture/bad_days.py [--rounds 5] [--rate 300] [--seed N] [--days restart,kill,…]

In each round each day comes once. Clients keep a steady rate over both servers: they mint, revoke single sessions and
whole users, and ask for sessions with tokens that were acknowledged, so that a token which is refused falsely, or lives
again, is seen at once. A day is over when both servers acknowledge writes again and nobody is refused.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from promises import Ledger, Refused, breach, broken_promises, end_one, end_user, mint
from real_server import NotSent, RealServer, Unanswered

from guestpass.server.storage.sealing import KEY_BYTES, MasterKey
from servers.postgres import Postgres, url_of_all
from servers.processes import Home

CLIENTS = 60
STEADY_SECONDS = 1.0
GAP_SECONDS_MAX = 10
RECOVERY_SECONDS_MAX = 30  # of a slow machine
MASTER_KEY = MasterKey(1, bytes(KEY_BYTES)).to_text()


class Stores:
    """A primary and the standby that has on disk whatever was acknowledged."""

    def __init__(self, home):
        self.primary = Postgres.made(home)
        self.primary.sql("CREATE DATABASE guestpass")
        self.standby = self.primary.standby()
        self._failed = None
        self.url = url_of_all([self.primary, self.standby], "guestpass")

    def restart(self):
        """As for an upgrade of PostgreSQL."""
        self.primary.restart()

    def kill(self):
        """The postmaster dies, as when memory runs out; recovery follows."""
        self.primary.kill()
        self.primary.start()

    def fail_over(self):
        """The primary's machine loses power, and the standby takes over."""
        self.primary.cut_power()
        self._promote()

    def fail_over_from_a_frozen_one(self):
        """The primary's machine hangs: its connections stay open, new ones are let in, and none is answered."""
        self.primary.freeze()
        self._promote()

    def _promote(self):
        self._failed, self.primary = self.primary, self.standby
        self.primary.promote()

    def replace_what_failed(self):
        """A new standby takes the place, and the address, of the server that failed."""
        if self._failed is not None:
            self._failed.cut_power()
            self.standby = self.primary.standby(port=self._failed.port)
            self._failed = None


DAYS = {
    "restart": Stores.restart,
    "kill": Stores.kill,
    "failover": Stores.fail_over,
    "frozen": Stores.fail_over_from_a_frozen_one,
}


@dataclass
class Load:
    """Clients who act at a steady rate, and what they saw."""

    servers: list[RealServer]
    dice: random.Random
    rate: float
    ledgers: list[Ledger] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    written: list[tuple[float, int]] = field(default_factory=list)  # when a write was acknowledged, and by which server
    refused: list[float] = field(default_factory=list)  # when 503 was answered, or nothing
    slowest: float = 0.0  # seconds to an answer
    _over: bool = False

    @contextlib.asynccontextmanager
    async def running(self):
        clients = [asyncio.create_task(self._client(number)) for number in range(CLIENTS)]
        try:
            yield
        finally:
            self._over = True
            await asyncio.gather(*clients)

    async def _client(self, number):
        ledger = Ledger(f"user_{id(self)}_{number}")
        self.ledgers.append(ledger)
        period = CLIENTS / self.rate
        due = time.monotonic() + period * self.dice.random()
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(server.connection()) for server in self.servers]
            while not self._over:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due + period, time.monotonic())
                which = self.dice.randrange(len(connections))
                await self._act(connections[which], which, ledger)

    async def _act(self, connection, which, ledger):
        began = time.monotonic()
        try:
            if await act(connection, ledger, self.dice, self.broken):
                self.written.append((time.monotonic(), which))
        except (NotSent, Unanswered):
            self.refused.append(time.monotonic())
        except Refused as refusal:
            self.refused.append(time.monotonic())
            if refusal.status != 503:
                self.broken.append(f"falsely refused: {refusal}")
        self.slowest = max(self.slowest, time.monotonic() - began)

    async def until_steady(self, since):
        """Return when every server has acknowledged a write after ``since``, and nobody was refused for a while."""
        while True:
            await asyncio.sleep(STEADY_SECONDS)
            quiet = max((since, *self.refused[-1:])) + STEADY_SECONDS <= time.monotonic()
            if quiet and len({which for at, which in self.written if at > since}) == len(self.servers):
                return

    def gap(self, since):
        """Return the longest time, from ``since`` on, in which a server acknowledged nothing."""
        return max(
            later - earlier
            for which in range(len(self.servers))
            for earlier, later in pairwise([since, *(at for at, by in self.written if by == which and at > since)])
        )


async def act(connection, ledger, dice, broken):
    """Do what a client may do next; say whether it was a write."""
    choice = dice.random()
    if choice < 0.2 and (ledger.living or ledger.ended):
        kind = dice.choice([kind for kind in ("living", "ended") if getattr(ledger, kind)])
        session_id, token = dice.choice(list(getattr(ledger, kind).items()))
        reply = await connection.get("/v1/session", bearer=token)
        if reply[0] == 503:
            raise Refused(503, reply[2])
        if found := breach(kind, session_id, reply):
            broken.append(found)
        return False
    if choice < 0.7 or not ledger.living:
        await mint(connection, ledger, dice)
    elif choice < 0.95:
        await end_one(connection, ledger, dice.choice(list(ledger.living)))
    else:
        await end_user(connection, ledger)
    return True


async def live_through(stores, load, day):
    """Let one bad day come and go; return its figures."""
    began, load.slowest = time.monotonic(), 0.0
    await asyncio.to_thread(DAYS[day], stores)
    async with asyncio.timeout(RECOVERY_SECONDS_MAX):
        await load.until_steady(time.monotonic())
    refused = [at for at in load.refused if at > began]
    figures = {
        "gap": load.gap(began),
        "last refusal after": max(refused, default=began) - began,
        "refused": len(refused),
        "slowest answer": load.slowest,
    }
    await asyncio.to_thread(stores.replace_what_failed)
    await asyncio.sleep(STEADY_SECONDS)
    return figures


async def torture(home, directory, *, days, rounds=1, rate=300, seed=1, tell=lambda _: None):
    """Return ({day: [figures]}, what was acknowledged, broken promises)."""
    stores = Stores(home)
    settings = settings_for(stores.url)
    first = RealServer.made(folder(directory, "first"), settings=settings)
    servers = [first, RealServer(folder(directory, "second"), settings=settings, key=first.key)]
    load = Load(servers, random.Random(seed), rate)
    figures = {day: [] for day in days}
    try:
        for server in servers:
            await server.start()
        async with load.running():
            await asyncio.sleep(STEADY_SECONDS)
            for _ in range(rounds):
                for day in days:
                    figures[day].append(await live_through(stores, load, day))
                    tell(f"{day}: {told(figures[day][-1])}; {len(load.broken)} broken promises")
        for place, server in enumerate(servers):
            load.broken += await broken_promises(server, load.ledgers[place :: len(servers)])
    finally:
        for server in servers:
            server.end()
    return figures, load


def settings_for(url):
    return {"GUESTPASS_DATABASE_URL": url, "GUESTPASS_MASTER_KEY": MASTER_KEY}


def folder(directory, name):
    made = Path(directory, name)
    made.mkdir()
    return made


def told(figures):
    return ", ".join(
        f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", default=",".join(DAYS))
    options = parser.parse_args()
    days = options.days.split(",")
    with Home() as home, tempfile.TemporaryDirectory() as directory:
        figures, load = asyncio.run(
            torture(home, directory, days=days, rounds=options.rounds, rate=options.rate, seed=options.seed, tell=say)
        )
    for day in days:
        worst = {name: max(one[name] for one in figures[day]) for name in figures[day][0]}
        say(f"worst of {options.rounds} x {day}: {told(worst)}")
        if worst["gap"] > GAP_SECONDS_MAX:
            load.broken.append(f"{day}: a gap of over {GAP_SECONDS_MAX} s")
    say(f"{len(load.written)} writes acknowledged, {len(load.refused)} refused")
    say("\n".join(load.broken) or "every promise was kept")
    sys.exit(1 if load.broken else 0)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
