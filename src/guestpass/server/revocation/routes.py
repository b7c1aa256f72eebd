"""Where verifiers that check alone hear of endings."""

from __future__ import annotations

from guestpass.core.revocation import cut_list
from guestpass.server.http.exchange import Answer, Exchange, Headers
from guestpass.server.http.routes import Route
from guestpass.server.projects.service import Issuers
from guestpass.server.revocation.publishing import Publishing

_NOT_MODIFIED = 304
_ISSUER_PATHS = ("/{environment}", "/{environment}/{project}")
_ASK_EVERY_TIME = (b"cache-control", b"no-cache")  # a cache may keep it, but must ask whether it is still right


class StatusListRoutes:
    def __init__(self, issuers: Issuers, publishing: Publishing) -> None:
        self._issuers = issuers
        self._publishing = publishing

    async def document(self, call: Exchange) -> Answer:
        issuer = await self._issuers.at(call.parameters["environment"], call.parameters.get("project"))
        name = call.parameters["id"]
        copy = await self._publishing.document(issuer, name)
        kind = b"guestpass-cuts+jwt" if name == cut_list.NAME else b"statuslist+jwt"
        headers: Headers = ((b"etag", copy.etag.encode()), _ASK_EVERY_TIME)
        if copy.etag in (call.header(b"if-none-match") or ""):
            return Answer(_NOT_MODIFIED, b"", headers)
        return Answer(200, copy.text, (*headers, (b"content-type", b"application/" + kind)))

    def table(self) -> list[Route]:
        """Return the routes of this room."""
        return [
            Route(method="GET", path=f"{issuer}/status-lists/{{id}}", handler=self.document, tag="Keys and discovery",
                  summary="Which tokens have ended: a status list, or `cuts`", caller="anyone", browser=True,
                  bucket="browser", answers={200: None}, media="application/statuslist+jwt",
                  codes=("NOT_FOUND", "JWT_CONFIGURATION_ERROR"),
                  note="Signed by the issuer. Send `If-None-Match`: 304 says that nothing has changed.")
            for issuer in _ISSUER_PATHS
        ]  # fmt: skip
