"""The signing_keys table."""

from __future__ import annotations

from guestpass.server.signing_keys.model import StoredKey
from guestpass.server.storage.store import Transaction

_COLUMNS = "kid, algorithm, public_jwk, sealed_private_jwk"


async def of_issuer(tx: Transaction, issuer: int) -> list[StoredKey]:
    """Return the issuer's keys, newest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM signing_keys WHERE issuer = ? ORDER BY created_at DESC, kid",  # noqa: S608
        (issuer,),
    )
    return [StoredKey(*row) for row in rows]


async def issuers_with(tx: Transaction, algorithm: str) -> set[int]:
    """Return the issuers that have a key of this algorithm."""
    rows = await tx.fetch("SELECT DISTINCT issuer FROM signing_keys WHERE algorithm = ?", (algorithm,))
    return {row[0] for row in rows}


async def forget_published(tx: Transaction) -> None:
    """Drop every key whose public half the world is told, of all issuers."""
    await tx.execute("DELETE FROM signing_keys WHERE algorithm <> 'HS256'")


async def add(tx: Transaction, issuer: int, key: StoredKey, *, now: int) -> None:
    await tx.execute(
        f"INSERT INTO signing_keys (issuer, {_COLUMNS}, created_at) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
        (issuer, key.kid, key.algorithm, key.public_jwk, key.sealed_private_jwk, now),
    )
