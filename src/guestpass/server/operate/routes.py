"""Health, metrics, and the API's description of itself."""

from __future__ import annotations

from dataclasses import replace

from guestpass.errors import NotFound, Unavailable
from guestpass.server.clock import Clock
from guestpass.server.http import docs_page, openapi
from guestpass.server.http.exchange import Answer, Exchange, Headers, answer
from guestpass.server.http.peer import is_this_machine
from guestpass.server.http.routes import Handler, Route, RouteTable
from guestpass.server.storage import migrate
from guestpass.server.storage.store import Store, Transaction
from guestpass.server.tally import Tally

_METRICS_ELSEWHERE = (
    "Metrics are shown here only to a client on the server's own machine, while the public URL names that machine. "
    "The setting internal_listen gives them a port of their own."
)
_HTML: Headers = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
)

CLOCKS_APART_SECONDS_MAX = 5  # between servers of one store


class OperateRoutes:
    def __init__(self, store: Store, clock: Clock, tally: Tally, base_url: str) -> None:
        self._store = store
        self._clock = clock
        self._tally = tally
        self._base_url = base_url
        self._openapi = b""
        self._docs = b""
        self._errors = b""

    def describe(self, table: RouteTable) -> None:
        """Write the description of ``table`` once; it does not change while the server runs."""
        description = openapi.describe(table, self._base_url)
        self._openapi = openapi.encode(description)
        self._docs = docs_page.api_page(description).encode()
        self._errors = docs_page.errors_page().encode()

    async def health(self, _: Exchange) -> Answer:
        return answer({"status": "ok"})

    async def ready(self, _: Exchange) -> Answer:
        schema, store_ms = await self._store.read(_schema_and_clock)
        apart = self._clock() - store_ms / 1000
        if abs(apart) > CLOCKS_APART_SECONDS_MAX:
            raise Unavailable(
                f"This server's clock is {abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} the store's; "
                f"at most {CLOCKS_APART_SECONDS_MAX} s are allowed. Set the clocks by NTP."
            )
        return answer(migrate.readiness(schema))

    async def metrics(self, _: Exchange) -> Answer:
        from guestpass.server.operate import metrics  # noqa: PLC0415 - a server that nobody asks does without

        page, headers = metrics.page(self._tally)
        return Answer(200, page, headers)

    async def metrics_from_here(self, call: Exchange) -> Answer:
        if not is_this_machine(call.peer, call.headers, self._base_url):
            raise NotFound(_METRICS_ELSEWHERE)
        return await self.metrics(call)

    async def openapi(self, _: Exchange) -> Answer:
        return Answer(200, self._openapi)

    async def docs(self, _: Exchange) -> Answer:
        return Answer(200, self._docs, _HTML)

    async def errors(self, _: Exchange) -> Answer:
        return Answer(200, self._errors, _HTML)

    def table(self, *, metrics_apart: bool) -> list[Route]:
        """Return the routes of the public port; ``metrics_apart``: metrics have a port of their own."""
        return [
            *self._health(),
            *([] if metrics_apart else [_metrics_at(self.metrics_from_here)]),
            _page("/openapi.json", self.openapi, "This description", dict),
            _page("/docs", self.docs, "This description, for people", None),
            _page("/docs/errors", self.errors, "Every error code, for people", None),
        ]

    def internal_table(self) -> list[Route]:
        """Return the routes of the internal port."""
        return [*self._health(), _metrics_at(self.metrics)]

    def _health(self) -> list[Route]:
        return [
            _page("/healthz", self.health, "The process answers", dict),
            _page("/readyz", self.ready, "The store answers and has the schema that this version needs", dict),
        ]


def _page(path: str, handler: Handler, summary: str, shape: type | None) -> Route:
    return Route(
        method="GET", path=path, handler=handler, summary=summary, tag="Operation", caller="anyone",
        answers={200: shape}, codes=("UNAVAILABLE",),
    )  # fmt: skip


def _metrics_at(handler: Handler) -> Route:
    return replace(
        _page("/metrics", handler, "Metrics, for Prometheus", None),
        media="text/plain",
        codes=("NOT_FOUND",),
        note="For clients on the server's own machine, until `GUESTPASS_INTERNAL_LISTEN` moves it to a port of its own.",
    )


async def _schema_and_clock(tx: Transaction) -> tuple[migrate.Schema, int]:
    return await migrate.schema_of(tx), await tx.now_ms()
