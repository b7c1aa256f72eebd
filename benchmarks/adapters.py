"""What a protected route costs above the same route without protection, for a token that was seen before.

    python benchmarks/adapters.py [--rounds N] [--requests N]

Starlette and Flask, called in process, without a socket: a server would add the same to both. The bare route and the
protected one take turns in every round. Told is processor time of the thread, which a busy neighbour changes least. Before
the clock starts the protected route must refuse a request without a token, with a wrong one, and without the operation.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import time
from typing import Any

from harness import FOLDER, machine, report  # isort: split

from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import guestpass.asgi
import guestpass.flask
from guestpass.testing import FakeClock, FakeGuestpass
from guestpass.testing.issuer import FakeIssuer

GOAL_US = 15
OPERATION = "read_invoices"
BARE, PROTECTED = "/bare", "/protected"
# What a browser sends beside the token.
OTHER_HEADERS = {
    "host": "api.example.com", "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "accept": "application/json",
    "accept-language": "en", "accept-encoding": "gzip, br", "origin": "https://shop.example.com", "connection": "keep-alive",
}  # fmt: skip


class InStarlette:
    """Two routes that differ in the middleware alone."""

    def __init__(self, issuer: FakeIssuer) -> None:
        auth = guestpass.asgi.SessionAuth(issuer.verifier(clock=time.time))

        async def answer(_: object) -> PlainTextResponse:
            return PlainTextResponse("invoices")

        protected = Route(PROTECTED, answer, middleware=[Middleware(auth.require(OPERATION))])
        self._app = Starlette(routes=[Route(BARE, answer), protected])
        self._loop = asyncio.new_event_loop()

    def take_turn(self, path: str, tokens: list[str]) -> float:
        return self._loop.run_until_complete(self._turn(path, tokens))

    async def _turn(self, path: str, tokens: list[str]) -> float:
        requests = [_scope(path, token) for token in tokens]
        before = time.thread_time_ns()
        for scope in requests:
            await self._app(scope, _receive, _send)
        return (time.thread_time_ns() - before) / len(tokens)

    def status(self, path: str, token: str | None) -> int:
        answered: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            answered.append(message)

        self._loop.run_until_complete(self._app(_scope(path, token), _receive, send))
        return answered[0]["status"]

    def close(self) -> None:
        self._loop.close()


class InFlask:
    """Two views that differ in the decorator alone."""

    def __init__(self, issuer: FakeIssuer) -> None:
        auth = guestpass.flask.SessionAuth(issuer.verifier(clock=time.time))
        self._app = Flask("invoices")

        def answer() -> str:
            return "invoices"

        self._app.add_url_rule(BARE, "bare", answer)
        self._app.add_url_rule(PROTECTED, "protected", auth.require(OPERATION)(answer))

    def take_turn(self, path: str, tokens: list[str]) -> float:
        requests = [_environ(path, token) for token in tokens]
        app = self._app.wsgi_app
        before = time.thread_time_ns()
        for environ in requests:
            b"".join(app(environ, _start_response))
        return (time.thread_time_ns() - before) / len(tokens)

    def status(self, path: str, token: str | None) -> int:
        found: list[str] = []
        self._app.wsgi_app(_environ(path, token), lambda status, _, __=None: found.append(status))
        return int(found[0].split()[0])

    def close(self) -> None:
        """Hold nothing."""


def _scope(path: str, token: str | None) -> dict[str, Any]:
    headers = [(name.encode(), value.encode()) for name, value in OTHER_HEADERS.items()]
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": headers, "client": ("192.0.2.1", 4000),
        "server": ("127.0.0.1", 8000),
    }  # fmt: skip


def _environ(path: str, token: str | None) -> dict[str, Any]:
    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in OTHER_HEADERS.items()},
    }  # fmt: skip
    if token is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return environ


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b""}


async def _send(_: dict[str, Any]) -> None:
    pass


def _start_response(*_: object) -> None:
    pass


def main() -> None:
    options = parse()
    os.sched_setaffinity(0, {options.core})
    results = machine.describe("guestpass", "starlette", "flask")
    results["load"] = {"rounds": options.rounds, "requests_a_turn": options.requests, "core": options.core}
    with FakeGuestpass(clock=FakeClock(time.time())) as service:
        issuer = service.issuer()
        frameworks = {"Starlette": InStarlette(issuer), "Flask": InFlask(issuer)}
        results["frameworks"] = {name: measure(one, issuer, options) for name, one in frameworks.items()}
    path = report.write("adapters", results)
    rows = [
        (name, *(figures[part]["median"] for part in ("bare_us", "protected_us", "cost_us", "ratio")))
        for name, figures in results["frameworks"].items()
    ]
    print(report.table(("", "bare us", "protected us", "cost us", "protected / bare"), rows))
    print(f"\ngoal: {GOAL_US} us\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=500, help="with distinct tokens, once each a turn (500)")
    parser.add_argument("--core", type=int, default=0)
    return parser.parse_args()


def measure(framework: InStarlette | InFlask, issuer: FakeIssuer, options: argparse.Namespace) -> dict[str, Any]:
    tokens = [issuer.mint(f"user_{number}", operations=[OPERATION]) for number in range(options.requests)]
    prove(framework, issuer, tokens[0])
    for path in (BARE, PROTECTED):
        framework.take_turn(path, tokens)  # the caches fill; not counted
    bare, protected = [], []
    for _ in range(options.rounds):
        bare.append(framework.take_turn(BARE, tokens) / 1000)
        protected.append(framework.take_turn(PROTECTED, tokens) / 1000)
    framework.close()
    pairs = list(zip(bare, protected, strict=True))
    return {
        "bare_us": report.spread(bare),
        "protected_us": report.spread(protected),
        "cost_us": report.spread([much - little for little, much in pairs]),
        "ratio": report.spread([much / little for little, much in pairs]),
    }


def prove(framework: InStarlette | InFlask, issuer: FakeIssuer, good: str) -> None:
    """See that what is measured lets in and refuses as it should."""
    bad = {None: 401, good[:-4] + "AAAA": 401, issuer.mint(operations=["another"]): 403}
    for token, status in {good: 200, **bad}.items():
        found = framework.status(PROTECTED, token)
        if found != status:
            raise SystemExit(f"the protected route answers {found} where it is to answer {status}")


if __name__ == "__main__":
    main()
