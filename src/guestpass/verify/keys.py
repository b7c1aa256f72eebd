"""The keys that an issuer publishes, as one verifier knows them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from http import HTTPStatus

from guestpass.core import strict_json
from guestpass.core.jose.jwk import KeyRefused
from guestpass.core.jose.jwks import import_key_set
from guestpass.core.tokens.keys import KeySet
from guestpass.verify.asking import Fetched, Fetcher, FetchFailedError
from guestpass.verify.documents import Document, age_of

COOLDOWN_SECONDS = 30.0  # between two fetches for a key that is not known
FORGOTTEN_KID_SECONDS = 300.0  # a key that was not found once is not looked for again so long; a refresh still finds it
FORGOTTEN_KIDS_MAX = 1000
STALE_SECONDS = 3600.0  # since the last fetch that succeeded
FRESH_SECONDS_DEFAULT, FRESH_SECONDS_MIN, FRESH_SECONDS_MAX = 60.0, 30.0, 3600.0
JWKS_BYTES_MAX = 256 * 1024  # a hundred RSA keys of 8192 bits

NO_KEYS = KeySet([])
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})\b", re.IGNORECASE)
_NOT_KEPT = re.compile(r"\bno-(?:store|cache)\b", re.IGNORECASE)


class PublishedKeys:
    """The key set at ``url``. ``fixed``: keys that were handed over instead; then nothing is ever fetched."""

    def __init__(self, url: str, fetcher: Fetcher, tick: Callable[[], float], fixed: KeySet | None) -> None:
        self.document: Document[KeySet] = Document(url, STALE_SECONDS)
        self.fixed = fixed
        self.is_absent = False  # the server knows no such issuer
        self._fetcher = fetcher
        self._tick = tick
        self._rounds = 0
        self._body = b""
        self._not_found: dict[str, float] = {}
        self.forget_lock()

    def forget_lock(self) -> None:
        """A forked child may have inherited one that somebody holds."""
        self._turn = threading.Lock()

    def current(self, now: float) -> KeySet:
        """Return the keys that count now: none where the issuer is away for longer than stale keys count."""
        if self.fixed is not None:
            return self.fixed
        document = self.document
        return document.copy.value if document.copy is not None and document.usable(now) else NO_KEYS

    def may_look_for(self, kid: str, now: float) -> bool:
        """Say whether a key that is not known is worth a fetch: not again soon, and not for any name again and again."""
        if self.fixed is not None:
            return False
        document = self.document
        if document.copy is None:
            return document.need(now).is_fetch
        if age_of(document.tried_at, now) < COOLDOWN_SECONDS:
            return False
        return age_of(self._not_found.get(kid), now) >= FORGOTTEN_KID_SECONDS

    def was_not_found(self, kid: str, now: float) -> None:
        if len(self._not_found) >= FORGOTTEN_KIDS_MAX:
            self._not_found.clear()
        self._not_found[kid] = now

    def fetch(self, *, apart_seconds: float = 0.0) -> None:
        """Fetch the keys, blocking, unless that was done less than ``apart_seconds`` ago, or while one waited for it.

        What went wrong is kept in the document.
        """
        rounds = self._rounds
        with self._turn:
            document, at = self.document, self._tick()
            if self._rounds != rounds or age_of(document.tried_at, at) < apart_seconds:
                return
            document.tried(at)
            etag = document.copy.etag if document.copy else None
            try:
                fetched = self._fetcher.get(document.url, bytes_max=JWKS_BYTES_MAX, etag=etag)
                self._take(fetched, at)
            except FetchFailedError as fault:
                document.failed(str(fault))
            self._rounds += 1

    def _take(self, fetched: Fetched, at: float) -> None:
        document = self.document
        self.is_absent = fetched.status == HTTPStatus.NOT_FOUND
        fresh_seconds = fresh_seconds_of(fetched.headers.get("cache-control", ""))
        if fetched.status == HTTPStatus.NOT_MODIFIED and document.copy is not None:
            keys = document.copy.value
        elif fetched.status == HTTPStatus.OK:
            keys = self._read(fetched.body)
        else:
            raise FetchFailedError(f"it answered {fetched.status}")
        document.stale_seconds = STALE_SECONDS - fresh_seconds
        document.arrived(keys, etag=fetched.headers.get("etag"), at=at, fresh_seconds=fresh_seconds)

    def _read(self, body: bytes) -> KeySet:
        copy = self.document.copy
        if copy is not None and body == self._body:
            return copy.value  # the same object, so that what was verified with it stays remembered
        try:
            keys = KeySet(import_key_set(strict_json.loads(body)))
        except (KeyRefused, ValueError) as fault:
            raise FetchFailedError(f"it answered no key set: {fault}") from None
        self._body = body
        return keys


def fresh_seconds_of(cache_control: str) -> float:
    """Return for how long keys are fresh, by the answer's Cache-Control, within our bounds (RFC 9111 section 5.2.2)."""
    if _NOT_KEPT.search(cache_control):
        return FRESH_SECONDS_MIN
    asked = _MAX_AGE.search(cache_control)
    if asked is None:
        return FRESH_SECONDS_DEFAULT
    return min(max(float(asked[1]), FRESH_SECONDS_MIN), FRESH_SECONDS_MAX)
