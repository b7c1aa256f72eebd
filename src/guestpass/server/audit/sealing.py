"""The sealer: chains what is new into batches and signs their heads. One at a time, over all servers.

Rows do not become visible in the order of their ids: servers' clocks differ, and transactions overtake each other. So
a look reads again what it may have missed: all ids from the source's *edge* on, which trails the store's clock by
``WINDOW_MS``. What batches hold of them already is left out; of the older part a count suffices to see that nothing
came late. The batch and the edges are one transaction, so nothing is sealed twice, and nothing is skipped.

It works beside the mints: it reads over snapshots, and its act only inserts what is ready.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from guestpass.core import ids, times
from guestpass.core.audit import heads, tree
from guestpass.core.audit.heads import NO_HEAD, Head
from guestpass.core.jose.jwk import SigningKey
from guestpass.server.audit import batches, sql
from guestpass.server.audit.batches import Batch, Part
from guestpass.server.audit.model import STORE
from guestpass.server.audit.packed import SealedIds
from guestpass.server.audit.service import WINDOW_MS, begins_ms, erasures, lock_chain
from guestpass.server.audit.sources import Leaf, Names, Source, source_of
from guestpass.server.projects import service as projects
from guestpass.server.projects.service import Issuers
from guestpass.server.sessions import minted
from guestpass.server.signing_keys.service import Keyring
from guestpass.server.storage.store import Store, Transaction

LEAVES_MAX = 4_096  # of one batch: some megabytes, and no act of the writer is long
ROWS_AT_ONCE = 250
SOURCES_AT_ONCE = 100  # of one look, each with a few statements
RECENT_MS = 2_000  # older ids are not read while their count is right
HELD_MS = 2_000  # so long others leave the work to who sealed last
EDGE_LAG_MS = 60_000  # a quiet source's edge may trail so far before it is written
_SEALER_BYTES = 8


class _Found(NamedTuple):
    """New leaves of a source, and the edge once they are sealed; ``is_all``: whether there are no more."""

    source: int
    leaves: list[Leaf]
    edge_ms: int
    is_all: bool


class _Look(NamedTuple):
    """What is to be done. ``erasures``: how many there had been; see ``service.note_erasure``."""

    last: Batch | None
    erasures: int
    now_ms: int
    found: list[_Found]

    @property
    def size(self) -> int:
        return sum(len(found.leaves) for found in self.found)


class _Sealed(NamedTuple):
    """What is to be written: ``batch`` is None where only edges move.

    It is written only where ``after`` is the number of the last batch, and nothing was erased since the look.
    """

    after: int
    erasures: int
    batch: Batch | None
    parts: list[Part]
    edges: list[tuple[int, int]]
    key: SigningKey


class Sealing:
    """Args: ``leaves_max``: of one batch."""

    def __init__(self, store: Store, issuers: Issuers, keyring: Keyring, *, leaves_max: int = LEAVES_MAX) -> None:
        self._store = store
        self._issuers = issuers
        self._keyring = keyring
        self._leaves_max = leaves_max
        self._sealer = os.urandom(_SEALER_BYTES)

    async def seal(self) -> int:
        """Seal all that is new; return how many leaves that were.

        Raises: JwtConfigurationError where the key of the default project in live cannot sign; Unavailable.
        """
        total = 0
        due = await self._store.read(_due)
        for start in range(0, len(due), SOURCES_AT_ONCE):
            total += await self._seal_all_of(due[start : start + SOURCES_AT_ONCE])
        return total

    async def _seal_all_of(self, numbers: Sequence[int]) -> int:
        total = 0
        while True:
            look = await self._store.read(partial(self._look, numbers=numbers))
            if look is None or not look.found:
                return total
            issuer = await self._issuers.at("live")
            key = (await self._keyring.of(issuer)).list_signer.key
            sealed = _sealed(look, self._sealer, issuer.url, key)
            if not await self._store.write(_write_each, sealed):
                return total  # another server was first, or something was erased meanwhile
            total += look.size
            if all(found.is_all for found in look.found):
                return total
            await asyncio.sleep(0)

    async def _look(self, tx: Transaction, numbers: Sequence[int]) -> _Look | None:
        """Find what is new in some sources; None where another server is at it."""
        now_ms = await tx.now_ms()
        last = await batches.last(tx)
        if last is not None and last.sealer != self._sealer and 0 <= now_ms - last.sealed_at_ms < HELD_MS:
            return None
        names, low = await projects.issuer_names(tx), await _lows(tx, now_ms)
        look = _Look(last, await erasures(tx), now_ms, [])
        for number in numbers:
            room = self._leaves_max - look.size
            if room <= 0:
                break
            found = await _find(tx, source_of(number), low(number), now_ms, names, room)
            if found.leaves or found.edge_ms - low(number) >= EDGE_LAG_MS:
                look.found.append(found)
        return look


async def _due(tx: Transaction) -> list[int]:
    """Return the sources that may have something new: of most issuers nothing was minted lately."""
    low = await _lows(tx, await tx.now_ms())
    return [STORE, *(issuer for issuer, newest in await minted.newest(tx) if newest >= ids.first_of(low(issuer)))]


async def _lows(tx: Transaction, now_ms: int) -> Callable[[int], int]:
    """Return what gives the edge of each source; an earlier one while the clock stands before it, since it was set back."""
    edges, begins = await sql.edges(tx), await begins_ms(tx)
    return lambda source: min(edges.get(source, 0 if source == STORE else begins), now_ms - WINDOW_MS)


async def _find(tx: Transaction, source: Source, low_ms: int, now_ms: int, names: Names, room: int) -> _Found:
    """Find up to ``room`` rows of a source that no batch holds, oldest first."""
    low = ids.first_of(max(0, low_ms))
    sealed = SealedIds(await batches.sealed_ids(tx, source.number, low))
    start = ids.first_of(max(low_ms, now_ms - RECENT_MS))
    expected = sealed.count(low, start)
    if await source.count(tx, low, start, most=expected + 1) != expected:
        start = low  # something came late
    known = sealed.from_(start)
    new: list[bytes] = []
    async for found in source.ids_from(tx, start):
        if found not in known:
            new.append(found)
            if len(new) == room:
                break
    leaves = [leaf for some in _slices(new) for leaf in await source.leaves(tx, some, names)]
    settled_ms = now_ms - WINDOW_MS
    is_all = len(new) < room
    edge = settled_ms if is_all else min(settled_ms, ids.unix_ms_of(new[-1]))
    return _Found(source.number, leaves, max(low_ms, edge), is_all)


def _slices(new: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(new), ROWS_AT_ONCE):
        yield new[start : start + ROWS_AT_ONCE]


def _sealed(look: _Look, sealer: bytes, issuer_url: str, key: SigningKey) -> _Sealed:
    edges = [(found.source, found.edge_ms) for found in look.found]
    after = look.last.number if look.last else 0
    hashes = [leaf.hash for found in look.found for leaf in found.leaves]
    if not hashes:
        return _Sealed(after, look.erasures, None, [], edges, key)
    number = after + 1
    first = look.last.first_leaf + look.last.leaves if look.last else 0
    head = Head(
        issuer=issuer_url,
        number=number,
        previous=heads.digest_of(look.last.head) if look.last else NO_HEAD,
        root=tree.root_of(hashes).hex(),
        first=first,
        count=len(hashes),
        sealed_at=times.of_milliseconds(look.now_ms),
    )
    batch = Batch(number, first, len(hashes), look.now_ms, sealer, heads.sign(head, key))
    return _Sealed(after, look.erasures, batch, list(_parts(number, first, look.found)), edges, key)


def _parts(number: int, first: int, sources: Sequence[_Found]) -> Iterator[Part]:
    for found in sources:
        leaves = found.leaves
        if leaves:
            yield Part(
                found.source, number, first, leaves[0].id, leaves[-1].id,
                b"".join(leaf.id for leaf in leaves), b"".join(leaf.hash for leaf in leaves),
                b"".join(leaf.salts for leaf in leaves),
            )  # fmt: skip
            first += len(leaves)


async def _write_each(tx: Transaction, items: list[_Sealed]) -> list[bool]:
    """Write batches, each where it still holds what is to follow the last one; say of each whether it did."""
    await lock_chain(tx)
    outcomes: list[bool] = []
    for sealed in items:
        last = await batches.last(tx)
        holds = (last.number if last else 0, await erasures(tx)) == (sealed.after, sealed.erasures)
        if holds:
            await _write(tx, sealed)
        outcomes.append(holds)
    return outcomes


async def _write(tx: Transaction, sealed: _Sealed) -> None:
    if sealed.batch is not None:
        await batches.add(tx, sealed.batch, sealed.parts)
        await batches.keep_key(tx, sealed.key.kid, heads.public_jwk_text(sealed.key))
    for source, at_ms in sealed.edges:
        await sql.put_edge(tx, source, at_ms)
