"""One write an answer.

uvicorn writes the head of an answer and its body apart. Each write is a call to the kernel that wakes the client, and
beside a quiet client those two cost more than all that a read route does between them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class GatheringTransport:
    """A transport that writes once what was written within one turn of the event loop; all else is the inner one's."""

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._gathered: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._gathered:
            self._loop.call_soon(self._write_all)
        self._gathered.append(data)

    def close(self) -> None:
        self._write_all()
        self._inner.close()

    def _write_all(self) -> None:
        if self._gathered and not self._inner.is_closing():
            self._inner.write(b"".join(self._gathered))
        self._gathered.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 over httptools, with gathered writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]
