"""A server as an operator runs it, in a process of its own, and a client that knows what became of each request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from servers.processes import stable_port

START_SECONDS = 30
_GUESTPASS = [sys.executable, "-c", "from guestpass.server.main import main; main()"]


class Unanswered(Exception):
    """The request was sent and no answer came: what it asked for was done, or was not."""


class NotSent(Exception):
    """There is nobody to send to."""


class RealServer:
    """``guestpass serve`` over a data directory, or over the store that ``settings`` name.

    Args:
        settings: Environment variables.
        key: An API key's secret; one is made where none is given.
    """

    def __init__(self, directory, *, workers=1, log=None, settings=None, key=None):
        self.directory = str(directory)
        self.port = stable_port()
        self.workers = workers
        self._settings = settings or {}
        self._process = None
        self._log = log or Path(directory, "server.log")  # a pipe that nobody reads would fill up, and stop the server
        self.key = key or self._make_key()

    def _make_key(self):
        words = ("keys", "create", "--env", "test", "--name", "a test's", "--json")
        return json.loads(run(*words, at=self.directory, settings=self._settings))["secret"]

    @classmethod
    def made(cls, directory, **options):
        """Initialize the directory first."""
        run("init", "--json", at=directory, settings=options.get("settings"))
        return cls(directory, **options)

    async def start(self):
        """Return when the server answers."""
        self._spawn()
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended with {self._process.returncode}: {self.last_words()}")
            if time.monotonic() > deadline:
                raise AssertionError("the server does not answer")
            with contextlib.suppress(NotSent, Unanswered):
                async with self.connection() as connection:
                    if (await connection.get("/readyz"))[0] == 200:
                        return
            await asyncio.sleep(0.02)

    def _spawn(self):
        serve = ("serve", "--data-dir", self.directory, "--port", str(self.port), "--workers", str(self.workers))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(), *serve],
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                env=os.environ | self._settings,
            )

    def _command(self):
        return _GUESTPASS

    @property
    def pid(self):
        return self._process.pid

    @contextlib.asynccontextmanager
    async def connection(self):
        connection = Connection(self.port, self.key)
        try:
            yield connection
        finally:
            connection.close()

    def kill(self):
        """End it as a power cut does: no process of it gets another instruction."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self):
        """Ask it to end, as a deployment does."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self):
        """Return its exit code and its last words when it has ended."""
        code = await asyncio.to_thread(self._process.wait, START_SECONDS)
        return code, self.last_words()

    def last_words(self):
        return self._log.read_text()

    def end(self):
        """Make sure that nothing of it is left."""
        if self._process is not None and self._process.poll() is None:
            self.kill()


class Connection:
    """One client that sends one request after the other, over one connection as long as the server keeps it."""

    def __init__(self, port, key):
        self._port = port
        self._key = key
        self._streams = None

    @property
    def is_open(self):
        return self._streams is not None

    async def get(self, path, *, bearer=None):
        return await self.request("GET", path, bearer=bearer)

    async def post(self, path, body, *, key=None):
        """``key``: an Idempotency-Key."""
        return await self.request("POST", path, body, headers={"Idempotency-Key": key} if key else {})

    async def delete(self, path):
        return await self.request("DELETE", path)

    async def request(self, method, path, body=None, *, bearer=None, headers=None):
        """Return (status, headers, what the body says). Raises: NotSent, Unanswered."""
        if self._streams is None:
            try:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as fault:
                raise NotSent from fault
        reader, writer = self._streams
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
        if bearer or self._key:
            head += f"Authorization: Bearer {bearer or self._key}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        try:
            writer.write(head.encode() + b"\r\n" + content)
            status, headers = _read_head(await reader.readuntil(b"\r\n\r\n"))
            answer = await reader.readexactly(int(headers.get("content-length", "0")))
        except (OSError, asyncio.IncompleteReadError) as fault:
            self.close()
            raise Unanswered from fault
        if headers.get("connection") == "close":
            self.close()
        return status, headers, json.loads(answer) if answer else None

    def close(self):
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _read_head(head):
    status, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers


def run(*arguments, at, expect=0, settings=None):
    """Run a command on a store; return what it printed, or its last words where it is to fail."""
    done = subprocess.run(
        [*_GUESTPASS, *arguments, "--data-dir", str(at)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | (settings or {}),
    )
    assert done.returncode == expect, f"{arguments} ended with {done.returncode}: {done.stderr}"
    return done.stderr if expect else done.stdout
