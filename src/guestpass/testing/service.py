"""A Guestpass in memory, as far as verifiers ask one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Self
from urllib.parse import parse_qs

import httpx2

from guestpass.core import ids
from guestpass.core.tokens.kinds import Environment
from guestpass.testing.clock import FakeClock
from guestpass.testing.issuer import Algorithm, FakeIssuer
from guestpass.verify import Verifier

BASE_URL = "https://guestpass.test"
KEYS_MAX_AGE_SECONDS = 60


class FakeGuestpass:
    """Answers what a real server would, from memory. Closing it closes the verifiers of its issuers.

    Attributes:
        clock: Of all its issuers.
        asked: The paths of the requests that came, in order.
        http_client: Reaches this service and nothing else.
    """

    def __init__(self, base_url: str = BASE_URL, *, clock: FakeClock | None = None) -> None:
        self.base_url = base_url
        self.clock = clock or FakeClock()
        self.asked: list[str] = []
        self.http_client = httpx2.Client(transport=httpx2.MockTransport(self._answer))
        self._issuers: dict[str, FakeIssuer] = {}
        self._verifiers: list[Verifier] = []
        self._lock = threading.Lock()
        self._stand_in: Callable[[httpx2.Request], httpx2.Response | None] | None = None

    def issuer(
        self,
        environment: Environment = "test",
        *,
        project_id: str | None = None,
        algorithm: Algorithm = "ES256",
        audience: str | None = None,
        url: str | None = None,
    ) -> FakeIssuer:
        """Make an issuer: the default project's, or of the project ``proj_…``.

        ``url`` is an ``iss`` of its own, whose keys are published in the usual place all the same.
        """
        place = f"{self.base_url}/{environment}" + (f"/{project_id}" if project_id else "")
        made = FakeIssuer(
            self,
            environment=environment,
            project_id=project_id or ids.encode("proj", hashlib.sha256(place.encode()).digest()[:16]),
            url=url or place,
            location=place,
            algorithm=algorithm,
            audience=audience,
        )
        self._issuers[place] = made
        return made

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Answer nothing within: connections are refused."""

        def refuse(request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectError("connection refused", request=request)

        with self.answering(refuse):
            yield

    @contextlib.contextmanager
    def answering(self, stand_in: Callable[[httpx2.Request], httpx2.Response | None]) -> Iterator[None]:
        """Let ``stand_in`` answer within; where it returns None the service answers."""
        before, self._stand_in = self._stand_in, stand_in
        try:
            yield
        finally:
            self._stand_in = before

    def closing(self, verifier: Verifier) -> Verifier:
        """Close ``verifier`` with the service."""
        self._verifiers.append(verifier)
        return verifier

    def close(self) -> None:
        for verifier in self._verifiers:
            verifier.close()
        self.http_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        with self._lock:
            self.asked.append(request.url.path)
        stood_in = self._stand_in(request) if self._stand_in is not None else None
        if stood_in is not None:
            return stood_in
        if request.method == "POST":
            return self._verdict(request)
        url = str(request.url)
        for issuer in self._issuers.values():
            text = issuer.document(url.removeprefix(issuer.location)) if url.startswith(issuer.location) else None
            if text is not None:
                return _published(text, request)
        return httpx2.Response(404, json={"code": "NOT_FOUND"})

    def _verdict(self, request: httpx2.Request) -> httpx2.Response:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        issuer = next((issuer for issuer in self._issuers.values() if issuer.secret_key == key), None)
        if issuer is None:
            return httpx2.Response(401, json={"code": "UNAUTHORIZED"})
        if request.url.path == "/oauth/introspect":
            token = parse_qs(request.content.decode())["token"][0]
            return httpx2.Response(200, json=issuer.introspect(token))
        if request.url.path == "/v1/tokens/verify":
            code = issuer.why_not(json.loads(request.content)["token"])
            return httpx2.Response(200, json={"valid": code is None, "code": code, "checks": []})
        return httpx2.Response(404, json={"code": "NOT_FOUND"})


def _published(text: str, request: httpx2.Request) -> httpx2.Response:
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
    headers = {"etag": etag, "cache-control": f"public, max-age={KEYS_MAX_AGE_SECONDS}"}
    if request.headers.get("if-none-match") == etag:
        return httpx2.Response(304, headers=headers)
    return httpx2.Response(200, headers=headers, content=text.encode())
