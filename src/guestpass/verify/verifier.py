"""``Verifier``: hold tokens against the checklist, in the process that received them."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio.to_thread

from guestpass.core.jose.jwk import Algorithm
from guestpass.errors import Detail, GuestpassError, TokenMalformed, TokenMissing, Unavailable, ValidationFailed
from guestpass.verify import refusals
from guestpass.verify.desk import Desk
from guestpass.verify.desks import Desks
from guestpass.verify.flights import Flights, landed, landed_soon
from guestpass.verify.introspection import Introspection
from guestpass.verify.lists import Shelf
from guestpass.verify.replay import ReplayGuard
from guestpass.verify.session import Session
from guestpass.verify.settings import Mode, Projects, Secret, Settings, read_settings
from guestpass.verify.standing import Standings
from guestpass.verify.steps import WAIT_SECONDS, Landing, Step, Steps
from guestpass.verify.walk import Walk

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

_all: weakref.WeakSet[Verifier] = weakref.WeakSet()


class Verifier:
    """Verifies session and access tokens of one issuer. Make one and keep it; it is safe over threads, event loops
    and forks. Keys and status lists are fetched by whoever needs them; nothing runs in between, or after ``close()``.

    Args:
        issuer: The ``iss`` of the tokens, exact bytes, like ``https://guestpass.example.com/live``; else
            ``GUESTPASS_ISSUER``.
        audience: The ``aud`` of the tokens; the issuer by default.
        projects: ``"all"`` for the operator's own API: tokens of every project under ``issuer`` are accepted, each with
            its own keys, and ``project_id`` on the session says whose.
        algorithms: Those that the issuer's keys may have: ES256, EdDSA, RS256.
        jwks_url: Where an issuer that was replaced, or that is reached under another name, publishes its keys; it ends
            with ``/test/.well-known/jwks.json`` or ``/live/…``. Lists are fetched beside it.
        keys: A JWK Set, or public JWKs, in place of those that are published; then no key is ever fetched.
        secret: Of an HS256 project, 32 to 1 024 bytes (text counts as UTF-8); while one takes over from another, a list of
            both. Then HS256 alone is accepted.
        secret_key: ``sk_…`` that may ``verify``, to ask the server; else ``GUESTPASS_SECRET_KEY``.
        replay_guard: Counts the uses of tokens with ``max_uses``.
        mode: ``"offline"``: no call a token, and opaque ones are refused. ``"introspect"``: the server is asked about
            each. ``"hybrid"``: it is asked about opaque tokens, about those with ``max_uses`` without a guard, and while
            a status list cannot be fetched; without a secret key this is ``"offline"``.
        leeway_seconds: For ``exp``, ``nbf`` and ``iat``, 0 to 60.
        poll_seconds: How old a status list may be, 1 to 3600: a revoke is seen at most that, 1 s and one fetch later.
        max_stale_seconds: How long a list counts beyond that while it cannot be fetched, 0 to 3600.
        clock: Unix seconds.
        prefix_word: The word before ``_session_`` in the prefix of tokens.
        http_client: Your own ``httpx2.Client``, for a proxy, certificates or tests; closing it stays yours.

    Raises: ValidationFailed for an argument that breaks a rule. Nothing is fetched before the first token.
    """

    def __init__(  # noqa: PLR0913 - each has its default
        self,
        issuer: str | None = None,
        *,
        audience: str | None = None,
        projects: Projects = "one",
        algorithms: Iterable[Algorithm] = ("ES256", "EdDSA", "RS256"),
        jwks_url: str | None = None,
        keys: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
        secret: Secret | None = None,
        secret_key: str | None = None,
        replay_guard: ReplayGuard | None = None,
        mode: Mode = "hybrid",
        leeway_seconds: int = 5,
        poll_seconds: int = 5,
        max_stale_seconds: int = 300,
        clock: Callable[[], float] = time.time,
        prefix_word: str = "gp",
        http_client: httpx2.Client | None = None,
    ) -> None:
        settings = self._settings = read_settings(
            issuer,
            audience=audience,
            projects=projects,
            algorithms=algorithms,
            jwks_url=jwks_url,
            keys=keys,
            secret=secret,
            secret_key=secret_key,
            replay_guard=replay_guard,
            mode=mode,
            leeway_seconds=leeway_seconds,
            poll_seconds=poll_seconds,
            max_stale_seconds=max_stale_seconds,
            prefix_word=prefix_word,
        )
        self._wire(settings, clock, http_client)
        _all.add(self)

    def _wire(self, settings: Settings, clock: Callable[[], float], http_client: httpx2.Client | None) -> None:
        from guestpass.verify.fetching import HttpFetcher  # noqa: PLC0415 - it loads httpx2

        # A wall clock may be set; how old a list is must not depend on it. A clock of one's own rules both.
        tick = time.monotonic if clock is time.time else clock
        fetcher = self._fetcher = HttpFetcher(http_client)
        self._flights = Flights()
        self._shelf = Shelf(
            fetcher,
            clock=clock,
            tick=tick,
            poll_seconds=settings.poll_seconds,
            stale_seconds=settings.max_stale_seconds,
        )
        self._desks = Desks(settings, lambda place: Desk(place, settings, fetcher, tick), tick)
        key = settings.secret_key
        introspection = Introspection(settings.base, key, fetcher, tick) if key is not None else None
        standings = Standings(settings, self._shelf, self._flights, introspection, tick)
        self._walk = Walk(self._desks, standings, self._flights, clock=clock, tick=tick)

    def verify(
        self, token: str | None, *, max_age_seconds: int | None = None, request_id: str | None = None
    ) -> Session:
        """Return the session that a token proves, or raise why not. A token with ``max_uses`` is used by it.

        Args:
            token: As it was sent, without ``Bearer``; None and empty text are no token.
            max_age_seconds: Refuse a good token that was issued longer ago, 0 or more.
            request_id: For the log line of a refusal.

        Raises: TokenError with its ``code`` (401); Unavailable (503) where keys or status are not known.
        """
        try:
            text = self._checked(token, max_age_seconds)
            seen = self._walk.seen(text, max_age_seconds)
            return self._settled(self._walk.session(text, max_age_seconds)) if seen is None else seen
        except GuestpassError as error:
            refusals.log(error, request_id)
            raise

    async def averify(
        self, token: str | None, *, max_age_seconds: int | None = None, request_id: str | None = None
    ) -> Session:
        """Do what ``verify`` does, awaited, on asyncio or trio."""
        try:
            text = self._checked(token, max_age_seconds)
            seen = self._walk.seen(text, max_age_seconds)
            if seen is not None:
                return seen
            return await self._settled_soon(self._walk.session(text, max_age_seconds))
        except GuestpassError as error:
            refusals.log(error, request_id)
            raise

    def close(self) -> None:
        """End the threads and connections. A fetch that is under way is waited for, some seconds at most."""
        self._flights.close()
        self._fetcher.close()

    async def aclose(self) -> None:
        """Do what ``close`` does, awaited."""
        await anyio.to_thread.run_sync(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Verifier({self._settings.home.issuer!r}, mode={self._settings.mode!r})"

    def _checked(self, token: str | None, max_age_seconds: int | None) -> str:
        if self._flights.is_closed:
            raise RuntimeError("this Verifier is closed")
        if not token:
            raise TokenMissing
        if not isinstance(token, str):
            raise TokenMalformed
        if max_age_seconds is not None and max_age_seconds < 0:
            rule = "must be 0 or more"
            raise ValidationFailed(f"max_age_seconds {rule}.", details=(Detail("max_age_seconds", rule),))
        return token

    def _settled(self, steps: Steps[T]) -> T:
        """Take the steps, blocking."""
        try:
            step: Step = next(steps)
            while True:
                if isinstance(step, Landing):
                    step = steps.send(landed(step.flight, step.seconds))
                    continue
                try:
                    result = step.call()
                except GuestpassError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found

    async def _settled_soon(self, steps: Steps[T]) -> T:
        """Take the steps, awaited."""
        try:
            step: Step = next(steps)
            while True:
                if isinstance(step, Landing):
                    step = steps.send(await landed_soon(step.flight, step.seconds))
                    continue
                errand = self._flights.apart(step.call)
                try:
                    if not await landed_soon(errand, WAIT_SECONDS):
                        raise Unavailable("No answer came in time.")
                    result = errand.result()
                except GuestpassError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as done:
            found: T = done.value
            return found

    def _begin_anew(self) -> None:
        self._flights.forget_threads()
        self._fetcher.forget_connections()
        self._shelf.forget_lock()
        self._desks.forget_locks()


def _begin_anew_in_child() -> None:
    """A forked child has its parent's keys and lists, and none of its threads, connections or held locks."""
    for verifier in list(_all):
        verifier._begin_anew()  # noqa: SLF001 - its own module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)
