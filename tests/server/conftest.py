from __future__ import annotations

import os

import pytest
from command_line import CommandLine

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


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run commands in a directory of one's own, without a setting."""
    for name in list(os.environ):
        if name.startswith(("GUESTPASS_", "JWT_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path / "data", capsys, monkeypatch)
