"""Refresh, revoke, block, crash and restore in any order, held to a model of a few lines.

    PYTHONPATH=tests python tests/torture/refresh_walk.py [--steps 100000] [--seed N] [--database-url URL]

Time is moved by hand, and every fault is drawn from the seed: an answer that is lost after its commit, a transaction that
is broken off before it, a session's row put back from a backup, a revoke that comes in between. Whatever happens, a token is
answered as the model says, and a session lives as long as the model's.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass, field, replace

from guestpass.core import ids
from guestpass.server.sessions.model import RenewalRow
from guestpass.server.storage.sqlite import MEMORY
from world import World

GRACE, WINDOW = 30, 10
DAY = 86_400
IDLE, WHOLE = 7 * DAY, 30 * DAY
SESSIONS = 6
BURST = 5
SECONDS = (0, 0, 0, 0.5, 1, 5, 29.99, 30, 31, 60, 3600, DAY)
LONG = (3 * DAY, IDLE - 0.01, IDLE)


@dataclass(frozen=True)
class Renewal:
    """The model of a session's changing row. ``before``: the token that the current one was made from."""

    generation: int
    current: str
    before: str | None
    rotated_at: float
    salt_until: float
    idle_until: float


@dataclass
class Session:
    """The model of a session, and every token of it that was ever answered, by generation."""

    id: str
    user: str
    renewal: Renewal
    until: float
    revoked: bool = False
    tokens: list[tuple[int, str]] = field(default_factory=list)
    backup: Renewal | None = None


class Walk:
    """Steps at random, each checked; ``met`` counts the answers."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.servers = [world.http]
        self.dice = random.Random(seed)
        self.sessions: list[Session] = []
        self.blocked: set[str] = set()
        self.erased_at = 0.0  # salts whose time was over by then are gone
        self.backups: dict[str, tuple] = {}
        self.met: Counter = Counter()

    @property
    def now(self) -> float:
        return self.world.clock()

    async def run(self, steps: int) -> None:
        self.servers.append((await self.world.beside()).http)
        for _ in range(steps):
            await self.step()

    async def step(self) -> None:
        while len(self.sessions) < SESSIONS:
            await self.login()
        acts = (
            (self.refresh, 60), (self.burst, 5), (self.pass_time, 25), (self.erase, 6), (self.back_up, 3), (self.restore, 2),
            (self.revoke, 1), (self.block, 1), (self.race_a_revoke, 1), (self.look, 6), (self.pass_days, 1),
        )  # fmt: skip
        (act,) = self.dice.choices([act for act, _ in acts], [weight for _, weight in acts])
        await act()
        over = [session for session in self.sessions if session.revoked or self.now >= session.renewal.idle_until]
        if self.dice.random() < (0.2 if over else 0.01):
            self.sessions.remove(self.dice.choice(over or self.sessions))
        if self.blocked and self.dice.random() < 0.1:
            await self.unblock(self.dice.choice(sorted(self.blocked)))

    async def login(self) -> None:
        user = f"user {self.dice.randrange(4)}"
        reply = await self.world.host.post("/v1/auth/login", {"externalUserId": user})
        assert reply.code == "CUSTOMER_BLOCKED" if user in self.blocked else reply.status == 201, reply.json
        if reply.status == 201:
            token, now = reply.json["refreshToken"], int(self.now)
            renewal = Renewal(1, token, None, now, 0, now + IDLE)
            self.sessions.append(Session(reply.json["sessionId"], user, renewal, now + WHOLE, tokens=[(1, token)]))
        else:
            await self.unblock(user)

    # What a token earns

    def expected(self, session: Session, generation: int, token: str) -> str:
        held = session.renewal
        salted = held.before is not None and self.erased_at < held.salt_until
        if generation > held.generation or (generation == held.generation and token != held.current):
            return "REFRESH_TOKEN_INVALID"
        if generation == held.generation - 1 and salted and token != held.before:
            return "REFRESH_TOKEN_INVALID"
        if session.user in self.blocked:
            return "CUSTOMER_BLOCKED"
        if session.revoked:
            return "REFRESH_TOKEN_REVOKED"
        if self.now >= min(held.idle_until, session.until):
            return "REFRESH_TOKEN_EXPIRED"
        if token == held.current:
            return "rotated"
        if generation == held.generation - 1 and salted and self.now - held.rotated_at < GRACE:
            return "replayed"
        return "REFRESH_TOKEN_REUSED"

    async def refresh(self) -> None:
        session = self.dice.choice(self.sessions)
        newest = self.dice.random() < 0.6
        await self.show(session, *(session.tokens[-1] if newest else self.dice.choice(session.tokens[-4:])))

    async def show(self, session: Session, generation: int, token: str) -> None:
        """Show a token that was answered once; or have the answer lost, or the act broken off."""
        expected = self.expected(session, generation, token)
        fate = self.dice.choices(["done", "rolled back", "unheard"], [90, 5, 5])[0]
        self.world.store.next_write = fate
        reply = await self.send(token)
        self.world.store.next_write = "done"
        self.met[expected] += 1
        if fate == "done":
            self.hold(session, generation, token, expected, reply)
            return
        self.met[fate] += 1
        assert reply.code in ("UNAVAILABLE", expected), (reply.json, expected)
        if fate == "unheard":  # what it did is told by the same token, at once
            again = {"rotated": "replayed", "REFRESH_TOKEN_REUSED": "REFRESH_TOKEN_REVOKED"}.get(expected, expected)
            told = await self.send(token)
            self.follow(session, generation, token, expected, told)
            assert self.outcome_of(session, told) == again, (told.json, expected)

    def hold(self, session, generation, token, expected, reply) -> None:
        self.follow(session, generation, token, expected, reply)
        assert self.outcome_of(session, reply) in (expected, {"rotated": "replayed"}.get(expected)), (
            reply.json, expected, session, generation,
        )  # fmt: skip

    def follow(self, session: Session, generation: int, token: str, expected: str, reply) -> None:
        """Let the model do what the server has done."""
        if expected == "rotated":
            assert reply.status == 200, (reply.json, session)
            successor = reply.json["refreshToken"]
            assert successor not in [text for _, text in session.tokens], "never the same text for another token"
            window = self.now // WINDOW * WINDOW + WINDOW
            session.renewal = Renewal(generation + 1, successor, token, self.now, window + GRACE, int(self.now) + IDLE)
            session.tokens.append((generation + 1, successor))
        elif expected == "REFRESH_TOKEN_REUSED":
            session.revoked = True

    def outcome_of(self, session: Session, reply) -> str:
        if reply.status != 200:
            return reply.code
        assert reply.json["refreshToken"] == session.renewal.current
        return "replayed"  # also of the first: by now the model's current token is its successor

    async def send(self, token: str):
        return await self.dice.choice(self.servers).post("/v1/auth/refresh", {"refreshToken": token})

    async def burst(self) -> None:
        """Several tabs and two servers with the newest token at once: one successor."""
        session = self.dice.choice(self.sessions)
        generation, token = session.tokens[-1]
        expected = self.expected(session, generation, token)
        replies = await asyncio.gather(*(self.send(token) for _ in range(BURST)))
        self.met[f"burst: {expected}"] += 1
        for place, reply in enumerate(replies):
            if place == 0:
                self.hold(session, generation, token, expected, reply)
            else:
                again = self.expected(session, generation, token)
                assert self.outcome_of(session, reply) in (expected, again), (reply.json, expected, again)

    # What else happens

    async def pass_time(self) -> None:
        self.world.clock.advance(seconds=self.dice.choice(SECONDS))

    async def pass_days(self) -> None:
        self.world.clock.advance(seconds=self.dice.choice(LONG))

    async def erase(self) -> None:
        await self.world.service.renewing.erase_salts()
        self.erased_at = self.now

    async def back_up(self) -> None:
        session = self.dice.choice(self.sessions)
        key = ids.decode("sess", session.id)
        (row,) = await self.world.store.look_up("SELECT * FROM renewals WHERE id = ?", (key,))
        self.backups[session.id], session.backup = row, session.renewal

    async def restore(self) -> None:
        """Put one session's row back: what was answered since is not known, and nobody is signed out for that."""
        session = self.dice.choice(self.sessions)
        if session.backup is None:
            return

        async def put_back(tx) -> None:
            row = RenewalRow(*self.backups[session.id])
            await tx.execute("DELETE FROM renewals WHERE id = ?", (row.id,))
            await tx.insert("renewals", RenewalRow._fields, [row])

        await self.world.store.at_once(put_back)
        session.renewal = replace(session.backup)
        self.met["restored"] += 1
        await self.show(session, *session.tokens[-1])

    async def revoke(self) -> None:
        session = self.dice.choice(self.sessions)
        if self.dice.random() < 0.5:
            await self.world.host.revoke(id=session.id)
            session.revoked = True
        else:
            await self.world.host.revoke(externalUserId=session.user)
            self.end_user(session.user)

    async def race_a_revoke(self) -> None:
        """Whichever comes first, afterwards the session is dead."""
        session = self.dice.choice(self.sessions)
        _, token = session.tokens[-1]
        reply, _ = await asyncio.gather(self.send(token), self.world.host.revoke(externalUserId=session.user))
        assert reply.status in (200, 401, 403)
        self.end_user(session.user)
        self.sessions.remove(session)  # whether it was rotated before is not known here
        assert (await self.world.http.get("/v1/session", bearer=reply.json.get("accessToken", "x"))).status == 401

    async def block(self) -> None:
        session = self.dice.choice(self.sessions)
        if session.user in self.blocked:
            await self.unblock(session.user)
        else:
            await self.world.host.revoke_user(session.user, block=True)
            self.blocked.add(session.user)
            self.end_user(session.user)

    async def unblock(self, user: str) -> None:
        customer = (await self.world.host.revoke_user(user))["customerId"]
        self.end_user(user)
        await self.world.host.unblock(customer)
        self.blocked.discard(user)

    def end_user(self, user: str) -> None:
        for session in self.sessions:
            session.revoked |= session.user == user

    async def look(self) -> None:
        session = self.dice.choice(self.sessions)
        shown = (await self.world.host.get(f"/v1/sessions/{session.id}")).json["status"]
        over = self.now >= min(session.renewal.idle_until, session.until)
        assert shown == ("revoked" if session.revoked else "expired" if over else "active"), session


async def walk(steps: int, seed: int, place: str = MEMORY) -> Counter:
    """Walk; return how often each answer was met. Raises: AssertionError where the service and the model differ."""
    url = place if place.startswith("postgresql://") else ""
    async with World.opened(MEMORY if url else place, database_url=url, seed=seed, log_level="error") as world:
        walker = Walk(world, seed)
        await walker.run(steps)
        assert len(await world.store.look_up("SELECT id FROM renewals")) <= walker.met.total()
        return walker.met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", default=MEMORY)
    options = parser.parse_args()
    met = asyncio.run(walk(options.steps, options.seed, options.database_url))
    sys.stdout.write("".join(f"{count:8} {what}\n" for what, count in met.most_common()))


if __name__ == "__main__":
    main()
