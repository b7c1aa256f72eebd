"""Stands before a real server and loses answers: what was asked for is done, and nobody hears of it."""

from __future__ import annotations

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LossyProxy:
    """Passes requests on to a port of this machine. ``lose``: how many answers from now on do not arrive."""

    def __init__(self, port):
        self.lose = 0
        self.answers = []  # (status, headers) of each that the server gave, lost or not
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as server:
                    server.request("POST", self.path, body, dict(self.headers))
                    answer = server.getresponse()
                    content = answer.read()
                proxy.answers.append((answer.status, dict(answer.getheaders())))
                if proxy.lose:
                    proxy.lose -= 1
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
