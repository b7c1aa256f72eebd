"""Fixtures for every test; an ``async def`` test runs on asyncio without being marked."""

from __future__ import annotations

import inspect

import pytest

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
