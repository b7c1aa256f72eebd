import pytest
from hosts import SITES, Site

from world import World


@pytest.fixture
async def world():
    async with World.opened() as world:
        yield world


@pytest.fixture(params=sorted(SITES))
def site(request, world):
    """The business's site, in each framework."""
    return Site.of(request.param, world)
