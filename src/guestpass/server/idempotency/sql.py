"""The tables idempotency_log, to which answers are appended, and idempotency_index, by which they are found again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from guestpass.server.idempotency.model import GENERATION_BITS, Kept, generation_of
from guestpass.server.storage import facts
from guestpass.server.storage.store import Transaction

Entry: TypeAlias = tuple[bytes, int]  # (hash, number), in the order of the index


class Progress(NamedTuple):
    """All answers up to the number ``up_to`` have an entry, and of those in the run behind it all up to ``last``."""

    up_to: int = 0
    last: Entry = (b"", 0)  # below all entries that there can be


_INDEXED = "idempotency_indexed"
_NUMBER_BYTES = 8

_COLUMNS = ", ".join(Kept._fields)
_L_COLUMNS = ", ".join(f"l.{name}" for name in Kept._fields)
_BY_NUMBER = f"SELECT {_COLUMNS} FROM idempotency_log WHERE number = ?"  # noqa: S608
_BY_INDEX = (
    f"SELECT {_L_COLUMNS} FROM idempotency_index i CROSS JOIN idempotency_log l"  # noqa: S608
    " WHERE i.generation = ? AND i.hash = ? AND l.number = i.number"
)
_BY_INDEX_POSTGRES = (
    f"SELECT {_L_COLUMNS} FROM unnest(?::bigint[], ?::bytea[]) AS wanted (generation, hash)"  # noqa: S608
    " JOIN idempotency_index i ON i.generation = wanted.generation AND i.hash = wanted.hash"
    " JOIN idempotency_log l ON l.number = i.number"
)
_APPEND_POSTGRES = (
    "WITH kept AS (INSERT INTO idempotency_log (hash, written_at, expires_at, sealed)"  # noqa: S608
    " SELECT * FROM unnest(?::bytea[], ?::bigint[], ?::bigint[], ?::bytea[]) RETURNING number, hash)"
    " INSERT INTO idempotency_index (generation, hash, number)"
    f" SELECT number >> {GENERATION_BITS}, hash, number FROM kept"
)


async def append(tx: Transaction, answers: Sequence[Kept], *, above: int) -> None:
    """Write answers down, under new numbers ``above`` what there ever was; PostgreSQL counts by itself, and indexes them."""
    if tx.dialect == "postgresql":
        columns = zip(*(answer[1:] for answer in answers), strict=True)
        await tx.execute(_APPEND_POSTGRES, tuple(list(column) for column in columns))
        return
    start = max(above, await highest(tx)) + 1
    rows = [(number, *answer[1:]) for number, answer in enumerate(answers, start)]
    await tx.insert("idempotency_log", Kept._fields, rows)


async def written_from(tx: Transaction, number: int) -> list[tuple[int, bytes]]:
    """Return (number, hash) of every answer from ``number`` on."""
    rows = await tx.fetch("SELECT number, hash FROM idempotency_log WHERE number >= ? ORDER BY number", (number,))
    return [(row[0], row[1]) for row in rows]


async def written_between(tx: Transaction, above: int, up_to: int) -> list[Entry]:
    """Return an entry for each answer with these numbers, in order."""
    rows = await tx.fetch("SELECT hash, number FROM idempotency_log WHERE number > ? AND number <= ?", (above, up_to))
    return sorted((row[0], row[1]) for row in rows)


async def by_numbers(tx: Transaction, numbers: Iterable[int]) -> list[Kept]:
    rows = [await tx.fetch_one(_BY_NUMBER, (number,)) for number in numbers]
    return [Kept(*row) for row in rows if row is not None]


async def by_index(tx: Transaction, wanted: Sequence[tuple[int, bytes]]) -> list[Kept]:
    """Return the answers that the index finds for (generation, hash); in one statement, so that none moves meanwhile."""
    if tx.dialect == "postgresql":
        generations, hashes = zip(*wanted, strict=True)
        return [Kept(*row) for row in await tx.fetch(_BY_INDEX_POSTGRES, (list(generations), list(hashes)))]
    return [Kept(*row) for pair in wanted for row in await tx.fetch(_BY_INDEX, pair)]


async def lowest(tx: Transaction) -> int | None:
    """Return the lowest number that is kept, None where nothing is."""
    row = await tx.fetch_one("SELECT min(number) FROM idempotency_log")
    return row[0] if row else None


async def highest(tx: Transaction) -> int:
    """Return the highest number that is kept, 0 where nothing is."""
    row = await tx.fetch_one("SELECT max(number) FROM idempotency_log")
    return (row[0] or 0) if row else 0


async def progress(tx: Transaction) -> Progress:
    """Return how far the index is fed."""
    value = await facts.get(tx, _INDEXED)
    if value is None:
        return Progress()
    up_to, hashed, number = value[:_NUMBER_BYTES], value[_NUMBER_BYTES:-_NUMBER_BYTES], value[-_NUMBER_BYTES:]
    return Progress(int.from_bytes(up_to, "big"), (hashed, int.from_bytes(number, "big")))


async def set_progress(tx: Transaction, made: Progress) -> None:
    up_to, number = (number.to_bytes(_NUMBER_BYTES, "big") for number in (made.up_to, made.last[1]))
    await facts.put(tx, _INDEXED, up_to + made.last[0] + number)


async def index(tx: Transaction, entries: Iterable[Entry]) -> None:
    rows = [(generation_of(number), hashed, number) for hashed, number in entries]
    await tx.insert("idempotency_index", ("generation", "hash", "number"), rows)


async def hashes_of(tx: Transaction, generation: int, after: bytes, *, most: int) -> list[bytes]:
    """Return hashes of a generation in order, from behind ``after`` on."""
    rows = await tx.fetch(
        "SELECT hash FROM idempotency_index WHERE generation = ? AND hash > ? ORDER BY hash LIMIT ?",
        (generation, after, most),
    )
    return [row[0] for row in rows]


class Age(NamedTuple):
    number: int
    written_at: int
    expires_at: int


async def oldest(tx: Transaction, *, most: int) -> list[Age]:
    rows = await tx.fetch("SELECT number, written_at, expires_at FROM idempotency_log ORDER BY number LIMIT ?", (most,))
    return [Age(*row) for row in rows]


async def written_at_from(tx: Transaction, number: int) -> int | None:
    """Return when the first answer from ``number`` on was written."""
    row = await tx.fetch_one(
        "SELECT written_at FROM idempotency_log WHERE number >= ? ORDER BY number LIMIT 1", (number,)
    )
    return row[0] if row else None


async def forget_up_to(tx: Transaction, number: int) -> None:
    await tx.execute("DELETE FROM idempotency_log WHERE number <= ?", (number,))


async def ends_of_index(tx: Transaction) -> tuple[int, int]:
    """Return the oldest and the newest generation; (0, 0) where there is none."""
    row = await tx.fetch_one(
        "SELECT (SELECT min(generation) FROM idempotency_index), (SELECT max(generation) FROM idempotency_index)"
    )
    return (row[0] or 0, row[1] or 0) if row else (0, 0)


async def forget_entries(tx: Transaction, generation: int, *, most: int) -> int:
    """Drop up to ``most`` hashes of a generation; return how many entries went."""
    return await tx.execute(
        "DELETE FROM idempotency_index WHERE generation = ? AND hash IN"
        " (SELECT hash FROM idempotency_index WHERE generation = ? ORDER BY hash LIMIT ?)",
        (generation, generation, most),
    )
