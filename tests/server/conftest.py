from __future__ import annotations

import pytest

from world import World


@pytest.fixture(scope="module")
def anyio_backend():
    """Wider than the root's, so that a world may last as long as a module."""
    return "asyncio"


@pytest.fixture(scope="module")
async def shared_world():
    """One world for a whole module: for tables of hundreds of rows that do not mind each other's sessions."""
    async with World.opened() as world:
        yield world
