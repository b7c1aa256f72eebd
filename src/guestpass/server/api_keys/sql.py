"""The tables api_keys and api_key_secrets. Small, so an index on a hash costs nothing here.

A key that a server of the version before made has no row in ``api_key_secrets``: its one secret is in ``api_keys``. For
those servers that column is kept, too, as long as they can judge the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from guestpass.core.callers import ip_ranges
from guestpass.core.callers.api_key import ALL_CAN
from guestpass.core.callers.grant import Grant
from guestpass.server.api_keys.model import ApiKey, Described, Secret
from guestpass.server.storage.store import Row, Store, Transaction

_COLUMNS = "id, issuer, name, can, ceiling, ip_ranges, expires_at, created_at, last_used_at, revoked_at"
_K_COLUMNS = ", ".join(f"k.{name}" for name in _COLUMNS.split(", "))
_COUNT = _COLUMNS.count(",") + 1

_BY_HASH = (
    f"SELECT {_K_COLUMNS}, s.hash, s.created_at, s.ends_at, s.sealed_secret"  # noqa: S608 - names of ours
    " FROM api_key_secrets s JOIN api_keys k ON k.id = s.key_id WHERE s.hash = ?1"
    f" UNION ALL SELECT {_K_COLUMNS}, k.secret_hash, k.created_at, NULL, k.sealed_secret FROM api_keys k"
    " WHERE k.secret_hash = ?1 AND NOT EXISTS (SELECT 1 FROM api_key_secrets s WHERE s.key_id = k.id)"
)
_WITH_SECRETS = (
    f"SELECT {_K_COLUMNS}, coalesce(s.hash, k.secret_hash), coalesce(s.created_at, k.created_at), s.ends_at,"  # noqa: S608
    " CASE WHEN s.hash IS NULL THEN k.sealed_secret ELSE s.sealed_secret END"
    " FROM api_keys k LEFT JOIN api_key_secrets s ON s.key_id = k.id"
)


def _key(row: Row, shown: Secret | None = None) -> ApiKey:
    key_id, issuer, name, can, ceiling, ranges, expires_at, created_at, last_used_at, revoked_at = row
    grant = Grant(
        can=frozenset(word for word in ALL_CAN if word in can.split()),
        ceiling=ceiling,
        ip_ranges=None if ranges is None else ip_ranges.read(ranges.split()),
        expires_at=expires_at,
    )
    return ApiKey(
        id=key_id,
        issuer=issuer,
        name=name,
        grant=grant,
        created_at=created_at,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
        shown=shown,
    )


def _grant_row(grant: Grant) -> Row:
    ranges = None if grant.ip_ranges is None else " ".join(map(str, grant.ip_ranges))
    return " ".join(sorted(grant.can)), grant.ceiling, ranges, grant.expires_at


def _row(key: ApiKey) -> Row:
    return (
        key.id, key.issuer, key.name, *_grant_row(key.grant), key.created_at, key.last_used_at, key.revoked_at
    )  # fmt: skip


async def by_hash(store: Store, secret_hash: bytes) -> ApiKey | None:
    """Return the key that a secret belongs to, whether or not it works."""
    rows = await store.look_up(_BY_HASH, (secret_hash,))
    return _key(rows[0][:_COUNT], Secret(*rows[0][_COUNT:])) if rows else None


def _described(rows: Iterable[Row], now: float) -> dict[bytes, Described]:
    secrets: dict[bytes, list[Secret]] = {}
    keys: dict[bytes, ApiKey] = {}
    for row in rows:
        if row[0] not in keys:
            keys[row[0]] = _key(row[:_COUNT])
        secrets.setdefault(row[0], []).append(Secret(*row[_COUNT:]))
    return {
        key_id: Described(key, tuple(sorted((one for one in secrets[key_id] if one.works(now)), key=_newest_first)))
        for key_id, key in keys.items()
    }


def _newest_first(secret: Secret) -> tuple[bool, int]:
    return secret.ends_at is not None, -secret.created_at


async def look_up(store: Store, key_id: bytes, now: float) -> Described | None:
    rows = await store.look_up(f"{_WITH_SECRETS} WHERE k.id = ?", (key_id,))
    return _described(rows, now).get(key_id)


async def look_up_signing(store: Store, key_id: bytes, stand_in: Row, now: float) -> Described:
    """Return a key with its secrets that sign; where there is none, what ``stand_in`` says, at the same cost."""
    # The nearest is read in any case: a row that is not there would be 5 us cheaper, and tell that it is not.
    nearest = "(SELECT id FROM api_keys WHERE id <= ? ORDER BY id DESC LIMIT 1)"
    rows = await store.look_up(f"{_WITH_SECRETS} WHERE k.id = {nearest}", (key_id,))
    signs = [row for row in rows if row[0] == key_id and row[-1] is not None]
    (found,) = _described(signs or [stand_in], now).values()
    return found


def stand_in_row(key: ApiKey, secret: Secret) -> Row:
    """Return a key as the store would give it to ``look_up_signing``."""
    return (*_row(key), *secret)


async def by_id(tx: Transaction, key_id: bytes, now: float) -> Described | None:
    return (await by_ids(tx, [key_id], now)).get(key_id)


async def by_ids(tx: Transaction, key_ids: Sequence[bytes], now: float) -> Mapping[bytes, Described]:
    """Return those of the keys that there are, in one statement."""
    marks = ", ".join("?" * len(key_ids))
    return _described(await tx.fetch(f"{_WITH_SECRETS} WHERE k.id IN ({marks})", tuple(key_ids)), now)


async def ceilings_of(tx: Transaction, key_ids: Sequence[bytes]) -> dict[bytes, str]:
    return dict(await tx.fetch_among("SELECT id, ceiling FROM api_keys WHERE id IN (?*)", (), key_ids))


async def page(tx: Transaction, issuer: int, *, below: bytes, limit: int, now: float) -> list[Described]:
    """Return up to ``limit`` keys of an issuer with ids below ``below``, newest first."""
    rows = await tx.fetch(
        "SELECT id FROM api_keys WHERE issuer = ? AND id < ? ORDER BY id DESC LIMIT ?", (issuer, below, limit)
    )
    found = await by_ids(tx, [row[0] for row in rows], now) if rows else {}
    return [found[row[0]] for row in rows]


async def ids_of(tx: Transaction, issuer: int) -> list[bytes]:
    """Return the ids of every key of an issuer, oldest first."""
    return [row[0] for row in await tx.fetch("SELECT id FROM api_keys WHERE issuer = ? ORDER BY id", (issuer,))]


async def add(tx: Transaction, key: ApiKey, secret: Secret) -> None:
    await tx.execute(
        f"INSERT INTO api_keys ({_COLUMNS}, secret_hash, sealed_secret)"  # noqa: S608
        f" VALUES ({', '.join('?' * (_COUNT + 2))})",
        (*_row(key), *_for_the_version_before(key, secret)),
    )
    await add_secret(tx, key.id, secret)


async def add_secret(tx: Transaction, key_id: bytes, secret: Secret) -> None:
    await tx.execute(
        "INSERT INTO api_key_secrets (key_id, hash, created_at, ends_at, sealed_secret) VALUES (?, ?, ?, ?, ?)",
        (key_id, *secret),
    )


async def adopt(tx: Transaction, described: Described) -> None:
    """Write down the secret of a key that the version before made, before it gets another one."""
    for secret in described.secrets:
        await tx.execute(
            "INSERT INTO api_key_secrets (key_id, hash, created_at, ends_at, sealed_secret) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (described.key.id, *secret),
        )


async def end_secrets(tx: Transaction, key_id: bytes, *, ends_at: int) -> None:
    """Let every secret of a key end then, or when it would have; drop those that have ended."""
    await tx.execute(
        "UPDATE api_key_secrets SET ends_at = ? WHERE key_id = ? AND (ends_at IS NULL OR ends_at > ?)",
        (ends_at, key_id, ends_at),
    )


async def drop_secrets(tx: Transaction, key_id: bytes, *, ended_by: int) -> None:
    await tx.execute("DELETE FROM api_key_secrets WHERE key_id = ? AND ends_at <= ?", (key_id, ended_by))


async def put(tx: Transaction, key: ApiKey, newest: Secret) -> None:
    """Write the name and the grant of a key, and what the version before may see of its newest secret."""
    await tx.execute(
        "UPDATE api_keys SET name = ?, can = ?, ceiling = ?, ip_ranges = ?, expires_at = ?, secret_hash = ?,"
        " sealed_secret = ? WHERE id = ?",
        (key.name, *_grant_row(key.grant), *_for_the_version_before(key, newest), key.id),
    )


def _for_the_version_before(key: ApiKey, newest: Secret) -> tuple[bytes, bytes | None]:
    """Return (hash, sealed secret), or nothing that could be either where that version would let the key do too much."""
    if key.grant.ip_ranges is None and key.grant.expires_at is None:
        return newest.hash, newest.sealed
    return key.id, None


async def set_revoked(tx: Transaction, key_id: bytes, *, now: int) -> None:
    await tx.execute("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (now, key_id))


async def set_last_used(tx: Transaction, key_id: bytes, *, at: int) -> None:
    await tx.execute(
        "UPDATE api_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)",
        (at, key_id, at),
    )
