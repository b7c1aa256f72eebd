"""The api_keys table. Small, so an index on the hash costs nothing here."""

from __future__ import annotations

from collections.abc import Iterable

from guestpass.server.api_keys.model import ApiKey
from guestpass.server.storage.store import Row, Store, Transaction

_STORED = "id, issuer, name, can, ceiling, created_at, revoked_at"
_COLUMNS = f"{_STORED}, sealed_secret IS NOT NULL"


def _key(row: Row) -> ApiKey:
    key_id, issuer, name, can, ceiling, created_at, revoked_at, signing = row
    return ApiKey(key_id, issuer, name, frozenset(can.split()), ceiling, created_at, revoked_at, bool(signing))


def _row(key: ApiKey) -> Row:
    return (key.id, key.issuer, key.name, " ".join(sorted(key.can)), key.ceiling, key.created_at, key.revoked_at)


async def by_secret_hash(store: Store, secret_hash: bytes) -> ApiKey | None:
    rows = await store.look_up(f"SELECT {_COLUMNS} FROM api_keys WHERE secret_hash = ?", (secret_hash,))  # noqa: S608
    return _key(rows[0]) if rows else None


async def with_sealed_secret(store: Store, key_id: bytes, stand_in: Row) -> tuple[ApiKey, bytes]:
    """Return a key that signs with its sealed secret; where there is none, what ``stand_in`` says, at the same cost."""
    # The nearest is read in any case: a row that is not there would be 5 us cheaper, and tell that it is not.
    rows = await store.look_up(
        f"SELECT {_COLUMNS}, sealed_secret FROM api_keys WHERE id <= ? ORDER BY id DESC LIMIT 1",  # noqa: S608
        (key_id,),
    )
    nearest = rows[0] if rows else stand_in
    *columns, sealed_secret = nearest if nearest[0] == key_id and nearest[-1] is not None else stand_in
    return _key(tuple(columns)), sealed_secret


def stand_in_row(key: ApiKey, sealed_secret: bytes) -> Row:
    """Return a key as the store would give it to ``with_sealed_secret``."""
    return (*_row(key), key.signing, sealed_secret)


async def add(tx: Transaction, key: ApiKey, secret_hash: bytes, sealed_secret: bytes | None) -> None:
    await tx.execute(
        f"INSERT INTO api_keys ({_STORED}, secret_hash, sealed_secret) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (*_row(key), secret_hash, sealed_secret),
    )


async def by_id(tx: Transaction, key_id: bytes) -> ApiKey | None:
    row = await tx.fetch_one(f"SELECT {_COLUMNS} FROM api_keys WHERE id = ?", (key_id,))  # noqa: S608
    return _key(row) if row else None


async def all_of(tx: Transaction, issuers: Iterable[int]) -> list[ApiKey]:
    """Return the keys of these issuers, oldest first."""
    return [
        _key(row)
        for issuer in issuers
        for row in await tx.fetch(f"SELECT {_COLUMNS} FROM api_keys WHERE issuer = ? ORDER BY id", (issuer,))  # noqa: S608
    ]


async def set_revoked(tx: Transaction, key_id: bytes, *, now: int) -> None:
    await tx.execute("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (now, key_id))


async def revoked_among(tx: Transaction, key_ids: Iterable[bytes]) -> set[bytes]:
    """Return those that may no longer mint; a key that is not there counts as revoked."""
    return {
        key_id
        for key_id in key_ids
        if await tx.fetch_one("SELECT 1 FROM api_keys WHERE id = ? AND revoked_at IS NULL", (key_id,)) is None
    }
