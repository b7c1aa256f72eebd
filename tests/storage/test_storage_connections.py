"""Connections to PostgreSQL that were cut, that hang, or that lead to the wrong host: the next who asks is served."""

from __future__ import annotations

import pytest

from guestpass.errors import Unavailable
from guestpass.server.storage.connections import urls_of_each
from guestpass.server.storage.postgres import PostgresStore
from servers.postgres import Postgres, url_of_all


@pytest.fixture(scope="module")
def server(home):
    server = Postgres.made(home, durable=False)
    yield server
    server.stop()


@pytest.fixture
async def store(server):
    store = PostgresStore(server.url())
    yield store
    await store.close()


async def one(tx, items):
    return [(await tx.fetch_one("SELECT 1"))[0] for _ in items]


async def read_one(tx):
    return (await tx.fetch_one("SELECT 1"))[0]


async def all_answers(store):
    return await store.write(one, None), (await store.look_up("SELECT 1"))[0][0], await store.read(read_one)


async def test_nobody_notices_that_connections_were_cut_while_they_lay_idle(store, server):
    """By a restart, or by a firewall that forgets who is silent for long."""
    assert await all_answers(store) == (1, 1, 1)
    server.restart()
    assert await all_answers(store) == (1, 1, 1)
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename <> ''")
    assert await all_answers(store) == (1, 1, 1)


async def test_a_store_that_is_away_is_said_to_be_and_found_again(store, server):
    server.stop()
    for ask in (store.write(one, None), store.look_up("SELECT 1"), store.read(read_one)):
        with pytest.raises(Unavailable):
            await ask
    server.start()
    assert await all_answers(store) == (1, 1, 1)


@pytest.mark.parametrize("ill", ["away", "frozen", "read only"])
async def test_the_host_that_is_written_to_is_found_behind_one_that_is_not(home, server, ill):
    """One that hangs takes no more than its share of the time in which the other can be asked."""
    other = Postgres.made(home, durable=False)
    if ill == "frozen":
        other.freeze()
    elif ill == "away":
        other.stop()
    else:
        other.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        other.restart()
    store = PostgresStore(url_of_all([other, server]))
    assert await all_answers(store) == (1, 1, 1)
    await store.close()
    other.cut_power()


async def test_who_is_no_longer_written_to_is_left(home):
    """A primary that comes back as a standby is neither written to nor read from."""
    one_host, other = Postgres.made(home, durable=False), Postgres.made(home, durable=False)
    store = PostgresStore(url_of_all([one_host, other]))
    assert await port_of(store) == one_host.port
    one_host.sql("ALTER DATABASE postgres SET default_transaction_read_only = on")
    one_host.restart()
    assert await port_of(store) == other.port
    await store.close()
    for server in (one_host, other):
        server.stop()


async def port_of(store):
    return int((await store.look_up("SELECT current_setting('port')"))[0][0])


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://db/guestpass", ["db"]),
        ("postgresql://me:p%40,ss@one:5432,two:5433/guestpass", ["me:p%40,ss@one:5432", "me:p%40,ss@two:5433"]),
        ("postgresql://me@[::1]:5432,two/guestpass", ["me@[::1]:5432", "me@two"]),
    ],
)
def test_every_host_of_an_address_has_an_address_of_its_own(url, hosts):
    options = "?sslmode=require"
    assert urls_of_each(url + options) == [f"postgresql://{host}/guestpass{options}" for host in hosts]
