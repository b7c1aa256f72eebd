"""The tables renewals, refresh_salts and anomalies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guestpass.server.refresh.model import AnomalyRow
from guestpass.server.sessions.model import RenewalRow
from guestpass.server.storage import distinct
from guestpass.server.storage.store import Transaction

_COLUMNS = ", ".join(RenewalRow._fields)
_CHANGING = ("generation", "token_hash", "rotated_at_ms", "salt", "idle_ends_at", "recent")

_SAVE_ONE = (
    f"UPDATE renewals SET {', '.join(f'{name} = ?' for name in _CHANGING)}"  # noqa: S608 - names of ours
    " WHERE issuer = ? AND id = ? AND generation = ?"
)
_SAVE_MANY = (
    f"UPDATE renewals r SET {', '.join(f'{name} = n.{name}' for name in _CHANGING)}"  # noqa: S608
    " FROM unnest(?::bigint[], ?::bytea[], ?::bigint[], ?::bytea[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bytea[],"
    f" ?::bigint[]) AS n({_COLUMNS}, was)"
    " WHERE r.issuer = n.issuer AND r.id = n.id AND r.generation = n.was"
)


class Change(NamedTuple):
    """What a renewal becomes. ``was``: the generation that it must have until then."""

    after: RenewalRow
    was: int


async def save(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write what changed, one row each. Raises: RuntimeError where one changed since it was read, which its lock prevents."""
    if not changes:
        return
    if tx.dialect == "postgresql":
        columns = zip(*((*after, was) for after, was in changes), strict=True)
        written = await tx.execute(_SAVE_MANY, tuple(list(column) for column in columns))
    else:
        written = 0
        for after, was in changes:
            written += await tx.execute(_SAVE_ONE, (*after[2:], after.issuer, after.id, was))
    if written != len(changes):
        raise RuntimeError(f"{len(changes) - written} renewals changed beside the lock of their sessions")


async def salts_of(tx: Transaction, numbers: Iterable[int]) -> dict[int, bytes]:
    """Return those of the salts that are still there."""
    asked = sorted(set(numbers))
    if not asked:
        return {}
    return dict(await tx.fetch_among("SELECT number, salt FROM refresh_salts WHERE number IN (?*)", (), asked))


async def add_salt(tx: Transaction, number: int, salt: bytes, *, ends_at_ms: int) -> bytes:
    """Keep a salt of that number, unless another server was first; return the one that is kept."""
    await tx.execute(
        "INSERT INTO refresh_salts (number, salt, ends_at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (number, salt, ends_at_ms),
    )
    return (await salts_of(tx, [number]))[number]


async def erase_salts(tx: Transaction, *, now_ms: int) -> int:
    """Overwrite and drop the salts whose time is over; return how many went."""
    over = "ends_at_ms <= ?"
    # A row that is deleted stays in its page as it was; one that is changed to the same length does not.
    await tx.execute(
        f"UPDATE refresh_salts SET salt = ? WHERE {over}",  # noqa: S608
        (bytes(32), now_ms),
    )
    return await tx.execute(f"DELETE FROM refresh_salts WHERE {over}", (now_ms,))  # noqa: S608


async def has_salts(tx: Transaction) -> bool:
    return await tx.fetch_one("SELECT 1 FROM refresh_salts LIMIT 1") is not None


async def add_anomalies(tx: Transaction, rows: Sequence[AnomalyRow]) -> None:
    await tx.insert("anomalies", AnomalyRow._fields, rows)


async def anomalies_page(tx: Transaction, issuer: int, *, below: bytes, limit: int) -> list[AnomalyRow]:
    """Return up to ``limit`` anomalies with ids below ``below``, newest first."""
    rows = await tx.fetch(
        f"SELECT {', '.join(AnomalyRow._fields)} FROM anomalies WHERE issuer = ? AND id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608
        (issuer, below, limit),
    )
    return [AnomalyRow(*row) for row in rows]


async def erase_evidence(tx: Transaction, issuer: int, session_ids: Sequence[bytes]) -> None:
    """Empty what anomalies of sessions say of networks and agents. They are few: no index leads to them."""
    found = await tx.fetch_among(
        "SELECT id FROM anomalies WHERE issuer = ? AND session_id IN (?*)", (issuer,), session_ids
    )
    for (anomaly_id,) in found:
        await tx.execute("UPDATE anomalies SET evidence = '{}' WHERE issuer = ? AND id = ?", (issuer, anomaly_id))


async def issuers_with_anomalies(tx: Transaction) -> list[int]:
    return await distinct.values(tx, "anomalies", "issuer")


async def forget_anomalies(tx: Transaction, issuer: int, edge: bytes, *, most: int) -> int:
    """Drop up to ``most`` anomalies below ``edge``, oldest first; return how many went."""
    return await tx.execute(
        "DELETE FROM anomalies WHERE (issuer, id) IN"
        " (SELECT issuer, id FROM anomalies WHERE issuer = ? AND id < ? ORDER BY id LIMIT ?)",
        (issuer, edge, most),
    )
