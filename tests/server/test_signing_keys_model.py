"""Keys rotated and stolen in any order, on several servers with clocks of their own: no good token is ever refused."""

from __future__ import annotations

import asyncio
import contextlib

import jwt
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from guestpass.server.signing_keys import policy
from world import World

DAY = 24 * 3600
PREFIX = "gp_session_test_"
SERVERS = st.sampled_from([0, 1, 2])
LIVES = st.sampled_from([60, DAY])
TIMES = st.sampled_from([0, 0.001, 1, 31, 60, 131, 23 * 3600, policy.LAST_TOKEN_MS / 1000, 45 * DAY])


class ThirdParty:
    """A verifier with a library: it caches a key set as long as it may, and fetches it anew for an unknown key."""

    def __init__(self, clock, fetch):
        self.clock, self._fetch = clock, fetch
        self.kids, self.fetched_at = set(), float("-inf")

    async def knows(self, kid):
        """Say whether it can verify, and whether it had to ask for that."""
        if self.clock() - self.fetched_at > policy.JWKS_MAX_AGE_SECONDS:
            await self._ask()
        asks = kid not in self.kids
        if asks:
            await self._ask()
        return kid in self.kids, asks

    async def _ask(self):
        self.kids, self.fetched_at = await self._fetch(), self.clock()


class Rotations(RuleBasedStateMachine):
    """The model: a token is good until it ends, or its key was revoked. Nothing else is to be known."""

    databases = None  # SQLite in memory

    @initialize()
    def open(self):
        self.runner = asyncio.Runner()
        self.stack = contextlib.AsyncExitStack()
        url = self.stack.enter_context(self.databases.fresh()) if self.databases else ""
        first = self.run(self.stack.enter_async_context(World.opened(database_url=url)))
        others = [self.run(first.beside(ahead_seconds=ahead)) for ahead in (-2.5, 2.5)]
        self.servers = [first, *others]
        self.host, self.clock = first.host, first.clock
        self.issuer, self.rotation = first.host.issuer, first.service.rotation
        self.third_parties = [
            ThirdParty(self.clock, lambda server=server: self.fetch(server)) for server in self.servers
        ]
        self.tokens = []  # (session, kid, when it ends for the server whose clock is the fastest)
        self.stolen = {}  # kid: when it was revoked

    def run(self, call):
        return self.runner.run(call)

    async def fetch(self, server):
        reply = await server.http.get("/test/.well-known/jwks.json")
        return {key["kid"] for key in reply.json["keys"]}

    @rule(seconds=TIMES, server=SERVERS, life=LIVES)
    def time_passes(self, seconds, server, life):
        self.clock.advance(seconds=seconds)
        self.mint(server, life)

    @rule(seconds=TIMES, server=SERVERS, life=LIVES)
    def the_servers_do_what_is_due(self, seconds, server, life):
        async def keep():
            return [change async for change in self.rotation.keep(algorithm=False)]

        self.run(keep())
        self.time_passes(seconds, server, life)

    @rule(seconds=TIMES, server=SERVERS, life=LIVES)
    def rotate(self, seconds, server, life):
        self.run(self.rotation.rotate(self.issuer))
        self.time_passes(seconds, server, life)

    def mint(self, server, life):
        self.host.http = self.servers[server].http
        session = self.run(self.host.mint("ada", expiresIn=life))
        kid = jwt.get_unverified_header(session.token.removeprefix(PREFIX))["kid"]
        self.tokens.append((session, kid, self.clock() + life - 10))

    @precondition(lambda self: hasattr(self, "tokens"))
    @invariant()
    def every_good_token_verifies_on_every_server(self):
        self.tokens = [token for token in self.tokens if token[2] > self.clock()][-12:]
        for session, kid, _ in self.tokens:
            for server in self.servers:
                reply = self.run(server.http.get("/v1/session", bearer=session.token))
                if kid not in self.stolen:
                    assert reply.status == 200, (kid, reply.json)
                elif self.clock() - self.stolen[kid] >= 1:
                    assert reply.code == "TOKEN_KEY_UNKNOWN"

    @precondition(lambda self: hasattr(self, "tokens"))
    @invariant()
    def every_third_party_knows_its_key(self):
        for _, kid, _ in self.tokens:
            for verifier in self.third_parties:
                if kid not in self.stolen:
                    knows, asked = self.run(verifier.knows(kid))
                    assert knows
                    assert not asked or self.stolen, "a rotation makes nobody ask"

    @precondition(lambda self: hasattr(self, "tokens"))
    @invariant()
    def one_key_signs_and_its_private_part_is_there(self):
        keys = self.run(self.rotation.of(self.issuer))
        states = [keys.state_of(key) for key in keys.stored]
        assert states.count("signing") == 1
        assert all(key.sealed_private_jwk for key in keys.stored if keys.state_of(key) not in {"retired", "revoked"})

    def teardown(self):
        if hasattr(self, "stack"):
            self.run(self.stack.aclose())
            self.runner.close()


class Thefts(Rotations):
    @rule(
        state=st.sampled_from(["signing", "signing", "next", "verifying", "retired"]),
        seconds=TIMES, server=SERVERS, life=LIVES,
    )  # fmt: skip
    def steal(self, state, seconds, server, life):
        keys = self.run(self.rotation.of(self.issuer))
        kids = [key.kid for key in keys.stored if keys.state_of(key) == state]
        if kids:
            self.run(self.rotation.revoke(self.issuer, kids[0]))
            self.stolen[kids[0]] = self.clock()
        self.time_passes(seconds, server, life)


TestRotations, TestThefts = Rotations.TestCase, Thefts.TestCase
TestRotations.settings = TestThefts.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_the_same_holds_on_postgresql(databases):
    on_postgresql = type("TheftsOnPostgresql", (Thefts,), {"databases": databases})
    run_state_machine_as_test(on_postgresql, settings=settings(max_examples=4, stateful_step_count=30, deadline=None))
