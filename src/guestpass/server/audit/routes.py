"""The audit log over HTTP, for keys that can ``read``: the events of their own project and environment."""

from __future__ import annotations

from typing import get_args

from guestpass.errors import ValidationFailed
from guestpass.server.audit import api
from guestpass.server.audit.listing import Listing, Wanted
from guestpass.server.audit.model import Action
from guestpass.server.http import paging
from guestpass.server.http.exchange import Answer, Exchange, answer
from guestpass.server.http.routes import QueryParameter, Route

ACTIONS = tuple(action for action in get_args(Action) if action != "session.created")
TARGET_LENGTH_MAX = 256  # characters, as of a kid
_QUERY = (
    QueryParameter("action", {"type": "string", "enum": list(ACTIONS)}, "Events of this kind."),
    QueryParameter(
        "target", {"type": "string", "minLength": 1, "maxLength": TARGET_LENGTH_MAX}, "Events that name this id."
    ),
    *paging.query("Events"),
)


class AuditRoutes:
    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    async def page(self, call: Exchange) -> Answer:
        query, limit = call.query, paging.limit(call.query)
        action, target = query.get("action"), query.get("target")
        if action is not None and action not in ACTIONS:
            raise ValidationFailed.of("action", f"must be one of {', '.join(ACTIONS)}")
        if target is not None and not 0 < len(target) <= TARGET_LENGTH_MAX:
            raise ValidationFailed.of("target", f"must have 1 to {TARGET_LENGTH_MAX} characters")
        wanted = Wanted([call.key.issuer], paging.below(query), limit + 1, action, target)
        found = await self._listing.page(wanted)
        last = paging.cursor(found[limit - 1].id) if len(found) > limit else None
        return answer(api.AuditEventPage(api.views_of(found[:limit]), last))

    def table(self) -> list[Route]:
        """Return the routes of this room."""
        return [
            Route(method="GET", path="/v1/audit-events", handler=self.page, tag="Audit", can="read",
                  summary="List what was done, newest first", query=_QUERY, answers={200: api.AuditEventPage},
                  note="Of your own project and environment. A mint is not among them: its session is its event."),
        ]  # fmt: skip
