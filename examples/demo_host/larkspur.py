"""Larkspur Ledger, a landlord's invoicing portal: the smallest honest host of Guestpass.

It signs people in (and asks for no password: this is a demo), mints a token for whoever is signed in, answers a
billing API that believes such tokens, and has a desk from which an operator ends them. ``./dev demo`` starts it;
by hand: build js/apps/demo, set GUESTPASS_URL and GUESTPASS_SECRET_KEY, and run this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mimetypes
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from portal import PEOPLE, Login, Portal, Refused

from guestpass import Guestpass
from guestpass.errors import GuestpassError

PAGE = Path(__file__).parents[2] / "js/apps/demo/dist"
PORT = 8788
PORTS_TRIED = 20
BODY_BYTES_MAX = 4096
COOKIE = "larkspur_login"
LOCAL_NAMES = ("127.0.0.1", "localhost")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# As Guestpass answers browsers: any origin, no cookies, and the header exposed that invites one retry.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-Id",
    "Access-Control-Expose-Headers": "Guestpass-Retry, Retry-After, WWW-Authenticate, X-Request-Id",
}
NOTHING_HERE = (404, "NOT_FOUND", "There is nothing here.")
# The token decides, never the cookie: for each call the operation that it needs.
BILLING = {
    ("GET", "/billing/invoices"): "read_invoices",
    ("POST", "/billing/reminders"): "send_reminders",
    ("POST", "/billing/refunds"): "refund_payments",
}
CHANGES = {"send_reminders": "reminded", "refund_payments": "refunded"}


class Handler(BaseHTTPRequestHandler):
    """The portal over HTTP."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    portal: Portal
    files: Mapping[str, tuple[str, bytes]]

    def handle_any(self) -> None:
        path = self.path.partition("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        self.close_connection |= length > BODY_BYTES_MAX
        self.content = self.rfile.read(min(length, BODY_BYTES_MAX))
        if self.headers.get("Host", "").partition(":")[0] not in LOCAL_NAMES:  # a name that was made to lead here
            self.send(421, {"code": "VALIDATION_ERROR", "message": "Ask for 127.0.0.1."})
        elif self.portal.line_cut and (path == "/api/session" or path.startswith("/billing/")):
            self.close_connection = True  # without a word, as a lost network would
        elif self.command == "OPTIONS":
            self.send(204, None, CORS)
        elif self.command == "GET" and path in self.files:
            kind, content = self.files[path]
            self.send(200, content, {"Content-Type": kind, "Cache-Control": "no-cache", "Content-Security-Policy": CSP})
        else:
            self.answer(path)

    do_GET = do_POST = do_OPTIONS = handle_any  # noqa: N815 - the names that http.server looks for

    def answer(self, path: str) -> None:
        is_billing = path.startswith("/billing/")
        headers = {"Cache-Control": "no-store", "Vary": "Cookie, Authorization", **(CORS if is_billing else {})}
        try:
            self.send(200, self.billing(path) if is_billing else self.api(path, headers), headers)
        except Refused as refused:
            self.send(refused.status, refused.body, {**headers, **refused.headers})
        except GuestpassError as error:  # CUSTOMER_BLOCKED is a 403, and the browser's SDK knows what that means
            wait = {"Retry-After": str(error.retry_after_seconds)} if error.retry_after_seconds else {}
            self.send(error.status, {"code": error.code, "message": error.message}, {**headers, **wait})

    def billing(self, path: str) -> Any:
        operation = BILLING.get((self.command, path))
        if operation is None:
            raise Refused(*NOTHING_HERE)
        self.portal.require(self.headers.get("Authorization", ""), operation)
        if operation not in CHANGES:
            return [asdict(invoice) for invoice in self.portal.invoices.values()]
        invoice = self.portal.invoices.get(self.body().get("invoice", ""))
        if invoice is None:
            raise Refused(*NOTHING_HERE)
        invoice.status = CHANGES[operation]
        return asdict(invoice)

    def api(self, path: str, headers: dict[str, str]) -> Any:
        """The business's own endpoints, which know a browser by its cookie."""
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        cookie = morsel.value if morsel else ""
        login = self.portal.logins.get(cookie)
        if (self.command, path) == ("GET", "/api/session"):
            return self.portal.mint(login)
        if (self.command, path) == ("GET", "/api/desk"):
            return self.portal.desk(login)
        if self.command != "POST" or self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise Refused(*NOTHING_HERE)
        return self.post(path, cookie, headers)

    def post(self, path: str, cookie: str, headers: dict[str, str]) -> Any:
        body = self.body()
        if path == "/api/line":
            self.portal.line_cut = body.get("cut") is True
            return {"cut": self.portal.line_cut}
        if path in {"/api/login", "/api/logout"}:
            self.portal.logins.pop(cookie, None)
            headers["Set-Cookie"] = f"{COOKIE}=; Path=/; Max-Age=0"
        if path == "/api/logout":
            return {}
        person = PEOPLE.get(body.get("person", ""))
        if person is None:
            raise Refused(*NOTHING_HERE)
        if path == "/api/login":
            cookie = secrets.token_urlsafe(32)
            self.portal.logins[cookie] = Login(person)
            headers["Set-Cookie"] = f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict"
        else:
            self.portal.act(path.removeprefix("/api/desk/"), person.id)
        return {"person": person.id}

    def body(self) -> dict[str, Any]:
        try:
            body = json.loads(self.content or b"{}")
        except ValueError as fault:
            raise Refused(400, "VALIDATION_ERROR", "The body is not JSON.") from fault
        return body if isinstance(body, dict) else {}

    def send(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in http.server
        """Say nothing: the page has a log of its own."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of an answer is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def listen(port: int | None) -> Server:
    for candidate in range(PORT, PORT + PORTS_TRIED) if port is None else (port,):
        with contextlib.suppress(OSError):
            return Server(("127.0.0.1", candidate), Handler)
    sys.exit("Every port that was tried is taken; choose another with --port.")


def read_page(directory: Path) -> dict[str, tuple[str, bytes]]:
    """Every file of the built page by its path, so that nothing else can be asked for."""
    files = [file for file in directory.rglob("*") if file.is_file()]
    if not files:
        sys.exit(f"There is no page in {directory}; build it with: npm run build --workspace apps/demo")
    by_path = {f"/{file.relative_to(directory).as_posix()}": file for file in files}
    by_path["/"] = by_path.pop("/index.html")
    return {
        path: (mimetypes.guess_type(file.name)[0] or "text/plain", file.read_bytes()) for path, file in by_path.items()
    }


def main() -> None:
    options = argparse.ArgumentParser(description="The demo host; see docs/demo.md.")
    options.add_argument("--port", type=int, help=f"0: any. Default: {PORT}, or the next free one")
    options.add_argument("--page", type=Path, default=PAGE, help="directory of the built page")
    chosen = options.parse_args()
    Handler.files = read_page(chosen.page)
    service = httpx2.Client(base_url=os.environ.get("GUESTPASS_URL", "http://127.0.0.1:8787"))
    Handler.portal = Portal(Guestpass(), service)
    server = listen(chosen.port)
    print(f"\nLarkspur Ledger, a small business app:\n\n  open http://127.0.0.1:{server.server_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
