"""One log line a refusal: code, session, request, and the sentence of the error; nothing of the token."""

from __future__ import annotations

import logging
import re

from guestpass.errors import GuestpassError, ServiceError

logger = logging.getLogger("guestpass")

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)


def log(error: GuestpassError, request_id: str | None = None) -> None:
    """Write the line: at WARNING where our side failed, at INFO where a token was refused.

    A request id often comes from the caller; one that could write a line of its own is left out.
    """
    level = logging.WARNING if isinstance(error, ServiceError) else logging.INFO
    if not logger.isEnabledFor(level):
        return
    request = request_id if request_id is not None and _REQUEST_ID.fullmatch(request_id) else "-"
    session = error.session_id or "-"
    logger.log(
        level,
        "refused: %s session=%s request=%s: %s",
        error.code,
        session,
        request,
        error.message,
        extra={"code": error.code, "session": session, "request_id": request},
    )
