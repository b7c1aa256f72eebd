"""Health, and the API's description of itself."""

from __future__ import annotations

from guestpass.server.http import docs_page, openapi
from guestpass.server.http.exchange import Answer, Exchange, Headers, answer
from guestpass.server.http.routes import Route, RouteTable
from guestpass.server.storage import migrate
from guestpass.server.storage.store import Store

_HTML: Headers = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
)


class OperateRoutes:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._openapi = b""
        self._docs = b""
        self._errors = b""

    def describe(self, table: RouteTable, base_url: str) -> None:
        """Write the description of ``table`` once; it does not change while the server runs."""
        description = openapi.describe(table, base_url)
        self._openapi = openapi.encode(description)
        self._docs = docs_page.api_page(description).encode()
        self._errors = docs_page.errors_page().encode()

    async def health(self, _: Exchange) -> Answer:
        return answer({"status": "ok"})

    async def ready(self, _: Exchange) -> Answer:
        schema = await self._store.read(migrate.schema_of)
        return answer(migrate.readiness(schema))

    async def openapi(self, _: Exchange) -> Answer:
        return Answer(200, self._openapi)

    async def docs(self, _: Exchange) -> Answer:
        return Answer(200, self._docs, _HTML)

    async def errors(self, _: Exchange) -> Answer:
        return Answer(200, self._errors, _HTML)

    def table(self) -> list[Route]:
        """Return the routes of this room."""
        pages = (
            ("/healthz", self.health, "The process answers", dict),
            ("/readyz", self.ready, "The store answers and has the schema that this version needs", dict),
            ("/openapi.json", self.openapi, "This description", dict),
            ("/docs", self.docs, "This description, for people", None),
            ("/docs/errors", self.errors, "Every error code, for people", None),
        )
        return [
            Route(method="GET", path=path, handler=handler, summary=summary, tag="Operation", caller="anyone",
                  answers={200: shape}, codes=("UNAVAILABLE",))
            for path, handler, summary, shape in pages
        ]  # fmt: skip
