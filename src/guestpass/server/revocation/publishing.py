"""What verifiers that check alone fetch: signed status lists, and the cut list. Made when asked for, kept while right.

A copy is held for half a second without a look at the store, so an ending is published at most that long after its
answer, by every server.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from guestpass.core.jose.jwk import SigningKey
from guestpass.core.revocation import cut_list, status_list
from guestpass.core.revocation.cutoff import Cut, Ending
from guestpass.errors import NotFound
from guestpass.server.clock import Clock
from guestpass.server.projects.service import Issuer
from guestpass.server.revocation import sql
from guestpass.server.revocation.service import tag_of
from guestpass.server.revocation.status_lists import LIST_ENTRIES, LIST_SECONDS
from guestpass.server.signing_keys.service import Keyring
from guestpass.server.storage.store import Store, Transaction

LOOK_SECONDS = 0.5  # between two looks at the store for one document
TTL_SECONDS = 5
GOOD_SECONDS = 7_200  # longer than any verifier may go on with a stale copy
SIGNED_ANEW_SECONDS = 1_800  # so that a copy that was fetched last is good for that longest time
COPIES_MAX = 2_000  # documents; mostly far below a KiB
_NUMBER = re.compile(r"[1-9][0-9]{0,14}")


class Found(NamedTuple):
    """``seen``: what the store holds. ``publish``: signs it; None where it was known already."""

    seen: object
    publish: Callable[..., str] | None


@dataclass(slots=True)
class Copy:
    """A document as it was signed last."""

    text: bytes
    etag: str
    seen: object
    key: SigningKey
    signed_at: float
    looked_at: float


class Publishing:
    def __init__(self, store: Store, keyring: Keyring, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._looks: dict[str, asyncio.Future[Copy]] = {}  # under way

    async def document(self, issuer: Issuer, name: str) -> Copy:
        """Return the status list of that number, or the list of cuts, of an issuer.

        Raises: NotFound where there is none, or no more; JwtConfigurationError, Unavailable.
        """
        uri = f"{issuer.location}/status-lists/{name}"
        copy = self._copies.get(uri)
        if copy is not None and 0 <= self._clock() - copy.looked_at < LOOK_SECONDS:
            return copy
        look = self._looks.get(uri)
        if look is None:
            look = self._looks[uri] = asyncio.ensure_future(self._look(issuer, name, uri))
            look.add_done_callback(lambda _: self._looks.pop(uri, None))
        return await asyncio.shield(look)

    async def _look(self, issuer: Issuer, name: str, uri: str) -> Copy:
        now = self._clock()
        key = (await self._keyring.of(issuer)).list_signer.key
        copy = self._copies.get(uri)
        if copy is not None and (copy.key is not key or not 0 <= now - copy.signed_at < SIGNED_ANEW_SECONDS):
            copy = None
        known = None if copy is None else copy.seen
        seen, publish = await self._store.read(_query(issuer.number, name, known, int(now)))
        if copy is None or publish is not None:
            assert publish is not None  # noqa: S101 - nothing was known
            copy = _signed(publish, uri, seen, key, now)
        copy.looked_at = now
        self._copies[uri] = copy
        self._copies.move_to_end(uri)
        if len(self._copies) > COPIES_MAX:
            self._copies.popitem(last=False)
        return copy


def _signed(publish: Callable[..., str], uri: str, seen: object, key: SigningKey, now: float) -> Copy:
    text = publish(uri=uri, iat=int(now), exp=int(now) + GOOD_SECONDS, ttl=TTL_SECONDS, key=key).encode()
    return Copy(text, f'"{hashlib.sha256(text).hexdigest()[:32]}"', seen, key, now, now)


def _query(issuer: int, name: str, known: object, now: int) -> Callable[[Transaction], Any]:
    if name == cut_list.NAME:
        return lambda tx: _cuts(tx, issuer, known)
    number = int(name) if _NUMBER.fullmatch(name) else 0
    return lambda tx: _statuses(tx, issuer, number, known, now)


async def _statuses(tx: Transaction, issuer: int, number: int, known: object, now: int) -> Found:
    ended = await sql.list_of(tx, issuer, number, leased_from=now - LIST_SECONDS)
    if ended is None:
        raise NotFound("There is no such status list, or its last token has ended.")
    seen = (ended, await sql.suspended_in(tx, number))
    if seen == known:
        return Found(known, None)
    packed = bytearray(LIST_ENTRIES * status_list.BITS // 8)
    for place in seen[1]:
        status_list.put(packed, place, status_list.SUSPENDED)
    for place, reissue in ended:  # of a session that was suspended first: ended
        status_list.put(packed, place, status_list.INVALID_REISSUE if reissue else status_list.INVALID)
    return Found(seen, partial(status_list.publish, packed))


async def _cuts(tx: Transaction, issuer: int, known: object) -> Found:
    cuts = await sql.published_cuts(tx, issuer)
    if cuts == known:
        return Found(known, None)
    marks = cut_list.marks_of(
        (tag_of(subject), Cut(before_ms, Ending(0, "", reissue))) for subject, before_ms, reissue in cuts
    )
    return Found(cuts, partial(cut_list.publish, marks))
