"""Signing keys that rotate while 500 tokens a second are verified: no good token is refused, by anybody."""

from __future__ import annotations

import asyncio
import itertools

import httpx2
import jwt
import pytest

from guestpass import Verifier
from guestpass.core.bounds import LIFE_SECONDS_DEFAULT
from guestpass.server.signing_keys import policy
from world import World

PREFIX = "gp_session_test_"
PER_SECOND = 500
AT_ONCE = 25
VERIFIES_A_MINT = 10
AROUND_SECONDS = 3  # before and after a key begins to sign, more than the servers' clocks differ
KEPT = 200  # tokens, the newest and some of every age


class Load:
    """Mints on two servers whose clocks differ, verifies on both and in an API that caches keys; the clock goes on."""

    def __init__(self, world, servers, verifier):
        self.world, self.servers, self.verifier = world, servers, verifier
        self.tokens: list[tuple[str, float]] = []  # and when it ends
        self.kids: set[str] = set()
        self.verified = 0
        self._turns = itertools.count()

    async def mint(self):
        server = self.servers[next(self._turns) % len(self.servers)]
        reply = await server.http.post("/v1/session-tokens", {"externalUserId": "ada"}, bearer=self.world.host.secret)
        assert reply.status == 201, reply.json
        token = reply.json["sessionToken"]
        self.kids.add(jwt.get_unverified_header(token.removeprefix(PREFIX))["kid"])
        self.tokens.append((token, self.world.clock() + LIFE_SECONDS_DEFAULT - 10))

    async def verify(self, token):
        turn = next(self._turns) % (len(self.servers) + 1)
        if turn == len(self.servers):
            await self.verifier.averify(token)
        else:
            reply = await self.servers[turn].http.get("/v1/session", bearer=token)
            assert reply.status == 200, reply.json
        self.verified += 1

    async def go_on(self, seconds):
        """Do what ``seconds`` of load are, in groups that run at the same time."""
        for _ in range(seconds * PER_SECOND // AT_ONCE):
            living = [token for token, end in self.tokens if end > self.world.clock()]
            self.tokens = [pair for pair in self.tokens if pair[1] > self.world.clock()]
            self.tokens = self.tokens[:: max(1, len(self.tokens) // KEPT)]
            picked = [living[next(self._turns) % len(living)] for _ in range(AT_ONCE)]
            await asyncio.gather(
                *(self.verify(token) for token in picked), *(self.mint() for _ in range(AT_ONCE // VERIFIES_A_MINT))
            )
            self.world.clock.advance(seconds=AT_ONCE / PER_SECOND)

    async def wait(self, seconds):
        """Let ``seconds`` pass, in steps of five of which one is under load; then be under load until well after them."""
        steps, rest = divmod(int(seconds) - AROUND_SECONDS, 5)
        for _ in range(steps):
            self.world.clock.advance(seconds=4)
            await self.go_on(1)
        await self.go_on(rest + 2 * AROUND_SECONDS)


def client_of(world):
    """An HTTP client, for the thread that fetches, of a service that lives in this loop."""
    loop = asyncio.get_running_loop()

    def answer(request):
        asked = world.http.get(request.url.path)
        reply = asyncio.run_coroutine_threadsafe(asked, loop).result(30)
        return httpx2.Response(reply.status, headers=reply.headers, content=reply.body)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
async def test_rotating_under_load_refuses_no_good_token(algorithm):
    async with World.opened(signing_algorithm=algorithm) as world:
        servers = [world, await world.beside(ahead_seconds=2, signing_algorithm=algorithm)]
        issuer = world.host.issuer
        with client_of(world) as client, Verifier(issuer.url, clock=world.clock, http_client=client) as verifier:
            load = Load(world, servers, verifier)
            await load.mint()
            await load.go_on(1)
            for rotations in (1, 2):
                await world.service.rotation.rotate(issuer)
                await load.wait(policy.LEAD_MS // 1000)
                assert len(load.kids) == rotations + 1, "the next key signs"
        assert load.verified > PER_SECOND * 50


async def test_a_secret_that_takes_over_under_load_refuses_no_good_token(world):
    """Verifiers are given the next secret beside the one before, on the day before it signs."""
    issuer, rotation = world.host.issuer, world.service.rotation
    servers = [world, await world.beside(ahead_seconds=2)]
    first = await rotation.use_secret(issuer)
    world.clock.advance(seconds=60)
    following = await rotation.rotate(issuer)
    secrets = [change.secret for change in (first, following)]
    with (
        client_of(world) as client,
        Verifier(issuer.url, secret=secrets, clock=world.clock, http_client=client) as verifier,
    ):
        load = Load(world, servers, verifier)
        await load.mint()
        await load.go_on(1)
        world.clock.advance(seconds=policy.SECRET_LEAD_MS / 1000 - 20)
        await load.mint()
        await load.wait(20)
    assert len(load.kids) == 2, "the next secret signs"
