"""What tests of deployment share."""

import http.server
import threading

import pytest
from in_front import Mirror


@pytest.fixture
def mirror_port():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as mirror:
        mirror.daemon_threads = True
        mirror.block_on_close = False
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        yield mirror.server_port
        mirror.shutdown()
