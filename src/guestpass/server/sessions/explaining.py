"""Say why: of a token, of a session by its id, of a request by its id."""

from __future__ import annotations

from msgspec import UNSET

from guestpass.core import times
from guestpass.errors import ERRORS, NotFound
from guestpass.server.clock import Clock
from guestpass.server.projects.service import Issuer
from guestpass.server.refusals.service import KEPT_HOURS, Refusal, Refusals
from guestpass.server.sessions import api
from guestpass.server.sessions.model import WORD
from guestpass.server.sessions.service import view_of
from guestpass.server.sessions.verifying import Explained, Verifying

REQUEST_PREFIX = "req_"


class Explaining:
    def __init__(self, verifying: Verifying, refusals: Refusals, clock: Clock) -> None:
        self._verifying = verifying
        self._refusals = refusals
        self._clock = clock

    async def of(self, issuer: Issuer, what: str, operation: str | None) -> api.VerifyAnswer:
        """Explain a token, ``sess_…`` or ``req_…`` to a caller of ``issuer``; of another's nothing is said.

        Raises: NotFound for an id of which nothing is known.
        """
        if what.startswith(f"{WORD}_"):
            return await self.session(issuer, what, operation)
        if what.startswith(REQUEST_PREFIX):
            # Where no signature held nobody knows whose token it was, so it is not for a tenant to read.
            return self._request([r for r in await self._refusals.of(what) if await self._is_of(issuer, r)])
        return self._answer(await self._verifying.explain(issuer, what, operation))

    async def session(self, issuer: Issuer, session_id: str, operation: str | None) -> api.VerifyAnswer:
        """Raises: NotFound."""
        explained = await self._verifying.explain_session(issuer, session_id, operation)
        return self._answer(explained, await self._refusals.of(session_id))

    async def request(self, request_id: str) -> api.VerifyAnswer:
        """Explain a request to the operator, who may see them all. Raises: NotFound."""
        return self._request(await self._refusals.of(request_id))

    async def _is_of(self, issuer: Issuer, refusal: Refusal) -> bool:
        return refusal.session_id is not None and await self._verifying.known(issuer, refusal.session_id) is not None

    def _answer(self, explained: Explained, refusals: list[Refusal] | None = None) -> api.VerifyAnswer:
        known, error = explained.known, explained.error
        return api.VerifyAnswer(
            valid=error is None,
            code=UNSET if error is None else error.code,
            remedy=UNSET if error is None else error.remedy,
            session=UNSET if known is None else view_of(known, int(self._clock())),
            checks=[api.CheckResult(found.check, found.error is None, found.detail) for found in explained.findings],
            refusals=UNSET if refusals is None else [_view(refusal) for refusal in refusals],
        )

    def _request(self, refusals: list[Refusal]) -> api.VerifyAnswer:
        if not refusals:
            raise NotFound(f"No refusal in a request of this id is known; they are kept for {KEPT_HOURS} hours.")
        views = [_view(refusal) for refusal in refusals]
        return api.VerifyAnswer(valid=False, code=views[0].code, remedy=views[0].remedy, checks=[], refusals=views)


def _view(refusal: Refusal) -> api.RefusalView:
    return api.RefusalView(
        at=times.of_milliseconds(refusal.at_ms),
        code=refusal.code,
        message=refusal.message,
        remedy=ERRORS[refusal.code].remedy,
        route=refusal.route,
        request_id=refusal.request_id,
        session_id=UNSET if refusal.session_id is None else refusal.session_id,
    )
