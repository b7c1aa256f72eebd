"""The one place of the verifying half that goes out to the network. Importing this loads httpx2.

No redirect is followed, no body is read beyond its bound, nothing compressed is accepted, and no call lasts longer
than its deadline, however slowly the other side drips.
"""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlencode

import httpx2

from guestpass.verify.asking import Fetched, FetchFailedError

CONNECT_SECONDS = 2.0
SILENCE_SECONDS = 3.0
DEADLINE_SECONDS = 5.0


class HttpFetcher:
    """Sends requests over httpx2. ``client`` is the user's own, and stays his."""

    def __init__(self, client: httpx2.Client | None) -> None:
        self._given = client
        self._own: httpx2.Client | None = None
        self._lock = threading.Lock()

    def get(self, url: str, *, bytes_max: int, etag: str | None = None) -> Fetched:
        return self._send("GET", url, {"If-None-Match": etag} if etag else {}, None, bytes_max)

    def post_form(self, url: str, form: Mapping[str, str], *, secret_key: str, bytes_max: int) -> Fetched:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Bearer {secret_key}"}
        return self._send("POST", url, headers, urlencode(form).encode(), bytes_max)

    def post_json(self, url: str, value: object, *, secret_key: str, bytes_max: int) -> Fetched:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret_key}"}
        return self._send("POST", url, headers, json.dumps(value).encode(), bytes_max)

    def close(self) -> None:
        if self._own is not None:
            self._own.close()

    def forget_connections(self) -> None:
        """Let go of sockets that another process uses too, after a fork; nothing is sent on them."""
        self._own = None
        self._lock = threading.Lock()

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, bytes_max: int
    ) -> Fetched:
        sent = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": user_agent(), **headers}
        try:
            with self._client().stream(
                method,
                url,
                headers=sent,
                content=content,
                timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
                auth=None,
                follow_redirects=False,
            ) as response:
                return Fetched(response.status_code, dict(response.headers), _body_of(response, bytes_max))
        except httpx2.TimeoutException:
            why = f"no answer within {SILENCE_SECONDS:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, RuntimeError, ValueError) as fault:
            # RuntimeError: the client was closed by whoever gave it. ValueError: an etag that no header can carry.
            # The request, which may hold a key, is let go.
            why = str(fault) or type(fault).__name__
        raise FetchFailedError(why)

    def _client(self) -> httpx2.Client:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._own is None:
                self._own = httpx2.Client()
                weakref.finalize(self, self._own.close)  # who lets go of a verifier without close() leaves no sockets
            return self._own


def _body_of(response: httpx2.Response, bytes_max: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise FetchFailedError("the answer is compressed, which was not asked for")
    deadline = time.monotonic() + DEADLINE_SECONDS
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > bytes_max:
            raise FetchFailedError(f"the answer is longer than {bytes_max} bytes")
        if time.monotonic() > deadline:
            raise FetchFailedError(f"the answer took longer than {DEADLINE_SECONDS:g} s")
    return bytes(body)


def user_agent() -> str:
    try:
        return f"guestpass-python/{version('guestpass')}"
    except PackageNotFoundError:  # a vendored copy
        return "guestpass-python"
