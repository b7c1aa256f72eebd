"""Servers whose store is copied, lost and put back."""

from __future__ import annotations

import contextlib

import pytest
from sites import EmbeddedSite, PostgresSite


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """A store on either engine; nobody serves it."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            yield EmbeddedSite(tmp_path, {})
        else:
            databases, home = request.getfixturevalue("databases"), request.getfixturevalue("home")
            urls = (stack.enter_context(databases.fresh()) for _ in range(2))
            yield PostgresSite(tmp_path, home, *urls)


@pytest.fixture
def file_store(tmp_path):
    """A store in a file; nobody serves it."""
    return EmbeddedSite(tmp_path, {})


@pytest.fixture
async def site(store):
    """A running server on either engine."""
    await store.open()
    yield store
    store.server.end()


@pytest.fixture
async def embedded(file_store):
    """A running server over a file."""
    await file_store.open()
    yield file_store
    file_store.server.end()
