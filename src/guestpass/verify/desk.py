"""One issuer's desk: what its tokens are held against, its keys, and what it says of suspended sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from guestpass.core import ids
from guestpass.core.tokens import operations
from guestpass.core.tokens.claims import SessionClaims
from guestpass.core.tokens.inspection import Expectation
from guestpass.core.tokens.keys import KeySet
from guestpass.core.tokens.remembered import RememberingVerifier
from guestpass.errors import TokenProjectMismatch
from guestpass.verify.asking import Fetcher, FetchFailedError
from guestpass.verify.documents import RETRY_SECONDS, Document
from guestpass.verify.keys import PublishedKeys
from guestpass.verify.settings import JWKS_PATH, Place, Settings

DISCOVERY_PATH = "/.well-known/oauth-authorization-server"
DISCOVERY_BYTES_MAX = 64 * 1024


class Discovery(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a verifier reads of an issuer's metadata (RFC 8414 section 2)."""

    issuer: str
    suspended_operations: Annotated[tuple[str, ...], Meta(max_length=64)] = ()


class Desk:
    """``token_keys`` are those that seal tokens, ``list_keys`` those that sign lists: two sets only beside a secret."""

    def __init__(self, place: Place, settings: Settings, fetcher: Fetcher, tick: Callable[[], float]) -> None:
        self.place = place
        self.name = place.issuer
        self.location = place.location
        self.expect = self._told = settings.expectation(place)
        published = PublishedKeys(place.location + JWKS_PATH, fetcher, tick, settings.published_keys)
        secret = settings.static_keys if settings.static_keys is not settings.published_keys else None
        self.list_keys = published
        self.token_keys = PublishedKeys(published.document.url, fetcher, tick, secret) if secret else published
        self.suspended: Document[str] = Document(place.location + DISCOVERY_PATH, settings.max_stale_seconds)
        self._poll_seconds = settings.poll_seconds
        self._fetcher = fetcher
        self._tick = tick
        self._keys: KeySet | None = None
        self._verifier: RememberingVerifier | None = None

    def forget_locks(self) -> None:
        """A forked child may have inherited some that somebody holds."""
        self.token_keys.forget_lock()
        self.list_keys.forget_lock()

    def verifier(self) -> RememberingVerifier:
        """Return the verifier of the keys that count now; another one whenever the keys are others."""
        keys = self.token_keys.current(self._tick())
        if self._verifier is None or keys is not self._keys:
            return self._opened(keys, self._told)
        return self._verifier

    def learn_project(self, claims: SessionClaims) -> RememberingVerifier:
        """Hold all further tokens to the project of the first: an issuer is one, though its address may not say which.

        With other keys it is learned anew: an issuer that was set up from nothing is another project.

        Raises: TokenProjectMismatch where it is no project's id.
        """
        if ids.decode("proj", claims.project_id) is None:
            raise TokenProjectMismatch
        return self._opened(self.token_keys.current(self._tick()), replace(self._told, project_id=claims.project_id))

    def _opened(self, keys: KeySet, expect: Expectation) -> RememberingVerifier:
        ended = self._verifier.expired_up_to if self._verifier else 0
        verifier = RememberingVerifier(keys, expect, ratchet=True, expired_up_to=ended)
        self.expect, self._keys, self._verifier = expect, keys, verifier
        return verifier

    def keys(self) -> KeySet:
        """Return the keys of lists, fetched again if they are due; blocking."""
        document = self.list_keys.document
        if document.copy is not None and document.need(self._tick()).is_fetch:
            self.list_keys.fetch()
        return self.list_keys.current(self._tick())

    def look_for_new_keys(self) -> KeySet:
        """Fetch the keys for a list that names one which is not known, blocking; not more often than lists are polled.

        No stranger can ask for that: what he writes is not a list of the issuer's.
        """
        if self.list_keys.fixed is None:
            self.list_keys.fetch(apart_seconds=RETRY_SECONDS)
        return self.list_keys.current(self._tick())

    def fetch_suspended(self) -> None:
        """Fetch which operations go on while a session is suspended, blocking."""
        at = self._tick()
        self.suspended.tried(at)
        try:
            fetched = self._fetcher.get(self.suspended.url, bytes_max=DISCOVERY_BYTES_MAX)
            if fetched.status != HTTPStatus.OK:
                raise FetchFailedError(f"it answered {fetched.status}")
            found = msgspec.json.decode(fetched.body, type=Discovery)
        except (FetchFailedError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            self.suspended.failed(str(fault))
            return
        names = found.suspended_operations
        if found.issuer != self.name or operations.fault_of_list(names) is not None:
            self.suspended.failed("it is another issuer's, or names what is no operation")
            return
        self.suspended.arrived(operations.scope_of(names), etag=None, at=at, fresh_seconds=self._poll_seconds)

    def suspended_scope(self) -> str:
        """Return what goes on; nothing where that is not known."""
        document = self.suspended
        return document.copy.value if document.copy and document.usable(self._tick()) else operations.NOTHING
