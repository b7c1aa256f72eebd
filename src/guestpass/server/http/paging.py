"""Lists in pages, newest first: ``limit``, and a cursor that is the id of the last thing shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from guestpass.core import ids
from guestpass.core.bounds import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX
from guestpass.errors import ValidationFailed
from guestpass.server.http.routes import QueryParameter

_WORD = "page"
_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def query(things: str) -> tuple[QueryParameter, QueryParameter]:
    """Return the parameters of every list. ``things``: what is listed, with a capital."""
    schema = {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT_MAX, "default": PAGE_LIMIT_DEFAULT}
    return (
        QueryParameter("limit", schema, f"{things} on a page."),
        QueryParameter("cursor", {"type": "string"}, "`nextCursor` of the page before."),
    )


def limit(query: Mapping[str, str]) -> int:
    """Raises: ValidationFailed."""
    text = query.get("limit")
    if text is None:
        return PAGE_LIMIT_DEFAULT
    if not _WHOLE_NUMBER.fullmatch(text) or int(text) > PAGE_LIMIT_MAX:
        raise ValidationFailed.of("limit", f"must be a whole number from 1 to {PAGE_LIMIT_MAX}")
    return int(text)


def below(query: Mapping[str, str]) -> bytes:
    """Return the id that everything on the page lies below. What a client makes of a cursor is its own affair.

    Raises: ValidationFailed.
    """
    text = query.get("cursor")
    if text is None:
        return ids.AFTER_ALL
    last = ids.decode(_WORD, text)
    if last is None:
        raise ValidationFailed.of("cursor", "must be the nextCursor of the page before")
    return last


def cursor(last: bytes) -> str:
    """Return the cursor of a page that ends with the id ``last``."""
    return ids.encode(_WORD, last)
