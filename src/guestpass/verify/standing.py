"""What is true of a session now: by the published lists, or by asking; and whether a token may be used once more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from msgspec import UNSET

from guestpass.core.revocation import offline
from guestpass.core.tokens import check, operations
from guestpass.core.tokens.check import Inspection, State
from guestpass.core.tokens.claims import SessionClaims
from guestpass.errors import TokenMalformed, TokenReplayed, TokenTypeMismatch, Unavailable
from guestpass.verify.desk import Desk
from guestpass.verify.documents import Document
from guestpass.verify.flights import Flights
from guestpass.verify.introspection import Introspection
from guestpass.verify.keys import NO_KEYS
from guestpass.verify.lists import L, ListInUse, Shelf
from guestpass.verify.replay import Use
from guestpass.verify.settings import Settings
from guestpass.verify.steps import Errand, Steps, Wanted, up_to_date


class Standing(NamedTuple):
    """What was found of one session. ``basis``: the lists' contents that it rests on, none where it may not be kept."""

    state: State
    basis: tuple[tuple[Document[Any], object], ...] = ()


class Standings:
    def __init__(
        self,
        settings: Settings,
        shelf: Shelf,
        flights: Flights,
        introspection: Introspection | None,
        tick: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._flights = flights
        self._introspection = introspection
        self._tick = tick

    def checked(self, desk: Desk, token: str, claims: SessionClaims, now: int) -> Steps[Standing]:
        """Return how a session stands whose token's checklist held, after that was checked and the use was counted.

        Raises: TokenError, Unavailable.
        """
        standing = yield from self._standing(desk, token, claims, now)
        ins = Inspection(token, desk.expect, NO_KEYS, now)
        ins.claims, ins.state = claims, standing.state
        check.verify(ins, check.STATE_CHECKS)
        if claims.max_uses is UNSET:
            return standing
        was_asked = not standing.basis
        yield from self._use(desk, token, claims, claims.max_uses, now=now, was_asked=was_asked)
        return Standing(standing.state)

    def ask(self, desk: Desk, token: str, now: int, max_age_seconds: int | None = None) -> Steps[SessionClaims]:
        """Ask the server, and hold what it says against the claims' part of the checklist."""
        assert self._introspection is not None  # noqa: S101 - whoever asks has looked
        claims: SessionClaims = yield Errand(partial(self._introspection.ask, token))
        ins = Inspection(token, desk.expect, NO_KEYS, now, max_age_seconds=max_age_seconds)
        ins.claims = claims
        return check.verify(ins, check.CLAIM_CHECKS)

    def may_ask(self, desk: Desk) -> bool:
        """Say whether the server can be asked about a desk's tokens: with the key of one project, about that one's."""
        return self._introspection is not None and desk.name == self._settings.home.issuer

    def _standing(self, desk: Desk, token: str, claims: SessionClaims, now: int) -> Steps[Standing]:
        """Find the state: in the lists with a basis, or without one by asking."""
        if self._settings.mode == "introspect":
            if not self.may_ask(desk):
                raise Unavailable("The server can only be asked about tokens of the API key's own project.")
            return (yield from self._asked(desk, token, claims, now))
        listed = None
        if claims.status is not UNSET:
            listed = self._shelf.find(desk, claims.status.status_list.uri, exp=claims.exp, now=now)
        if listed is None:
            if not self.may_ask(desk):
                raise TokenMalformed("The token names no status list, so nobody here can tell whether it was revoked.")
            return (yield from self._asked(desk, token, claims, now))
        tick = self._tick()
        if not (listed.document.is_quiet(tick) and listed.cuts.is_quiet(tick)):
            yield from self._poll(listed)
        if self.may_ask(desk) and self._is_stale(listed):
            try:
                return (yield from self._asked(desk, token, claims, now))
            except Unavailable:
                pass  # then the stale lists must do, as long as they count
        return (yield from self._listed(desk, listed, claims, now))

    def _poll(self, listed: ListInUse) -> Steps[None]:
        wanted = (
            Wanted(listed.document, partial(self._shelf.fetch_statuses, listed)),
            Wanted(listed.cuts, partial(self._shelf.fetch_cuts, listed)),
        )
        yield from up_to_date(self._flights, wanted, self._tick)

    def _is_stale(self, listed: ListInUse) -> bool:
        now = self._tick()
        stale = listed.document.stale(now) or listed.cuts.stale(now)
        return stale and self._introspection is not None and not self._introspection.failed_lately()

    def _listed(self, desk: Desk, listed: ListInUse, claims: SessionClaims, now: int) -> Steps[Standing]:
        statuses = self._usable(listed.document, now)
        cuts = self._usable(listed.cuts, now)
        try:
            state = offline.state_of(claims, statuses, cuts)
        except IndexError:
            raise self._unknown(listed.document, "it has no place for this token") from None
        if state.suspended_scope is not None:
            wanted = Wanted(desk.suspended, desk.fetch_suspended)
            yield from up_to_date(self._flights, (wanted,), self._tick)
            state = state._replace(suspended_scope=desk.suspended_scope())
        return Standing(state, ((listed.document, statuses), (listed.cuts, cuts)))

    def _usable(self, document: Document[L], now: int) -> L:
        copy = document.copy
        if copy is None or not document.usable(self._tick()) or now >= copy.value.exp:
            raise self._unknown(document)
        return copy.value

    def _unknown(self, document: Document[Any], fault: str | None = None) -> Unavailable:
        fault = fault or document.fault or "its time is over"
        return Unavailable(
            f"Whether this token was revoked is not known: {document.url}: {fault}.",
            retry_after_seconds=self._settings.poll_seconds,
        )

    def _asked(self, desk: Desk, token: str, claims: SessionClaims, now: int) -> Steps[Standing]:
        answered = yield from self.ask(desk, token, now)
        if answered.sid != claims.sid:
            raise Unavailable("The server answered about another session than the token's.")
        granted = operations.NOTHING if answered.scope is UNSET else answered.scope
        own = operations.NOTHING if claims.scope is UNSET else claims.scope
        is_cut = operations.within(own, granted) != own
        return Standing(State(ending=None, suspended_scope=granted if is_cut else None))

    def _use(
        self, desk: Desk, token: str, claims: SessionClaims, uses: int, *, now: int, was_asked: bool
    ) -> Steps[None]:
        guard = self._settings.replay_guard
        if guard is None:
            if was_asked:
                return  # which counted the use
            if not self.may_ask(desk):
                raise TokenTypeMismatch("The token counts its uses; give the Verifier a replay_guard, or a secret_key.")
            yield from self.ask(desk, token, now)
            return
        use = Use(
            key=hashlib.sha256(f"{claims.iss} {claims.jti}".encode()).hexdigest(),
            uses=uses,
            issued_at=claims.iat,
            expires_at=claims.exp + self._settings.leeway_seconds,
            now=now,
        )
        if not (yield Errand(partial(guard.use, use))):
            raise TokenReplayed
