"""Fixtures for every test; an ``async def`` test runs on asyncio without being marked.

Servers are started by the first test that asks for one, and end with the run; see ``tests/servers``.
"""

from __future__ import annotations

import inspect

import pytest

from servers import postgres, valkey
from servers.processes import Home
from world import World


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(obj):
    if inspect.iscoroutinefunction(obj):
        pytest.mark.anyio(obj)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def world():
    """A service of one's own: fake clock, seeded entropy, three backends."""
    async with World.opened() as world:
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
