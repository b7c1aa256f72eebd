"""Mints, revokes and blocks in any order, on a clock that stands, jumps and goes back, held to a model of a few lines."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from world import Refused, World

USERS = st.sampled_from(["ada", "bob"])
ORGANIZATIONS = st.sampled_from(["acme", "zeta", None])


class Sessions(RuleBasedStateMachine):
    """The model: which sessions live. A revoke ends what is there; a mint adds what lives. Nothing else is to be known."""

    minted = Bundle("minted")

    @initialize()
    def open(self):
        self.runner = asyncio.Runner()
        self.stack = contextlib.AsyncExitStack()
        self.world = self.runner.run(self.stack.enter_async_context(World.opened()))
        self.living = {}  # id: (session, user, organization)
        self.dead = []
        self.blocked = set()
        self.skew_ms = 0

    def run(self, call):
        return self.runner.run(call)

    @rule(milliseconds=st.sampled_from([0, 1, 1, 2, 1000]), skew_ms=st.sampled_from([0, 0, -1, -3000]))
    def time_passes_or_a_server_whose_clock_is_behind_goes_on(self, milliseconds, skew_ms):
        """Less behind than the five seconds by which a token may seem to begin in the future."""
        self.world.clock.advance(milliseconds=milliseconds + skew_ms - self.skew_ms)
        self.skew_ms = skew_ms

    @rule(target=minted, user=USERS, organization=ORGANIZATIONS, form=st.sampled_from(["jwt", "opaque"]))
    def mint(self, user, organization, form):
        fields = {"format": form} | ({} if organization is None else {"externalOrganizationId": organization})
        if user in self.blocked:
            with self.world.refused("CUSTOMER_BLOCKED"):
                self.run(self.world.mint(user, **fields))
            return multiple()
        session = self.run(self.world.mint(user, **fields))
        self.living[session.id] = session, user, organization
        return session

    def end(self, doomed):
        gone = [session_id for session_id, facts in self.living.items() if doomed(*facts)]
        self.dead += [self.living.pop(session_id)[0] for session_id in gone]
        return len(gone)

    @rule(user=USERS)
    def revoke_a_user(self, user):
        answer = self.run(self.world.host.revoke(externalUserId=user))
        assert answer["revoked"] == self.end(lambda _, owner, __: owner == user)

    @rule(organization=st.sampled_from(["acme", "zeta"]))
    def revoke_an_organization(self, organization):
        answer = self.run(self.world.host.revoke(externalOrganizationId=organization))
        assert answer["revoked"] == self.end(lambda _, __, owner: owner == organization)

    @rule(by_key=st.booleans())
    def revoke_all(self, by_key):
        body = {"apiKeyId": self.world.host.id} if by_key else {"all": True}
        assert self.run(self.world.host.revoke(**body))["revoked"] == self.end(lambda *_: True)

    @rule(session=consumes(minted))
    def end_one(self, session):
        self.run(self.world.host.end(session))
        self.end(lambda each, *_: each.id == session.id)

    @rule(user=USERS)
    def block(self, user):
        answer = self.run(self.world.host.revoke_user(user, block=True))
        assert answer["blocked"] is True
        assert answer["revoked"] == self.end(lambda _, owner, __: owner == user)
        self.blocked.add(user)

    @rule(user=USERS)
    def unblock(self, user):
        if user in self.blocked:
            customer = self.run(self.world.host.revoke_user(user))["customerId"]
            self.run(self.world.host.unblock(customer))
            self.blocked.remove(user)

    @rule(user=USERS)
    def mint_and_revoke_at_once(self, user):
        """Either came first; then each is as if they had come one after the other."""

        async def both():
            return await asyncio.gather(
                self.world.mint(user), self.world.host.revoke(externalUserId=user), return_exceptions=True
            )

        session, answer = self.run(both())
        ended = self.end(lambda _, owner, __: owner == user)
        if user in self.blocked:
            assert isinstance(session, Refused)
            assert answer["revoked"] == ended
        elif self.run(session.lives()):
            assert answer["revoked"] == ended
            self.living[session.id] = session, user, None
        else:
            assert answer["revoked"] == ended + 1
            self.dead.append(session)

    @invariant()
    def the_living_live_and_the_dead_do_not(self):
        if not hasattr(self, "world"):
            return
        for session, *_ in self.living.values():
            self.is_as_expected(session, lives=True)
        for session in self.dead:
            self.is_as_expected(session, lives=False)

    def is_as_expected(self, session, *, lives):
        assert self.run(session.lives()) == lives, f"{session.id} should {'live' if lives else 'be dead'}"
        assert (self.run(self.world.host.session(session))["status"] == "active") == lives

    def teardown(self):
        if hasattr(self, "world"):
            self.run(self.stack.aclose())
            self.runner.close()


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
