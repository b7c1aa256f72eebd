"""HTTP requests as data: sent once from here to see that they work, then repeated by wrk byte for byte."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN_SLOT = "@TOKEN@"  # where wrk writes the token that is to be refreshed
LENGTH_SLOT = "@LENGTH@"
USER_SLOT = "000000000"  # where wrk writes the number of the user; nine digits keep the length


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""

    def raw(self, port: int, *, length: str = "") -> bytes:
        """The bytes on the wire, for HTTP/1.1 with the connection kept. ``length``: in place of the body's own."""
        headers = {"Host": f"127.0.0.1:{port}", **self.headers}
        if length or self.body:
            headers["Content-Length"] = length or str(len(self.body.encode()))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", self.body]).encode()


def ask(port: int, requests: Iterable[Request]) -> list[dict[str, Any]]:
    """Send ``requests`` over one connection; return the answers, or end the run at the first that is not a 2xx."""
    answered = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for request in requests:
            connection.request(request.method, request.path, request.body or None, request.headers)
            response = connection.getresponse()
            text = response.read().decode()
            if not 200 <= response.status < 300:
                raise SystemExit(f"{request.method} {request.path} was answered {response.status}: {text[:500]}")
            answered.append(json.loads(text))
    finally:
        connection.close()
    return answered
