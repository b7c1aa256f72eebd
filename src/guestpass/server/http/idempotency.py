"""``Idempotency-Key``: a POST that creates does so once, and is answered as often as it is sent."""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial

from guestpass.errors import Conflict, Detail, ValidationFailed
from guestpass.server.http.exchange import Answer, Exchange, Headers
from guestpass.server.http.routes import Creates, Handler, Route
from guestpass.server.idempotency.service import AnsweredBefore, KeptAnswers, TwinUnderWay

HEADER = "Idempotency-Key"
_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}")
_REPLAYED: Headers = ((b"idempotency-replayed", b"true"),)
TWIN_SECONDS_MAX = 2.0  # for the first to be answered, so that its twin is within the 3 s of every request
_TWIN_PAUSE_SECONDS = 0.01


class Idempotency:
    """Answers requests that carry a key; ``twin_seconds_max``: how long one waits for another with the same key."""

    def __init__(self, kept: KeptAnswers, *, twin_seconds_max: float = TWIN_SECONDS_MAX) -> None:
        self._kept = kept
        self._twin_seconds_max = twin_seconds_max

    def handler(self, call: Exchange, route: Route) -> Handler:
        """Return what is to handle a request of ``route``. Raises: ValidationFailed where the header is malformed."""
        key = _key_of(call)
        if key is None or route.creates is None:  # what creates nothing does no more when it comes twice
            return route.handler
        return partial(self._answer, route.handler, route.creates, key)

    async def _answer(self, handler: Handler, creates: Creates, key: bytes, call: Exchange) -> Answer:
        scope, says = (call.key.id, call.method, call.path), (call.query_string, await call.read())
        keyed = self._kept.keyed(scope, key, says, seconds=creates.seconds)
        call.riders = (*call.riders, self._kept.rider(keyed))
        deadline = time.monotonic() + self._twin_seconds_max
        while True:
            try:
                return await handler(call)
            except AnsweredBefore as before:
                made = self._kept.open(keyed, before.sealed, creates.made)
                reply = await creates.again(call, made)
                return reply._replace(headers=reply.headers + _REPLAYED)
            except TwinUnderWay:
                if time.monotonic() >= deadline:
                    raise Conflict(
                        f"Another request with this {HEADER} is still under way. Send it again in a moment."
                    ) from None
            await asyncio.sleep(_TWIN_PAUSE_SECONDS)


def _key_of(call: Exchange) -> bytes | None:
    text = call.header(HEADER.lower().encode())
    if text is None:
        return None
    if not _VISIBLE_ASCII.fullmatch(text):
        rule = "must be 1 to 255 visible ASCII characters, without spaces"
        raise ValidationFailed(f"The header {HEADER} {rule}.", details=(Detail(HEADER, rule),))
    return text.encode()
