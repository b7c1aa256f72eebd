"""The status lists that are in use, and their issuers' cut lists."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, TypeVar

from guestpass.core.bounds import LEEWAY_SECONDS_MAX
from guestpass.core.revocation import cut_list, offline, status_list
from guestpass.core.revocation.cut_list import CutList
from guestpass.core.revocation.published import PublishedKeyUnknown, PublishedRefused
from guestpass.core.revocation.status_list import StatusList
from guestpass.core.tokens.keys import KeySet
from guestpass.verify.asking import Fetcher, FetchFailedError
from guestpass.verify.documents import Document

LISTS_MAX = 1024  # of 16 KiB each, for 67 million tokens
MARGIN_SECONDS = LEEWAY_SECONDS_MAX  # a token may count so long after its exp

L = TypeVar("L", StatusList, CutList)


class Publisher(Protocol):
    """Whose lists they are."""

    @property
    def name(self) -> str:
        """The issuer."""

    @property
    def location(self) -> str:
        """Where lists are fetched, whatever a token says of their address."""

    def keys(self) -> KeySet:
        """Return the keys that sign lists."""

    def look_for_new_keys(self) -> KeySet:
        """Return them after a look at what the issuer publishes, if it is not too soon for one. Blocking."""


@dataclass(slots=True, eq=False)
class ListInUse:
    """A status list of which a token was seen.

    Attributes:
        cuts: The cut list that belongs to it.
        last_exp: When the last of its tokens that were seen ends, Unix seconds.
        used_at: By the ticking clock.
    """

    uri: str
    publisher: Publisher
    document: Document[StatusList]
    cuts: Document[CutList]
    last_exp: int
    used_at: float


class Shelf:
    """Every list in use, up to ``LISTS_MAX``. A list leaves with its last token."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        clock: Callable[[], float],
        tick: Callable[[], float],
        poll_seconds: int,
        stale_seconds: int,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._tick = tick
        self._poll_seconds = poll_seconds
        self._stale_seconds = stale_seconds
        self._in_use: dict[tuple[str, str], ListInUse] = {}
        self._cuts: dict[tuple[str, str], Document[CutList]] = {}
        self.forget_lock()

    def forget_lock(self) -> None:
        """A forked child may have inherited one that somebody holds."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._in_use)

    def find(self, publisher: Publisher, uri: str, *, exp: int, now: int) -> ListInUse | None:
        """Return the list that a token names, which ends at ``exp``; None where that is no address of a list."""
        listed = self._in_use.get((publisher.name, uri))
        if listed is None:
            listed = self._added(publisher, uri, exp, now)
        elif listed.last_exp < exp:
            listed.last_exp = exp
        if listed is not None:
            listed.used_at = self._tick()
        return listed

    def _added(self, publisher: Publisher, uri: str, exp: int, now: int) -> ListInUse | None:
        place = offline.split_uri(uri)
        if place is None:
            return None
        folder, name = place
        with self._lock:
            self._make_room(now)
            cuts_key = publisher.name, folder + cut_list.NAME
            cuts = self._cuts.get(cuts_key)
            if cuts is None:
                cuts = self._cuts[cuts_key] = self._document(publisher, cut_list.NAME)
            listed = ListInUse(uri, publisher, self._document(publisher, name), cuts, exp, self._tick())
            return self._in_use.setdefault((publisher.name, uri), listed)

    def _document(self, publisher: Publisher, name: str) -> Document[L]:
        return Document(f"{publisher.location}/status-lists/{name}", self._stale_seconds)

    def _make_room(self, now: int) -> None:
        for key, listed in list(self._in_use.items()):
            if listed.last_exp <= now - MARGIN_SECONDS:
                self._in_use.pop(key, None)
        while len(self._in_use) >= LISTS_MAX:
            self._in_use.pop(min(self._in_use, key=lambda key: self._in_use[key].used_at))
        kept = {id(listed.cuts) for listed in self._in_use.values()}
        self._cuts = {key: cuts for key, cuts in self._cuts.items() if id(cuts) in kept}

    # Fetching, blocking

    def fetch_statuses(self, listed: ListInUse) -> None:
        """Fetch a status list; what went wrong is kept in its document."""
        self._fetch(
            listed.document,
            listed.publisher,
            lambda text, keys: status_list.read(text, keys, uri=listed.uri, now=int(self._clock())),
            status_list.merged,
            status_list.SEALED_CHARACTERS_MAX,
        )

    def fetch_cuts(self, listed: ListInUse) -> None:
        """Fetch the cut list beside a status list."""
        uri = listed.uri.rpartition("/")[0] + "/" + cut_list.NAME
        self._fetch(
            listed.cuts,
            listed.publisher,
            lambda text, keys: cut_list.read(text, keys, uri=uri, now=int(self._clock())),
            cut_list.merged,
            cut_list.SEALED_CHARACTERS_MAX,
        )

    def _fetch(
        self,
        document: Document[L],
        publisher: Publisher,
        read: Callable[[str, KeySet], L],
        merged: Callable[[L, L], L],
        bytes_max: int,
    ) -> None:
        at = self._tick()
        document.tried(at)
        known = document.copy
        keys = publisher.keys()
        # A copy that is over, or that was signed by a key which is out, is not to be confirmed as unchanged.
        may_be_confirmed = known is not None and known.under is keys and self._clock() < known.value.exp
        etag = known.etag if known is not None and may_be_confirmed else None
        try:
            fetched = self._fetcher.get(document.url, bytes_max=bytes_max, etag=etag)
            if fetched.status == HTTPStatus.NOT_MODIFIED and etag is not None:
                document.unchanged(at=at)
                return
            if fetched.status != HTTPStatus.OK:
                raise FetchFailedError(f"it answered {fetched.status}")
            text = fetched.body.decode("ascii", "replace")
            try:
                value = read(text, keys)
            except PublishedKeyUnknown:
                keys = publisher.look_for_new_keys()
                value = read(text, keys)
        except (FetchFailedError, PublishedRefused) as fault:
            document.failed(str(fault))
            return
        if known is not None:
            value = merged(known.value, value)
        fresh_seconds = min(self._poll_seconds, value.ttl)
        etag = fetched.headers.get("etag")
        document.arrived(value, etag=etag, at=at, fresh_seconds=fresh_seconds, under=keys)
