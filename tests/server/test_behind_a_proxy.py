"""A real nginx before a real server, set up as the page for operators says: each client is itself, and nobody another."""

from __future__ import annotations

import http.client
import re
from pathlib import Path

import pytest

from servers.nginx import Nginx
from torture.real_server import RealServer

PAGE = Path(__file__).parent.parent.parent / "docs/operating.md"
SETTINGS = {"GUESTPASS_TRUSTED_PROXIES": "127.0.0.1", "GUESTPASS_FAILURES_PER_MINUTE": "3"}


@pytest.fixture
async def server(tmp_path):
    server = RealServer.made(tmp_path, settings=SETTINGS)
    await server.start()
    yield server
    server.kill()


@pytest.fixture
def nginx(home, server):
    """nginx with the block of the page, before our port in place of the usual one."""
    (block,) = re.findall(r"^```nginx\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    nginx = Nginx(home)
    location = block.replace("127.0.0.1:8787", f"127.0.0.1:{server.port}")
    nginx.start(f"server {{ listen 0.0.0.0:{nginx.port};\n{location}\n}}")
    yield nginx
    nginx.stop()


def get(port, *, key, address, **headers):
    """Ask as a client that has an address of its own on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(address, 0))
    try:
        connection.request("GET", "/v1/sessions", headers={"Authorization": f"Bearer {key}", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


async def test_clients_of_a_trusted_proxy_are_limited_each_for_itself(nginx, server):
    wrong = "sk_test_" + "0" * 49
    spoofed = [get(nginx.port, key=wrong, address="127.0.0.2", **{"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(5)]
    assert spoofed == [401, 401, 401, 429, 429]
    assert get(nginx.port, key=wrong, address="127.0.0.3") == 401
    assert get(nginx.port, key=server.key, address="127.0.0.2") == 200


async def test_a_client_that_goes_past_the_proxy_says_nothing_of_itself(server):
    wrong = "sk_test_" + "0" * 49
    asked = [get(server.port, key=wrong, address="127.0.0.2", **{"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(4)]
    assert asked == [401, 401, 401, 429]
