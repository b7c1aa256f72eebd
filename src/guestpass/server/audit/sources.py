"""Where leaves come from: the recorded events, and the sessions of each issuer, whose rows are the events of their mints."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from guestpass.core import ids
from guestpass.core.audit.commitments import SALT_BYTES, commitment
from guestpass.core.audit.leaves import EventLeaf
from guestpass.core.audit.tree import leaf_hash
from guestpass.server.audit import sql
from guestpass.server.audit.model import STORE, WORD, EventRow
from guestpass.server.audit.packed import split
from guestpass.server.sessions import minted
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage.store import Transaction

SALTS_BYTES = 2 * SALT_BYTES  # of a leaf: for the user and for the organization of a session; an event has its own
NO_SALTS = bytes(SALTS_BYTES)
_NOBODY = ("", "")  # the name of an issuer whose project is gone
Names: TypeAlias = Mapping[int, tuple[str, str]]  # project id and environment by number of the issuer


class Leaf(NamedTuple):
    """One leaf: its hash, and the salts of its commitments where the batch keeps them."""

    id: bytes
    hash: bytes
    salts: bytes


class Source(Protocol):
    """Rows that are events. ``number``: as batches name it; ids of a source are time-ordered, 16 bytes."""

    @property
    def number(self) -> int: ...

    async def count(self, tx: Transaction, low: bytes, high: bytes, *, most: int) -> int:
        """Count the rows from ``low`` to below ``high``, up to ``most``."""
        ...

    def ids_from(self, tx: Transaction, low: bytes) -> AsyncIterator[bytes]:
        """Yield ids from ``low`` on, in order."""
        ...

    async def leaves(self, tx: Transaction, some: Sequence[bytes], names: Names) -> list[Leaf]:
        """Make leaves of rows that are there, in the order of ``some``, with fresh salts."""
        ...

    async def leaves_again(
        self, tx: Transaction, some: Sequence[bytes], names: Names, salts: Sequence[bytes]
    ) -> dict[bytes, Again]:
        """Make the leaves that rows must have had by what they say now; of those that are gone, none."""
        ...


class Again(NamedTuple):
    """A leaf that was made again from its row.

    Args:
        leaf: What is hashed.
        personal: By field, salt in hexadecimal and value: what is not erased.
        is_erased: Whether something personal was erased, so that its commitments stand for themselves.
        holds: False where what is personal is not what was committed to.
    """

    leaf: bytes
    personal: Mapping[str, tuple[str, str]]
    is_erased: bool = False
    holds: bool = True


class Events:
    """What acts recorded, of all issuers. Their salts are beside their values."""

    number = STORE

    async def count(self, tx: Transaction, low: bytes, high: bytes, *, most: int) -> int:
        return await sql.count_between(tx, low, high, most=most)

    async def ids_from(self, tx: Transaction, low: bytes) -> AsyncIterator[bytes]:
        async for event_id in sql.ids_from(tx, low):
            yield event_id

    async def leaves(self, tx: Transaction, some: Sequence[bytes], names: Names) -> list[Leaf]:
        rows = await sql.events_of(tx, some)
        return [Leaf(one, leaf_hash(event_leaf(rows[one], names)), NO_SALTS) for one in some]

    async def leaves_again(
        self,
        tx: Transaction,
        some: Sequence[bytes],
        names: Names,
        salts: Sequence[bytes],  # noqa: ARG002
    ) -> dict[bytes, Again]:
        return {one: _event_again(row, names) for one, row in (await sql.events_of(tx, some)).items()}


class Sessions:
    """The sessions of one issuer."""

    def __init__(self, issuer: int) -> None:
        self.number = issuer

    async def count(self, tx: Transaction, low: bytes, high: bytes, *, most: int) -> int:
        return await minted.count(tx, self.number, low, high, most=most)

    async def ids_from(self, tx: Transaction, low: bytes) -> AsyncIterator[bytes]:
        async for session_id in minted.ids_from(tx, self.number, low):
            yield session_id

    async def leaves(self, tx: Transaction, some: Sequence[bytes], names: Names) -> list[Leaf]:
        rows, name = await minted.rows_within(tx, self.number, some), names.get(self.number, _NOBODY)
        drawn = split(os.urandom(SALTS_BYTES * len(some)), SALTS_BYTES)
        return [
            Leaf(one, leaf_hash(_session_leaf(rows[one], name, salts)), salts)
            for one, salts in zip(some, drawn, strict=True)
        ]

    async def leaves_again(
        self, tx: Transaction, some: Sequence[bytes], names: Names, salts: Sequence[bytes]
    ) -> dict[bytes, Again]:
        rows, name = await minted.rows(tx, self.number, some), names.get(self.number, _NOBODY)
        salts_of = dict(zip(some, salts, strict=True))
        erased = await sql.erased_of(tx, self.number, [one for one in rows if salts_of[one] == NO_SALTS])
        return {
            one: _erased_again(row, name, erased[one]) if one in erased else _session_again(row, name, salts_of[one])
            for one, row in rows.items()
        }


async def sources(tx: Transaction) -> list[Source]:
    """Return every source there is, the events first."""
    return [Events(), *(Sessions(issuer) for issuer in await minted.issuers(tx))]


def source_of(number: int) -> Source:
    """Return the source of that number."""
    return Events() if number == STORE else Sessions(number)


def event_leaf(row: EventRow, names: Names) -> bytes:
    """Return what the chain holds of an event."""
    project, environment = names.get(row.issuer, (None, None))
    return EventLeaf(
        id=ids.encode(WORD, row.id),
        project=project,
        environment=environment,
        action=row.action,
        actor=row.actor,
        request_id=row.request_id,
        targets=msgspec.json.decode(row.targets),
        detail=msgspec.json.decode(row.detail),
        commitments=msgspec.json.decode(row.commitments),
    ).encode()


def _event_again(row: EventRow, names: Names) -> Again:
    leaf, commitments = event_leaf(row, names), msgspec.json.decode(row.commitments)
    if row.personal is None:
        return Again(leaf, {}, is_erased=bool(commitments))
    personal = msgspec.json.decode(row.personal, type=dict[str, tuple[str, str]])
    holds = commitments == {
        name: commitment(bytes.fromhex(salt), name, value) for name, (salt, value) in personal.items()
    }
    return Again(leaf, personal, holds=holds)


def _session_again(row: SessionRow, name: tuple[str, str], salts: bytes) -> Again:
    its_own = (salts[:SALT_BYTES].hex(), salts[SALT_BYTES:].hex())  # in the order of the fields
    personal = {
        field: (salt, value) for salt, (field, value) in zip(its_own, minted.personal_of(row).items(), strict=False)
    }
    return Again(_session_leaf(row, name, salts), personal)


def _erased_again(row: SessionRow, name: tuple[str, str], commitments: Sequence[str | None]) -> Again:
    user, organization = commitments
    leaf = minted.leaf_of(row, name, user or "", organization)
    return Again(leaf, {}, is_erased=True, holds=minted.is_erased(row))


def _session_leaf(row: SessionRow, name: tuple[str, str], salts: bytes) -> bytes:
    return minted.leaf_of(row, name, *commitments_of(row, salts))


def commitments_of(row: SessionRow, salts: bytes) -> tuple[str, str | None]:
    """Return the commitments to what a session's row says of a person."""
    user = commitment(salts[:SALT_BYTES], minted.USER, row.external_user_id)
    organization = row.external_organization_id
    if organization is None:
        return user, None
    return user, commitment(salts[SALT_BYTES:], minted.ORGANIZATION, organization)
