"""What is asked of the network, and what comes back. The one who asks is in ``fetching``, which loads httpx2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Fetched(NamedTuple):
    """An answer, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FetchFailedError(Exception):
    """No usable answer came. The text says why, for people; it holds no credential."""


class Fetcher(Protocol):
    """Sends requests, blocking, from any thread. Every method may raise ``FetchFailedError``."""

    def get(self, url: str, *, bytes_max: int, etag: str | None = None) -> Fetched: ...

    def post_form(self, url: str, form: Mapping[str, str], *, secret_key: str, bytes_max: int) -> Fetched: ...

    def post_json(self, url: str, value: object, *, secret_key: str, bytes_max: int) -> Fetched: ...
