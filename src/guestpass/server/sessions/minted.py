"""What the audit log reads of sessions: their rows are the events of their mints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from guestpass.core import ids
from guestpass.core.audit.leaves import SessionLeaf
from guestpass.server.api_keys import service as api_keys
from guestpass.server.customers import service as customers
from guestpass.server.sessions import index, sql
from guestpass.server.sessions.model import SessionRow
from guestpass.server.storage.store import Transaction

USER, ORGANIZATION = "externalUserId", "externalOrganizationId"  # what a row says of a person, as the API names it


async def issuers(tx: Transaction) -> list[int]:
    """Return the issuers that have sessions."""
    return await sql.issuers_with_sessions(tx)


async def newest(tx: Transaction) -> list[tuple[int, bytes]]:
    """Return each issuer that has sessions, with the id of its newest."""
    return await sql.newest(tx)


async def count(tx: Transaction, issuer: int, low: bytes, high: bytes, *, most: int) -> int:
    """Count the sessions from ``low`` to below ``high``, up to ``most``."""
    return await sql.count_between(tx, issuer, low, high, most=most)


async def ids_from(tx: Transaction, issuer: int, low: bytes) -> AsyncIterator[bytes]:
    """Yield the ids from ``low`` on, in order."""
    async for session_id in sql.ids_from(tx, issuer, low):
        yield session_id


async def rows(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> dict[bytes, SessionRow]:
    """Return those of many that are there, by id."""
    return await sql.rows_of(tx, issuer, session_ids)


async def rows_within(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> dict[bytes, SessionRow]:
    """Do the same for ids in order that are all there; sooner where hardly any others lie between them."""
    found = await sql.rows_between(tx, issuer, session_ids[0], session_ids[-1], most=2 * len(session_ids))
    return found if found.keys() >= {*session_ids} else await sql.rows_of(tx, issuer, session_ids)


async def renewable_among(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> set[bytes]:
    """Return those of many that are renewable: their mint was a login."""
    return await sql.renewable_among(tx, issuer, session_ids) if session_ids else set()


async def ids_of_customer(tx: Transaction, issuer: int, customer_id: bytes, *, below: bytes, most: int) -> list[bytes]:
    """Return up to ``most`` of a customer's sessions below ``below``, newest first."""
    found: list[bytes] = []
    async for session_id in index.newest_first(tx, issuer, customer_id, below=below):
        found.append(session_id)
        if len(found) == most:
            break
    return found


def is_erased(row: SessionRow) -> bool:
    """Say whether a session's row says nothing of a person any more. No user has the empty id."""
    return row.external_user_id == "" and row.external_organization_id is None


async def erase(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> None:
    """Forget what sessions say of their person, and their metadata. They must have ended."""
    await sql.erase(tx, issuer, session_ids)


def personal_of(row: SessionRow) -> dict[str, str]:
    """Return what a session's row says of a person."""
    organization = row.external_organization_id
    return {USER: row.external_user_id} | ({} if organization is None else {ORGANIZATION: organization})


def leaf_of(row: SessionRow, name: tuple[str, str], user: str, organization: str | None) -> bytes:
    """Return what the chain holds of a mint.

    ``name``: project id and environment. ``user``, ``organization``: the commitments to what they are called.
    """
    # By place: this is done for every session there is.
    return SessionLeaf(
        "session.created", row.public_id, *name, api_keys.public_id(row.api_key_id),
        ids.encode_again(customers.WORD, row.customer_id), row.scope, row.issued_at, row.not_before, row.expires_at,
        row.max_uses, row.format, user, organization,
    ).encode()  # fmt: skip
