from __future__ import annotations

import pytest

from world import World


@pytest.fixture(scope="module")
def anyio_backend():
    """Wider than the root's, so that a world may last as long as a module."""
    return "asyncio"


@pytest.fixture(scope="module")
async def shared_world():
    """One world for a whole module: for tables of hundreds of rows that do not mind each other's sessions, or failures."""
    async with World.opened(failures_per_minute=0) as world:  # all of them fall into one minute of its clock
        yield world


@pytest.fixture(params=["sqlite", "postgresql"])
async def either_world(request):
    """A world on each engine in turn."""
    url = request.getfixturevalue("database_url") if request.param == "postgresql" else ""
    async with World.opened(database_url=url) as world:
        yield world
