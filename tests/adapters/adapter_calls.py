"""Call an application as its server would: one request, or one WebSocket, in this process."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import anyio
from werkzeug.test import run_wsgi_app


@dataclass
class Reply:
    """An answer. Header names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]

    def header(self, name):
        found = [value for key, value in self.headers if key == name.lower()]
        assert len(found) <= 1, f"{name} was answered {len(found)} times"
        return found[0] if found else None


class Caller:
    """Sends requests with a token, or with headers as they are given."""

    def get(self, path, token=None, **options):
        return self.request("GET", path, token, **options)

    def post(self, path, token=None, **options):
        return self.request("POST", path, token, **options)

    def request(self, method, path, token=None, *, headers=(), query=""):
        bearer = [] if token is None else [("authorization", f"Bearer {token}")]
        return self._call(method, path, [*bearer, *headers], query)


class AsgiCaller(Caller):
    """Of an ASGI application."""

    def __init__(self, app):
        self.app = app

    def _call(self, method, path, headers, query):
        scope = _scope("http", path, headers, query) | {"method": method}
        start, *bodies = anyio.run(_exchange, self.app, scope, {"type": "http.request", "body": b""})
        found = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Reply(start["status"], found, b"".join(part.get("body", b"") for part in bodies))

    def websocket(self, path, *, subprotocols=(), headers=(), query=""):
        """Connect, and return what was answered, in order."""
        scope = _scope("websocket", path, headers, query) | {"subprotocols": list(subprotocols)}
        return anyio.run(_exchange, self.app, scope, {"type": "websocket.connect"})


class WsgiCaller(Caller):
    """Of a WSGI application. What is sent twice is joined, as servers do."""

    def __init__(self, app):
        self.app = app

    def _call(self, method, path, headers, query):
        environ = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query,
            "SERVER_NAME": "testserver", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        }  # fmt: skip
        for name, value in headers:
            key = "HTTP_" + name.upper().replace("-", "_")
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        body, status, answered = run_wsgi_app(self.app, environ)
        found = [(name.lower(), value) for name, value in answered]
        return Reply(int(status.split()[0]), found, b"".join(body))


def _scope(kind, path, headers, query):
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {
        "type": kind, "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": query.encode(), "headers": raw,
        "client": ("203.0.113.7", 40_000), "server": ("testserver", 80), "state": {}, "extensions": {},
        "scheme": "http" if kind == "http" else "ws",
    }  # fmt: skip


async def _exchange(app, scope, first):
    waiting, answered = [first], []

    async def receive():
        if not waiting:
            await anyio.sleep_forever()  # the client stays, and says nothing more
        return waiting.pop(0)

    async def send(message):
        answered.append(message)

    await app(scope, receive, send)
    return answered
