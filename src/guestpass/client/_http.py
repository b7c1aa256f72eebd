"""What both clients share at the edge to httpx2. It imports httpx2: load it when a client is made, not before."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import httpx2

from guestpass.client._exchange import Exchange, Seams
from guestpass.client._outcome import Answer, Lost
from guestpass.client._retry import MAX_RETRIES_MAX, RetryPolicy
from guestpass.client._settings import read_connection, refused_url
from guestpass.errors import Detail, ValidationFailed


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try may take.

    Attributes:
        timeout_seconds: Of silence while sending or waiting for the answer.
        connect_timeout_seconds: To reach the server, TLS included.
    """

    timeout_seconds: float
    connect_timeout_seconds: float

    def at_most(self, seconds_max: float | None) -> Patience:
        """Return this patience, or less of it."""
        if seconds_max is None:
            return self
        return Patience(min(self.timeout_seconds, seconds_max), min(self.connect_timeout_seconds, seconds_max))

    def as_timeout(self) -> httpx2.Timeout:
        return httpx2.Timeout(self.timeout_seconds, connect=self.connect_timeout_seconds)


def open_exchange(
    secret_key: str | None, base_url: str | None, signing_key_id: str | None, *, max_retries: int, seams: Seams | None
) -> Exchange:
    """Return how calls are made with these arguments and the environment; raise what is wrong with them."""
    seams = seams or Seams()
    connection = read_connection(secret_key, base_url, signing_key_id)
    try:
        # As the transport will spell it: a signature covers the path that is sent.
        connection = replace(connection, base_url=str(httpx2.URL(connection.base_url)).rstrip("/"))
    except httpx2.InvalidURL:
        raise refused_url("must be an address like https://guestpass.example.com") from None
    policy = RetryPolicy(max_retries=checked_retries(max_retries), chance=seams.chance, now=seams.now)
    return Exchange(connection=connection, retries=policy, user_agent=user_agent(), seams=seams)


def user_agent() -> str:
    try:
        return f"guestpass-python/{version('guestpass')}"
    except PackageNotFoundError:  # a vendored copy
        return "guestpass-python"


def checked_patience(timeout_seconds: float, connect_timeout_seconds: float) -> Patience:
    for name, given in (("timeout_seconds", timeout_seconds), ("connect_timeout_seconds", connect_timeout_seconds)):
        # Zero or infinity would mean "never" or "for ever" to the transport.
        if not (isinstance(given, int | float) and math.isfinite(given) and given > 0):
            raise refused(name, "must be a number of seconds above 0")
    return Patience(timeout_seconds, connect_timeout_seconds)


def checked_retries(max_retries: int) -> int:
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or not 0 <= max_retries <= MAX_RETRIES_MAX:
        raise refused("max_retries", f"must be a whole number from 0 to {MAX_RETRIES_MAX}")
    return max_retries


def refused(name: str, rule: str) -> ValidationFailed:
    return ValidationFailed(f"{name} {rule}.", details=(Detail(name, rule),))


def answer_of(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


def lost_of(error: httpx2.RequestError, patience: Patience) -> Lost:
    """Say in words why no answer came. The error itself is let go: it holds the request, and that the key."""
    match error:
        case httpx2.ConnectTimeout():
            return Lost(f"no connection within {patience.connect_timeout_seconds:g} s")
        case httpx2.PoolTimeout():
            return Lost(f"every connection of this client stayed busy for {patience.timeout_seconds:g} s")
        case httpx2.TimeoutException():
            return Lost(f"silence for {patience.timeout_seconds:g} s; what was asked may have been done")
        case httpx2.ConnectError():
            return Lost(f"could not connect ({error}); the server may not run, or GUESTPASS_URL not name it")
        case httpx2.UnsupportedProtocol() | httpx2.LocalProtocolError():
            return Lost(f"the request cannot be sent ({error})", may_pass=False)
        case _:
            return Lost(f"the connection broke ({error}); what was asked may have been done")
