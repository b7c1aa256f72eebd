"""The signing_keys table."""

from __future__ import annotations

from collections import defaultdict

from guestpass.server.signing_keys.model import StoredKey
from guestpass.server.storage.store import Row, Transaction

_COLUMNS = "kid, algorithm, public_jwk, sealed_private_jwk, created_at, signs_from_ms, retires_at_ms, revoked_at_ms"


def _key(row: Row) -> StoredKey:
    kid, algorithm, public_jwk, sealed, created_at, signs_from_ms, retires_at_ms, revoked_at_ms = row
    return StoredKey(
        kid,
        algorithm,
        public_jwk,
        sealed,
        published_at_ms=created_at * 1000,
        # 0: a server of the version before made it, and signed with it at once.
        signs_from_ms=signs_from_ms or created_at * 1000,
        retires_at_ms=retires_at_ms,
        revoked_at_ms=revoked_at_ms,
    )


async def of_issuer(tx: Transaction, issuer: int) -> list[StoredKey]:
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM signing_keys WHERE issuer = ?", (issuer,))  # noqa: S608
    return [_key(row) for row in rows]


async def issuers_that_sign(tx: Transaction) -> set[int]:
    """Return the issuers that have an asymmetric key."""
    rows = await tx.fetch(
        "SELECT DISTINCT issuer FROM signing_keys WHERE algorithm <> 'HS256' AND revoked_at_ms IS NULL"
    )
    return {row[0] for row in rows}


async def forget_published(tx: Transaction) -> None:
    """Drop every key whose public half the world is told, of all issuers."""
    await tx.execute("DELETE FROM signing_keys WHERE algorithm <> 'HS256'")


async def of_all(tx: Transaction) -> dict[int, list[StoredKey]]:
    """Return every issuer's keys, by its number."""
    found: defaultdict[int, list[StoredKey]] = defaultdict(list)
    for issuer, *row in await tx.fetch(f"SELECT issuer, {_COLUMNS} FROM signing_keys ORDER BY issuer, kid"):  # noqa: S608
        found[issuer].append(_key(tuple(row)))
    return dict(found)


async def issuer_of(tx: Transaction, kid: str) -> int | None:
    row = await tx.fetch_one("SELECT issuer FROM signing_keys WHERE kid = ?", (kid,))
    return row[0] if row else None


async def add(tx: Transaction, issuer: int, key: StoredKey) -> None:
    await tx.execute(
        f"INSERT INTO signing_keys (issuer, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            issuer,
            key.kid,
            key.algorithm,
            key.public_jwk,
            key.sealed_private_jwk,
            key.published_at_ms // 1000,
            key.signs_from_ms,
            key.retires_at_ms,
            key.revoked_at_ms,
        ),
    )


async def set_signs_from(tx: Transaction, issuer: int, kid: str, at_ms: int) -> None:
    await tx.execute("UPDATE signing_keys SET signs_from_ms = ? WHERE issuer = ? AND kid = ?", (at_ms, issuer, kid))


async def set_retires_at(tx: Transaction, issuer: int, kid: str, at_ms: int | None) -> None:
    await tx.execute("UPDATE signing_keys SET retires_at_ms = ? WHERE issuer = ? AND kid = ?", (at_ms, issuer, kid))


async def set_revoked(tx: Transaction, issuer: int, kid: str, at_ms: int) -> None:
    await tx.execute("UPDATE signing_keys SET revoked_at_ms = ? WHERE issuer = ? AND kid = ?", (at_ms, issuer, kid))


async def erase(tx: Transaction, issuer: int, kid: str) -> None:
    """Let go of the private part."""
    await tx.execute("UPDATE signing_keys SET sealed_private_jwk = ? WHERE issuer = ? AND kid = ?", (b"", issuer, kid))


async def forget(tx: Transaction, issuer: int, kid: str) -> None:
    await tx.execute("DELETE FROM signing_keys WHERE issuer = ? AND kid = ?", (issuer, kid))
