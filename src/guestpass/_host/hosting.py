"""The base of every adapter's session routes: it carries out what a route asks for, and logs what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Protocol, TypeAlias

import anyio.to_thread

from guestpass._host.answers import Answer
from guestpass._host.effects import AskHost, Auth, CallEffect, perform
from guestpass._host.proofs import Proofs
from guestpass._host.routes import Course, SessionRoutes
from guestpass.verify import refusals

# Nobody, the user's id, or the arguments of ``gp.auth.login`` by name.
SignedIn: TypeAlias = str | Mapping[str, Any] | None
GetUser: TypeAlias = Callable[[Any], SignedIn | Awaitable[SignedIn]]


class Client(Protocol):
    """A ``Guestpass`` or an ``AsyncGuestpass``."""

    @property
    def auth(self) -> Any: ...
    @property
    def environment(self) -> str: ...
    @property
    def secret_key(self) -> str: ...


class Hosting:
    """Answers the three routes for one host.

    Args:
        gp: Of either kind; its API key seals the cookies, and has to be able to ``mint``.
        get_user: Is given the framework's request.
        earlier_secrets: Of API keys that this one takes the place of; cookies that they sealed stay good.
    """

    def __init__(self, gp: Client, get_user: GetUser, earlier_secrets: Sequence[str]) -> None:
        if isinstance(earlier_secrets, str):
            raise TypeError("earlier_secrets must be a list of secrets, not one")
        self.routes = SessionRoutes(gp.environment, Proofs([gp.secret_key, *earlier_secrets]))
        self.get_user = get_user
        self.awaits = iscoroutinefunction(gp.auth.login)
        self._auth: Auth = gp.auth

    def answer(self, course: Course, ask: Callable[[], object]) -> Answer:
        """Answer with a ``Guestpass``; ``ask`` calls ``get_user``."""
        outcome, send = None, course.send
        while True:
            try:
                effect = send(outcome)
            except StopIteration as done:
                return _logged(done.value)
            try:
                outcome = ask() if isinstance(effect, AskHost) else perform(effect, self._auth)
                send = course.send
            except Exception as error:  # noqa: BLE001  the route decides what becomes of it
                outcome, send = error, course.throw

    async def aanswer(self, course: Course, ask: Callable[[], Awaitable[object]]) -> Answer:
        """Answer with a client of either kind; one that blocks is called in a thread."""
        outcome, send = None, course.send
        while True:
            try:
                effect = send(outcome)
            except StopIteration as done:
                return _logged(done.value)
            try:
                outcome = await ask() if isinstance(effect, AskHost) else await self._aperform(effect)
                send = course.send
            except Exception as error:  # noqa: BLE001  as above
                outcome, send = error, course.throw

    async def aask(self, request: Any) -> object:
        """Call ``get_user``; one that blocks, in a thread."""
        if iscoroutinefunction(self.get_user):
            return await self.get_user(request)
        found = await anyio.to_thread.run_sync(self.get_user, request)
        return await found if isawaitable(found) else found

    async def _aperform(self, effect: CallEffect) -> Any:
        if self.awaits:
            return await perform(effect, self._auth)
        return await anyio.to_thread.run_sync(perform, effect, self._auth)


def _logged(answer: Answer) -> Answer:
    """Log a refusal in one line, and what the host has to mend as an error, with its cause."""
    if answer.refused is not None:
        refusals.log(answer.refused, answer.body["requestId"])
    if answer.fault is not None:
        refusals.logger.error("session route failed: request=%s", answer.body["requestId"], exc_info=answer.fault)
    return answer
