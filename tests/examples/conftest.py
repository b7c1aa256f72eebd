import asyncio

import pytest

from servers.processes import stable_port
from torture.real_server import RealServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real server, whose tokens name the port that it listens on."""
    port = stable_port()
    settings = {"GUESTPASS_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    server = RealServer.made(tmp_path_factory.mktemp("guestpass"), settings=settings)
    server.port = port
    try:
        asyncio.run(server.start())
        yield server
    finally:
        server.end()
