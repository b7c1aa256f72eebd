"""One request at a time against the ASGI application, as a server would hand it on.

It sends exactly what it is given, however wrong; and it holds every answer to the rules that hold for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from guestpass.errors import ERRORS
from guestpass.server.http.application import Application
from guestpass.server.http.errors import status_of

BASE_URL = "http://127.0.0.1:8787"
_ERROR_FIELDS = {"code", "message", "docUrl", "requestId"}


@dataclass(frozen=True)
class Reply:
    """An answer as it came off the wire."""

    method: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code; an answer that is none fails the test."""
        assert self.status >= 400, f"{self.status} is no refusal: {self.body[:200]!r}"
        return self.json["code"]

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name.lower()]
        assert len(found) <= 1, f"{name} was answered {len(found)} times"
        return found[0] if found else None


class Http:
    """Calls the application as a server would; sends exactly the bytes it is given, however wrong they are."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Reply:
        return await self.request("POST", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> Reply:
        return await self.request("DELETE", path, **options)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | Sequence[bytes] | None = None,
        bearer: str | None = None,
        query: str | dict[str, Any] = "",
        headers: Sequence[tuple[str, str | bytes]] | dict[str, str] = (),
        peer: str | None = "203.0.113.7",
        raw_path: str | None = None,
    ) -> Reply:
        """Make one request.

        Args:
            path: As the application sees it, percent-decoding done; ``raw_path``: as it was sent, where that differs.
            headers: A body's length, or that it comes in chunks, is added where they do not say either.
            json: A body of the right media type. ``body``: raw bytes, or several chunks; no media type is added.
            peer: The address at the other end of the connection; None: a Unix socket.
            query: Text as it stands in the URL, or parameters.
        """
        sent = list(headers.items() if isinstance(headers, dict) else headers)
        if bearer is not None:
            sent.append(("authorization", f"Bearer {bearer}"))
        if json is not None:
            body = _encode(json)
            sent.append(("content-type", "application/json"))
        chunks = [body or b""] if body is None or isinstance(body, bytes) else list(body)
        sent += _framing(body, sent)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": (raw_path or path).encode(errors="surrogateescape"),
            "root_path": "",
            "query_string": (query if isinstance(query, str) else urlencode(query)).encode("utf-8", "surrogatepass"),
            "headers": [(name.lower().encode(), _bytes(value)) for name, value in sent],
            "client": peer and (peer, 40_000),
            "server": ("127.0.0.1", 8787),
        }
        return await self._exchange(scope, chunks)

    async def _exchange(self, scope: dict[str, Any], chunks: list[bytes]) -> Reply:
        waiting = [
            {"type": "http.request", "body": chunk, "more_body": position < len(chunks) - 1}
            for position, chunk in enumerate(chunks)
        ]
        answered: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answered.append(message)

        await self._app(scope, receive, send)
        start, *bodies = answered
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        reply = Reply(scope["method"], start["status"], headers, b"".join(part["body"] for part in bodies))
        _hold_to_the_rules_of_every_answer(reply)
        return reply


def _hold_to_the_rules_of_every_answer(reply: Reply) -> None:
    """A request id, a right length, one shape for every error with an address that explains it, retry where promised."""
    assert reply.header("x-request-id"), "every answer has X-Request-Id"
    assert reply.header("content-length") == (str(len(reply.body)) if reply.status not in (204, 304) else None)
    assert all(name == name.lower() for name, _ in reply.headers)
    if reply.status < 400:
        return
    error = reply.json
    assert error.keys() - {"details", "error", "error_description"} == _ERROR_FIELDS, error
    assert ("error" in error) == ("error_description" in error), "OAuth routes say both, all others neither"
    assert status_of(ERRORS[error["code"]], oauth="error" in error) == reply.status, error
    assert error["message"].strip(), error
    assert error["docUrl"] == f"{BASE_URL}/docs/errors#{error['code']}"
    assert error["requestId"] == reply.header("x-request-id")
    assert error.get("details") != [], "no details is no member"
    assert all(detail.keys() == {"path", "message"} for detail in error.get("details", ()))
    assert reply.header("content-type") == "application/json"
    assert reply.header("cache-control") == "no-store"
    assert (reply.header("www-authenticate") is not None) == (
        reply.status == 401 or error["code"] == "OPERATION_NOT_ALLOWED"
    )
    assert (reply.header("retry-after") is not None) == (reply.status in (429, 503))
    assert (reply.header("allow") is not None) == (reply.status == 405)


def _framing(
    body: bytes | Sequence[bytes] | None, sent: list[tuple[str, str | bytes]]
) -> list[tuple[str, str | bytes]]:
    """Say how long the body is, as every client does; several chunks come without a length (RFC 9112 section 6)."""
    if (not body and isinstance(body, bytes | None)) or any(name.lower() == "content-length" for name, _ in sent):
        return []
    return [("content-length", str(len(body)))] if isinstance(body, bytes) else [("transfer-encoding", "chunked")]


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
