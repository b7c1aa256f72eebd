"""The two drivers: they sleep and send, and decide nothing. Importing this loads httpx2."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx2

from guestpass.client._http import answer_of, checked_patience, lost_of, open_exchange
from guestpass.client._plan import next_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from guestpass.client._exchange import Exchange
    from guestpass.client._http import Patience
    from guestpass.client._outcome import Answer, Lost, Try
    from guestpass.client._plan import Plan
    from guestpass.client.results import Page

__all__ = ["AsyncCaller", "Caller", "checked_patience", "open_exchange"]

T = TypeVar("T")


class Caller:
    """Makes calls, blocking."""

    def __init__(
        self,
        exchange: Exchange,
        patience: Patience,
        http: httpx2.Client | None,
        sleep: Callable[[float], None],
    ) -> None:
        self.exchange = exchange
        self._patience = patience
        self._owns_http = http is None
        self._http = http or httpx2.Client()
        if self._owns_http:
            # A client that is let go without close() must not leave sockets behind. Async ones cannot: closing awaits.
            weakref.finalize(self, self._http.close)
        self._sleep = sleep

    def call(self, plan: Plan[T]) -> T:
        run = self.exchange.run(plan)
        try:
            attempt = next(run)
            while True:
                attempt = run.send(self._send(attempt))
        except StopIteration as done:
            result: T = done.value
            return result

    def pages(self, first: Plan[Page[T]]) -> Iterator[T]:
        plan: Plan[Page[T]] | None = first
        while plan is not None:
            page = self.call(plan)
            yield from page.data
            plan = next_page(plan, page)

    def close(self) -> None:
        if self._owns_http:
            self._http.close()

    def _send(self, attempt: Try) -> Answer | Lost:
        if attempt.wait_seconds:
            self._sleep(attempt.wait_seconds)
        try:
            response = self._http.request(
                attempt.method,
                attempt.url,
                headers=attempt.headers,
                content=attempt.body,
                timeout=self._patience.at_most(attempt.seconds_max).as_timeout(),
                auth=None,
                follow_redirects=False,
            )
        except httpx2.RequestError as error:
            return lost_of(error, self._patience.at_most(attempt.seconds_max))
        return answer_of(response)


class AsyncCaller:
    """Makes calls, awaited; on asyncio and trio."""

    def __init__(
        self,
        exchange: Exchange,
        patience: Patience,
        http: httpx2.AsyncClient | None,
        sleep: Callable[[float], Awaitable[None]] | None,
    ) -> None:
        self.exchange = exchange
        self._patience = patience
        self._owns_http = http is None
        self._http = http or httpx2.AsyncClient()
        self._sleep = sleep or anyio.sleep

    async def call(self, plan: Plan[T]) -> T:
        run = self.exchange.run(plan)
        try:
            attempt = next(run)
            while True:
                attempt = run.send(await self._send(attempt))
        except StopIteration as done:
            result: T = done.value
            return result

    async def pages(self, first: Plan[Page[T]]) -> AsyncIterator[T]:
        plan: Plan[Page[T]] | None = first
        while plan is not None:
            page = await self.call(plan)
            for item in page.data:
                yield item
            plan = next_page(plan, page)

    async def close(self) -> None:
        if self._owns_http:
            await self._http.aclose()

    async def _send(self, attempt: Try) -> Answer | Lost:
        if attempt.wait_seconds:
            await self._sleep(attempt.wait_seconds)
        try:
            response = await self._http.request(
                attempt.method,
                attempt.url,
                headers=attempt.headers,
                content=attempt.body,
                timeout=self._patience.at_most(attempt.seconds_max).as_timeout(),
                auth=None,
                follow_redirects=False,
            )
        except httpx2.RequestError as error:
            return lost_of(error, self._patience.at_most(attempt.seconds_max))
        return answer_of(response)
