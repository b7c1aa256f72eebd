"""Real servers, ended whatever becomes of the test."""

from __future__ import annotations

import pytest
from real_server import RealServer


@pytest.fixture
async def server(tmp_path):
    """A server that answers."""
    server = RealServer.made(tmp_path)
    await server.start()
    yield server
    server.end()
