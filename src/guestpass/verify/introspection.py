"""Asking the server about a token (RFC 7662), and why where it is not active."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import msgspec
from msgspec import Struct

from guestpass.core.tokens.claims import SessionClaims
from guestpass.errors import ERRORS, TokenError, TokenRevoked, Unavailable
from guestpass.verify.asking import Fetched, Fetcher, FetchFailedError
from guestpass.verify.documents import RETRY_SECONDS, age_of

ANSWER_BYTES_MAX = 64 * 1024

T = TypeVar("T")


class _Activity(Struct, frozen=True, kw_only=True):
    active: bool


class _Verdict(Struct, frozen=True, kw_only=True):
    valid: bool
    code: str | None = None


class Introspection:
    """The server's endpoints for one API key. An answer is never kept: it counts for the one request that asked."""

    def __init__(self, base: str, secret_key: str, fetcher: Fetcher, tick: Callable[[], float]) -> None:
        self.url = f"{base}/oauth/introspect"
        self._verdict_url = f"{base}/v1/tokens/verify"
        self._secret_key = secret_key
        self._fetcher = fetcher
        self._tick = tick
        self._failed_at: float | None = None

    def failed_lately(self) -> bool:
        """Say whether who can do without an answer had better."""
        return age_of(self._failed_at, self._tick()) < RETRY_SECONDS

    def ask(self, token: str) -> SessionClaims:
        """Return what an active token stands for; the use of one with ``max_uses`` is counted. Blocking.

        Raises: TokenError with the server's reason where it is not active; Unavailable.
        """
        fetched = self._send(
            lambda: self._fetcher.post_form(
                self.url, {"token": token}, secret_key=self._secret_key, bytes_max=ANSWER_BYTES_MAX
            )
        )
        if self._read(fetched, _Activity).active:
            return self._read(fetched, SessionClaims)
        raise self._reason(token)

    def _reason(self, token: str) -> TokenError:
        """Ask why. Without an answer the token counts as revoked, which invites nobody to fetch another."""
        try:
            fetched = self._send(
                lambda: self._fetcher.post_json(
                    self._verdict_url, {"token": token}, secret_key=self._secret_key, bytes_max=ANSWER_BYTES_MAX
                )
            )
            verdict = self._read(fetched, _Verdict)
        except Unavailable:
            verdict = _Verdict(valid=False)
        kind = ERRORS.get(verdict.code or "")
        if kind is not None and issubclass(kind, TokenError):
            return kind()
        return TokenRevoked("The server says that the token is not active.")

    def _send(self, send: Callable[[], Fetched]) -> Fetched:
        try:
            fetched = send()
        except FetchFailedError as fault:
            raise self._unavailable(str(fault)) from None
        if fetched.status != HTTPStatus.OK:
            why = f"it answered {fetched.status}"
            if fetched.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                why += "; the API key must be of this issuer, and may verify"
            raise self._unavailable(why)
        self._failed_at = None
        return fetched

    def _read(self, fetched: Fetched, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(fetched.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # raised outside: the decoder's error would carry the body along
        raise self._unavailable("its answer is not Guestpass's")

    def _unavailable(self, why: str) -> Unavailable:
        self._failed_at = self._tick()
        return Unavailable(f"Could not ask {self.url}: {why}.", retry_after_seconds=int(RETRY_SECONDS))
