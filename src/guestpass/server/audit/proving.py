"""Prove that one event stands in the log, to somebody who has nothing of ours but the proof."""

from __future__ import annotations

import msgspec

from guestpass.core import ids
from guestpass.core.audit import heads, tree
from guestpass.core.audit.proof import Proof
from guestpass.errors import Conflict, NotFound
from guestpass.server.audit import batches
from guestpass.server.audit.batches import Part
from guestpass.server.audit.model import STORE, WORD
from guestpass.server.audit.packed import PackedIds, split
from guestpass.server.audit.sources import source_of, sources
from guestpass.server.projects import service as projects
from guestpass.server.sessions.model import WORD as SESSION_WORD
from guestpass.server.storage.store import Store, Transaction


class Proving:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def prove(self, public_id: str, *, personal: bool = False) -> bytes:
        """Return the proof of an event (``evt_…``) or of a mint (``sess_…``) as JSON.

        ``personal``: show also what names a person, as far as it was not erased.

        Raises: NotFound, also where it is not sealed yet; Conflict where the row is not what was sealed; Unavailable.
        """
        return msgspec.json.encode(await self._store.read(lambda tx: _prove(tx, public_id, personal=personal)))


async def _prove(tx: Transaction, public_id: str, *, personal: bool) -> Proof:
    part, one = await _find(tx, public_id)
    batch = await batches.numbered(tx, part.batch)
    jwk = None if batch is None else await batches.key_of(tx, heads.kid_of(batch.head) or "")
    if batch is None or jwk is None:
        raise Conflict("The batch that holds it is not whole; see guestpass audit verify.")
    place = PackedIds(part.ids).find(one) or 0
    hashes = [found for each in await batches.parts_of(tx, batch) for found in split(each.hashes, tree.HASH_BYTES)]
    salts = split(part.salts, tree.HASH_BYTES)[place]
    names = await projects.issuer_names(tx)
    again = (await source_of(part.source).leaves_again(tx, [one], names, [salts])).get(one)
    if again is None:
        raise NotFound("The session is gone by age, and only the hash of its event is left.")
    index = part.first_leaf - batch.first_leaf + place
    if not again.holds or tree.leaf_hash(again.leaf) != hashes[index]:
        raise Conflict("Its row is not what was sealed; see guestpass audit verify.")
    return Proof(
        leaf=again.leaf.decode(),
        index=index,
        path=[beside.hex() for beside in tree.path_of(hashes, index)],
        head=batch.head,
        key=jwk,
        personal=dict(again.personal) if personal else {},
    )


async def _find(tx: Transaction, public_id: str) -> tuple[Part, bytes]:
    """Find the leaf of an event, or of a session of whatever issuer."""
    event, session = ids.decode(WORD, public_id), ids.decode(SESSION_WORD, public_id)
    for source in await sources(tx):
        one = event if source.number == STORE else session
        part = None if one is None else await batches.part_with(tx, source.number, one)
        if part is not None and one is not None:
            return part, one
    raise NotFound("There is no such event in the log. What was done just now is in it within a second.")
