"""Fixtures for every test; an ``async def`` test runs on asyncio without being marked.

Servers are started by the first test that asks for one, and end with the run; see ``tests/servers``.
"""

from __future__ import annotations

import inspect

import pytest

import engines
from guestpass.server.storage.sqlite import MEMORY
from servers import postgres, valkey
from servers.processes import Home
from world import World


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj):
    if inspect.iscoroutinefunction(obj):
        pytest.mark.anyio(obj)


def pytest_generate_tests(metafunc):
    over = getattr(metafunc.module, "ENGINES", None)
    if over is not None and "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", over, scope="module")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def engine():
    """The engine under a test's store, where its module does not name several."""
    return engines.SQLITE


@pytest.fixture
def place(engine, request):
    """Where a store of one's own is, migrated: in memory, or at a URL."""
    return request.getfixturevalue("migrated_url") if engine == engines.POSTGRESQL else MEMORY


@pytest.fixture
def migrated_url(databases):
    with databases.fresh(engines.migrate_database, engines.WIPE) as url:
        yield url


@pytest.fixture
async def store(place):
    store = await engines.migrated(place)
    yield store
    await store.close()


@pytest.fixture
async def tx(store):
    """A transaction of which nothing remains."""
    async with engines.transaction(store) as tx:
        yield tx


@pytest.fixture
async def world(place):
    """A service of one's own: fake clock, seeded entropy, three backends."""
    async with World.opened(database_url=place if engines.is_url(place) else "") as world:
        yield world


@pytest.fixture(scope="session")
def home():
    """Where servers live; they end with the run, however it ends."""
    with Home() as home:
        yield home


@pytest.fixture(scope="session")
def databases(home):
    """A PostgreSQL, for ``databases.fresh()``."""
    with postgres.databases(home) as databases:
        yield databases


@pytest.fixture
def database_url(databases):
    """An empty database of one's own."""
    with databases.fresh() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_server_url(home):
    with valkey.redis_url(home) as url:
        yield url


@pytest.fixture
def redis_url(valkey_server_url):
    """An empty Valkey."""
    valkey.flush(valkey_server_url)
    return valkey_server_url
