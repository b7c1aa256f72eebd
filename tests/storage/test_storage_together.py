"""What several coroutines ask together is answered as if each had asked alone, in fewer trips."""

from __future__ import annotations

import pytest

from engines import at_once
from guestpass.server.storage.postgres_transaction import PostgresTransaction
from guestpass.server.storage.store import Locks, together

ROWS = [(number, f"name {number}", bytes([number]), None if number == 2 else number) for number in range(1, 6)]


async def fill(tx):
    await tx.execute("CREATE TABLE things (number BIGINT, name TEXT, octets BYTEA, perhaps BIGINT)")
    await tx.insert("things", ("number", "name", "octets", "perhaps"), ROWS)


async def from_number(tx, number):
    return await tx.fetch(
        "SELECT number, name, octets, perhaps FROM things WHERE number >= ? ORDER BY number DESC", (number,)
    )


async def names_among(tx, numbers):
    rows = await tx.fetch_among("SELECT name FROM things WHERE number IN (?*)", (), numbers)
    return sorted(name for (name,) in rows)


async def follows(tx, number):
    """Ask three times, each for what the answer before named."""
    for _ in range(3):
        row = await tx.fetch_one("SELECT number + ?2 FROM things WHERE number = ?1", (number, 1))
        number = row[0] if row else number
    return number


async def nothing(tx):
    return "nothing"


async def breaks(tx):
    await tx.fetch("SELECT 1")
    raise ValueError("broken")


async def test_each_is_answered_as_if_it_had_asked_alone(store):
    async def act(tx):
        await fill(tx)
        alone = (await from_number(tx, 2), await names_among(tx, [1, 4, 9]), await follows(tx, 1))
        assert await together(tx, from_number(tx, 2), names_among(tx, [1, 4, 9]), follows(tx, 1)) == alone
        assert alone == (ROWS[:0:-1], ["name 1", "name 4"], 4)
        return await together(tx, nothing(tx), tx.fetch_one("SELECT name FROM things WHERE number = ?", (9,)))

    assert await at_once(store, act) == ("nothing", None)


async def test_who_is_asked_may_ask_others_together(store):
    async def both(tx):
        return await together(tx, follows(tx, 1), names_among(tx, [2]))

    async def act(tx):
        await fill(tx)
        return await together(tx, both(tx), from_number(tx, 5))

    assert await at_once(store, act) == ((4, ["name 2"]), ROWS[4:])


async def test_where_one_breaks_all_are_given_up(store):
    async def act(tx):
        await fill(tx)
        with pytest.raises(ValueError, match="broken"):
            await together(tx, breaks(tx), follows(tx, 1))
        return await follows(tx, 1)

    assert await at_once(store, act) == 4


class Connection:
    """Notes what is sent, and answers nothing."""

    def __init__(self):
        self.sent = []

    async def fetch(self, statement, *parameters):
        self.sent.append((statement, parameters))
        return []

    async def fetchrow(self, statement, *parameters):
        self.sent.append((statement, parameters))
        return tuple([] for _ in range(statement.count("ARRAY(")))

    async def execute(self, statement, *parameters):
        self.sent.append((statement, parameters))
        return "INSERT 0 1"


async def test_postgresql_is_asked_in_one_trip_behind_the_locks_that_came_first():
    connection, opened = Connection(), []

    async def open_with(first):
        opened.append(first)
        return connection

    tx = PostgresTransaction(open_with, "BEGIN", None, {})
    await tx.lock(Locks.ISSUER, [3, 1], shared=True)
    assert opened == [], "a lock is had with the first statement"
    await together(tx, names_among(tx, [7]), tx.fetch("SELECT 1 WHERE ?2 = ?1", (1, 2)), nothing(tx))
    (first,) = opened
    assert first.startswith("BEGIN; SELECT pg_advisory_xact_lock_shared(")
    assert "ARRAY[1, 3]" in first
    statement = (
        "SELECT ARRAY(SELECT q FROM (SELECT name FROM things WHERE number = ANY ($1)) AS q), "
        "ARRAY(SELECT q FROM (SELECT 1 WHERE $3 = $2) AS q)"
    )
    assert connection.sent == [(statement, ([7], 1, 2))]
    await tx.lock(Locks.SESSION, [2])
    await tx.execute("DELETE FROM things")
    assert [sent[0].partition("(")[0] for sent in connection.sent[1:]] == [
        "SELECT pg_advisory_xact_lock",
        "DELETE FROM things",
    ]
    await tx.end("COMMIT")
    assert connection.sent[-1][0] == "COMMIT"


async def test_those_who_ask_together_only_read():
    async def writes(tx):
        await tx.execute("DELETE FROM things")

    async def open_with(first):
        raise AssertionError("nothing is to be sent")

    tx = PostgresTransaction(open_with, "BEGIN", None, {})
    with pytest.raises(RuntimeError, match="only read"):
        await together(tx, writes(tx), nothing(tx))
    await tx.end("COMMIT")
