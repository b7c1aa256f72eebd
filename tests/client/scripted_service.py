"""A Guestpass server that says what a test scripted, and the host that calls it with either client.

Calls are real up to the transport: nothing is patched.
"""

from __future__ import annotations

import inspect
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio
import httpx2

from guestpass.client import AsyncGuestpass, Guestpass
from guestpass.client._exchange import Seams

SECRET_KEY = "sk_test_" + "N0tARea1Secret" * 3
TOKEN = "gp_session_test_eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c2VyXzQyIn0.c2lnbmF0dXJl"
SESSION_ID = "sess_01jd9x3m5n7p8q9r0s1t2v3w4x"
CUSTOMER_ID = "cust_01jd9x3m5n7p8q9r0s1t2v3w4x"

MINTED = {
    "id": SESSION_ID,
    "sessionToken": TOKEN,
    "expiresAt": "2026-11-21T11:00:00Z",
    "expiresIn": 3600,
    "issuedAt": "2026-11-21T10:00:00Z",
    "environment": "test",
    "externalUserId": "user_42",
    "allowedOperations": ["*"],
}
LISTED = {
    "id": SESSION_ID,
    "environment": "test",
    "status": "active",
    "renewable": False,
    "format": "jwt",
    "customerId": CUSTOMER_ID,
    "externalUserId": "user_42",
    "externalOrganizationId": None,
    "allowedOperations": ["read_invoices"],
    "metadata": {"plan": "pro"},
    "apiKeyId": "key_1",
    "issuedAt": "2026-11-21T10:00:00Z",
    "notBefore": None,
    "expiresAt": "2026-11-21T11:00:00Z",
    "lastRefreshedAt": None,
    "revokedAt": None,
    "revokedBy": None,
}

Reply = httpx2.Response | Exception


def reply(status: int, body: Any = None, **headers: str) -> httpx2.Response:
    """An answer with a JSON body; ``retry_after="3"`` becomes ``Retry-After: 3``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers=named, json=body)


def refusal(status: int, code: str, message: str = "No.", **headers: str) -> httpx2.Response:
    return reply(status, {"code": code, "message": message, "docUrl": "https://docs", "requestId": "req_1"}, **headers)


class ScriptedService:
    """Gives its replies in order, the last for ever, and keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.requests: list[httpx2.Request] = []

    def will(self, *replies: Reply) -> None:
        self.replies = deque(replies)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        next_one = self.replies[0] if len(self.replies) == 1 else self.replies.popleft()
        if isinstance(next_one, Exception):
            raise next_one
        # A copy: a response is read once, but the last is given for ever.
        return httpx2.Response(next_one.status_code, headers=next_one.headers, content=next_one.content)

    @property
    def last(self) -> httpx2.Request:
        return self.requests[-1]

    @property
    def last_body(self) -> Any:
        return json.loads(self.last.content) if self.last.content else None

    def heard(self, header: str) -> list[str | None]:
        return [request.headers.get(header) for request in self.requests]


class Host:
    """A business's backend with one client, sync or async; its sleep only notes how long."""

    def __init__(self, kind: str, service: ScriptedService) -> None:
        self.kind = kind
        self.service = service
        self.slept: list[float] = []
        self.chance = 0.0
        self.now = 1_800_000_000.0
        self.gp = self.client()

    def client(self, **options: Any) -> Any:
        options = {"secret_key": SECRET_KEY, "base_url": "http://guestpass.test"} | options
        seams = Seams(chance=lambda: self.chance, now=lambda: self.now)
        transport = httpx2.MockTransport(self.service.answer)
        if self.kind == "sync":
            http = httpx2.Client(transport=transport, follow_redirects=True)  # ours must not
            return Guestpass(**options, http_client=http, sleep=self.slept.append, seams=seams)
        http = httpx2.AsyncClient(transport=transport, follow_redirects=True)
        return AsyncGuestpass(**options, http_client=http, sleep=self._note, seams=seams)

    async def _note(self, seconds: float) -> None:
        self.slept.append(seconds)

    def do(self, call: Callable[[Any], Any], *, gp: Any = None) -> Any:
        """Make a call with the client, whichever kind it is, and return what it answers."""
        return anyio.run(self._do, call, gp or self.gp) if self.kind == "async" else call(gp or self.gp)

    async def _do(self, call: Callable[[Any], Any], gp: Any) -> Any:
        result = call(gp)
        if inspect.isasyncgen(result):
            return [item async for item in result]
        return await result

    def all(self, call: Callable[[Any], Any]) -> list[Any]:
        """Make a call that lists, and return all it lists."""
        return list(self.do(call))

    def mint(self, **options: Any) -> Any:
        return self.do(lambda gp: gp.create_session_token(external_user_id="user_42", **options))
