"""``GET /session``, ``POST /session/refresh``, ``POST /session/end``: who is answered what (docs/adr/0021).

Each is a generator: it yields what it needs done, is sent what came of it, and returns the answer. It does no IO itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple, TypeAlias

from guestpass._host import answers, cookies
from guestpass._host.answers import Answer
from guestpass._host.cookies import CookieName, Kept
from guestpass._host.effects import Access, AccessToken, AskHost, Effect, Ended, LogIn, LogOut, Pair, Refresh
from guestpass._host.facts import Facts, is_own_page
from guestpass._host.proofs import Owner, Proofs
from guestpass.errors import (
    CsrfFailed,
    GuestpassError,
    MethodNotAllowed,
    NotFound,
    RefreshTokenError,
    RefreshTokenInvalid,
    SessionSuspended,
    TokenExpired,
    TokenRevoked,
    Unauthorized,
)

Course: TypeAlias = Generator[Effect, Any, Answer]
Route: TypeAlias = Callable[[Facts], Course]

# What the service says of a session that has ended, or that it does not know (any more).
_OVER = (RefreshTokenError, TokenRevoked, TokenExpired, NotFound)


class User(NamedTuple):
    """Who is signed in at the host, and what to log him in with."""

    owner: Owner
    arguments: Mapping[str, Any]


class _Refused(Exception):
    """One of these routes itself says no; what the service says travels as its own errors."""

    def __init__(self, error: GuestpassError) -> None:
        super().__init__(error.code)
        self.error = error


class SessionRoutes:
    """The three routes of one host.

    Args:
        environment: Of the API key.
        proofs: Under its secret.
    """

    def __init__(self, environment: str, proofs: Proofs) -> None:
        self._environment = environment
        self._proofs = proofs

    def get(self, facts: Facts) -> Course:
        """Give the page an access token. Nothing is rotated; who is signed in and has no living session is logged in."""
        return self._answering(facts, "GET", self._get)

    def refresh(self, facts: Facts) -> Course:
        """Rotate the refresh token in the cookie."""
        return self._answering(facts, "POST", self._refresh)

    def end(self, facts: Facts) -> Course:
        """End the session in the cookie, and let the browser forget it."""
        return self._answering(facts, "POST", self._end)

    def _answering(self, facts: Facts, method: str, route: Route) -> Course:
        request_id = facts.request_id
        if facts.method != method:
            return answers.refusal(MethodNotAllowed(), request_id=request_id, allow=method)
        try:
            if not is_own_page(facts) or (method == "POST" and not facts.csrf):
                raise _Refused(CsrfFailed())
            return (yield from route(facts))
        except _Refused as refused:
            return answers.refusal(refused.error, request_id=request_id)
        except GuestpassError as error:
            return answers.of_service(error, request_id=request_id)

    def _get(self, facts: Facts) -> Course:
        user = yield from _signed_in()
        name, sent = self._sent(facts)
        own = next((kept for kept in sent if self._is_of(user.owner, kept)), None)
        if own is not None:
            try:
                token: AccessToken = yield Access(own.session_id)
            except _OVER:
                pass  # the host knows its user: a session that is over is no reason to sign anybody out
            else:
                if token.suspended:
                    raise _Refused(SessionSuspended())  # until the host itself calls login: to try a password again
                return answers.of_session(
                    token, self._proofs.csrf_token(own.session_id), cookie=None, request_id=facts.request_id
                )
        elif sent:
            yield from _ended(sent[0])
        return self._keeping((yield LogIn(user.arguments)), user.owner, name, facts)

    def _refresh(self, facts: Facts) -> Course:
        user = yield from _signed_in()
        name, sent = self._sent(facts)
        if not sent:
            raise _Refused(RefreshTokenInvalid("There is no session in the cookie."))
        own = self._fitting(facts, sent)
        if not self._is_of(user.owner, own):
            raise _Refused(Unauthorized("The session in the cookie is not that of who is signed in."))
        try:
            pair: Pair = yield Refresh(own.refresh_token)
        except RefreshTokenError as error:
            return answers.of_service(error, request_id=facts.request_id, cookie=name.cleared)
        return self._keeping(pair, user.owner, name, facts)

    def _end(self, facts: Facts) -> Course:
        name, sent = self._sent(facts)
        if not sent:
            return answers.of_end(0, cookie=None, request_id=facts.request_id)
        count = yield from _ended(self._fitting(facts, sent))
        return answers.of_end(count, cookie=name.cleared, request_id=facts.request_id)

    def _sent(self, facts: Facts) -> tuple[CookieName, list[Kept]]:
        name = cookies.name_for(self._environment, facts.scheme, facts.host)
        return name, cookies.read(facts.cookie, name.name, self._environment)

    def _is_of(self, owner: Owner, kept: Kept) -> bool:
        return self._proofs.is_owner(kept.proof, kept.session_id, owner)

    def _fitting(self, facts: Facts, sent: list[Kept]) -> Kept:
        """Return the cookie that the page's CSRF token belongs to."""
        for kept in sent:
            if self._proofs.is_csrf_token(facts.csrf or "", kept.session_id):
                return kept
        raise _Refused(CsrfFailed())

    def _keeping(self, pair: Pair, owner: Owner, name: CookieName, facts: Facts) -> Answer:
        """Answer a pair: the access token to the page, the refresh token to the cookie."""
        session_id = cookies.session_id_of(pair.refresh_token)
        if session_id is None:
            raise RuntimeError("The service answered a refresh token of a shape that this version does not know.")
        value = cookies.value_of(pair.refresh_token, self._proofs.of_owner(session_id, owner))
        cookie = name.set(value, _seconds_left(pair))
        return answers.of_session(pair, self._proofs.csrf_token(session_id), cookie=cookie, request_id=facts.request_id)


def _signed_in() -> Generator[Effect, Any, User]:
    told = yield AskHost()
    if told is None:
        raise _Refused(Unauthorized("Nobody is signed in."))
    return user_of(told)


def _ended(kept: Kept) -> Generator[Effect, Any, int | None]:
    """End a session by its refresh token, which the service believes or not; return how many ended."""
    try:
        ended: Ended = yield LogOut(kept.refresh_token)
    except RefreshTokenError:
        return 0  # over already, or never a session
    return ended.tokens_revoked


def user_of(told: object) -> User:
    """Read what ``get_user`` returned: a user's id, or the arguments of ``gp.auth.login`` by name.

    Raises: TypeError. A whole user record is refused, since its every field would be handed to the service.
    """
    arguments = {"external_user_id": told} if isinstance(told, str) else told
    if isinstance(arguments, Mapping):
        user, organization = arguments.get("external_user_id"), arguments.get("external_organization_id")
        if isinstance(user, str) and user and isinstance(organization, str | None):
            return User(Owner(user, organization), arguments)
    raise TypeError(
        "get_user must return None, the user's id as a str, or a dict of the arguments of gp.auth.login() with "
        f'"external_user_id" among them; it returned {type(told).__name__}'
    )


def _seconds_left(pair: Pair) -> int:
    """Count from the service's own clock, which its answer shows: the host's may be wrong."""
    now = pair.access_token_expires_at.timestamp() - pair.access_token_expires_in
    return max(1, int(pair.refresh_token_expires_at.timestamp() - now))
