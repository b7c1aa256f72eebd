"""Over real sockets: what MockTransport cannot show."""

import http.server
import json
import logging
import socket
import threading

import anyio
import pytest
from scripted_service import MINTED, SECRET_KEY, TOKEN

from guestpass.client import AsyncGuestpass, Guestpass
from guestpass.errors import Unavailable


class Door(http.server.ThreadingHTTPServer):
    """Hangs up on the first request without an answer, then mints; notes the idempotency keys it saw."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), DoorHandler)
        self.keys = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class DoorHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.keys.append(self.headers["idempotency-key"])
        if len(self.server.keys) == 1:
            self.close_connection = True
            return
        body = json.dumps(MINTED).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def door():
    with Door() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port_url():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def mint(url, **options):
    with Guestpass(SECRET_KEY, base_url=url, sleep=lambda _: None, **options) as gp:
        return gp.create_session_token(external_user_id="user_42")


def mint_async(url, **options):
    async def run():
        async def at_once(_):
            await anyio.lowlevel.checkpoint()

        async with AsyncGuestpass(SECRET_KEY, base_url=url, sleep=at_once, **options) as gp:
            return await gp.create_session_token(external_user_id="user_42")

    return anyio.run(run)


BOTH = pytest.mark.parametrize("mint_with", [mint, mint_async])


@BOTH
def test_a_lost_answer_is_asked_for_again_under_the_same_idempotency_key(door, mint_with):
    assert mint_with(door.url).session_token == TOKEN
    assert len(door.keys) == 2
    assert len(set(door.keys)) == 1


@BOTH
def test_no_credential_is_logged_even_with_every_library_at_debug(door, mint_with, caplog):
    caplog.set_level(logging.DEBUG)
    mint_with(door.url)
    assert caplog.records
    logged = "\n".join(f"{r.getMessage()} {r.args!r}" for r in caplog.records)
    assert SECRET_KEY not in logged
    assert TOKEN not in logged


@BOTH
def test_a_server_that_is_not_there_is_unavailable_and_named(closed_port_url, mint_with):
    with pytest.raises(Unavailable, match=f"{closed_port_url}, tried 2 times: could not connect"):
        mint_with(closed_port_url, max_retries=1)
