"""The steps of one verification, without IO: it yields what has to be waited for, and ends with the session.

The order is the contract's: the token's own checklist (``core/tokens/check.py``), then state, then uses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from guestpass.core.jose import jws
from guestpass.core.tokens.check import Inspection, session_to_load_first
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.remembered import RememberingVerifier
from guestpass.errors import GuestpassError, TokenKeyUnknown, TokenTypeMismatch
from guestpass.verify.desk import Desk
from guestpass.verify.desks import Desks
from guestpass.verify.documents import Document
from guestpass.verify.flights import Flights
from guestpass.verify.keys import NO_KEYS
from guestpass.verify.session import Session, session_of
from guestpass.verify.standing import Standings
from guestpass.verify.steps import Landing, Steps, Wanted, up_to_date

SEEN_MAX = 20_000  # tokens; about 1 KB each


class Seen(NamedTuple):
    """A token that was verified, and what that rests on: as long as none of it changed, only time can have."""

    session: Session
    verifier: RememberingVerifier
    basis: tuple[tuple[Document[Any], object], ...]


class Walk:
    """What all verifications of one Verifier share. ``clock``: Unix seconds; ``tick``: seconds that never go back."""

    def __init__(
        self,
        desks: Desks,
        standings: Standings,
        flights: Flights,
        *,
        clock: Callable[[], float],
        tick: Callable[[], float],
    ) -> None:
        self._desks = desks
        self._standings = standings
        self._flights = flights
        self._clock = clock
        self._tick = tick
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    def seen(self, token: str, max_age_seconds: int | None) -> Session | None:
        """Return the session of a token that was verified before, None where that has to be done anew.

        Its time is checked all the same; keys and lists are those it was verified with, and fresh.

        Raises: TokenError about time.
        """
        seen = self._seen.get(token)
        if seen is None:
            return None
        tick = self._tick()
        for document, value in seen.basis:
            copy = document.copy
            if copy is None or copy.value is not value or not copy.quiet_from <= tick < copy.quiet_until:
                return None
        seen.verifier.verify(token, now=int(self._clock()), max_age_seconds=max_age_seconds)
        return seen.session

    def session(self, token: str, max_age_seconds: int | None) -> Steps[Session]:
        """Verify a token. Raises: TokenError, Unavailable."""
        now = int(self._clock())
        desk = self._desks.of(token)
        if "." not in token and session_to_load_first(Inspection(token, desk.expect, NO_KEYS, now)):
            return (yield from self._opaque(desk, token, now, max_age_seconds))
        claims, verifier = yield from self._claims(desk, token, now, max_age_seconds)
        if desk.expect.project_id is None:
            verifier = desk.learn_project(claims)
        try:
            standing = yield from self._standings.checked(desk, token, claims, now)
        except GuestpassError as error:
            error.session_id = claims.sid
            raise
        session = session_of(claims, standing.state.suspended_scope)
        if standing.basis and not session.suspended:
            self._remember(token, Seen(session, verifier, (*self._keys_of(desk), *standing.basis)), desk)
        return session

    def _keys_of(self, desk: Desk) -> tuple[tuple[Document[Any], object], ...]:
        document = desk.token_keys.document
        return () if document.copy is None else ((document, document.copy.value),)

    def _remember(self, token: str, seen: Seen, desk: Desk) -> None:
        if desk.verifier() is not seen.verifier:
            return  # the keys changed meanwhile
        self._seen[token] = seen
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)

    def _opaque(self, desk: Desk, token: str, now: int, max_age_seconds: int | None) -> Steps[Session]:
        if not self._standings.may_ask(desk):
            raise TokenTypeMismatch("An opaque token can only be checked by asking the server, with a secret_key.")
        return session_of((yield from self._standings.ask(desk, token, now, max_age_seconds)))

    # Keys

    def _claims(
        self, desk: Desk, token: str, now: int, max_age_seconds: int | None
    ) -> Steps[tuple[SessionClaims, RememberingVerifier]]:
        document, tick = desk.token_keys.document, self._tick()
        # The first fetch of all waits for a token that the issuer itself may have made.
        if document.copy is not None and not document.is_quiet(tick):
            yield from up_to_date(self._flights, (Wanted(document, desk.token_keys.fetch),), self._tick)
        verifier = desk.verifier()
        try:
            return verifier.verify(token, now=now, max_age_seconds=max_age_seconds), verifier
        except TokenKeyUnknown as error:
            unknown = error
        yield from self._look_for_key(desk, token, verifier)
        again = desk.verifier()
        if again is verifier:
            raise self._desks.why_unknown(desk, unknown)
        return again.verify(token, now=now, max_age_seconds=max_age_seconds), again

    def _look_for_key(self, desk: Desk, token: str, seen: RememberingVerifier) -> Steps[None]:
        """Fetch the keys, once for all who wait, unless it is too soon, or somebody just did."""
        keys = desk.token_keys
        kid = _kid_of(token, desk.expect.prefix)

        def is_needed() -> bool:
            return desk.verifier() is seen and self._desks.may_look_for_key(desk, kid)

        flight = self._flights.join(keys.document, keys.fetch, is_needed)
        if flight is None:
            return
        yield Landing(flight)
        self._desks.looked(desk)
        if desk.verifier() is seen:
            keys.was_not_found(kid, self._tick())


def _kid_of(token: str, prefix: str) -> str:
    """Return the key that a token names whose shape was found to be right."""
    return jws.read_header(token.removeprefix(prefix).partition(".")[0]).kid or ""
