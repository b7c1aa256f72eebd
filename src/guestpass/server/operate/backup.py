"""``guestpass backup``: copy a store while servers go on working on it. The copy says of itself that it is one."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from guestpass.errors import Unavailable
from guestpass.server import credentials
from guestpass.server.opening import DATABASE_FILE
from guestpass.server.operate.settings import Settings
from guestpass.server.storage import copies, facts
from guestpass.server.storage.copies import StoreRefused
from guestpass.server.storage.group_commit import run_now
from guestpass.server.storage.sqlite import SqliteTransaction

BUSY_SECONDS = 30.0
_FINGERPRINT_IN_DUMP = re.compile(r"^master_key_fingerprint\t\\\\x([0-9a-f]+)$", re.MULTILINE)


class Backup(NamedTuple):
    """``fingerprint``: of the master key that a restore needs."""

    file: Path
    size: int  # bytes
    fingerprint: str


def back_up(settings: Settings, target: Path) -> Backup:
    """Copy the store that the settings name into a new file. It is not migrated, and nothing is written to it.

    Raises: StoreRefused where the file exists; Unavailable where the copy cannot be made or written.
    """
    with new_file_beside(target) as partial:
        fingerprint = _dump(settings, partial) if settings.database_url else _copy(settings, partial)
        take_name(partial, target)
    return Backup(target, target.stat().st_size, fingerprint)


@contextlib.contextmanager
def new_file_beside(target: Path) -> Iterator[Path]:
    """Give a file to fill, for its owner alone; it is gone afterwards. Raises: Unavailable."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as fault:
        raise Unavailable(f"{target} cannot be written: {fault.strerror}.") from fault
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for end in ("", "-journal", "-wal", "-shm", "-turn"):  # SQLite's, and ours, where something broke
            Path(name + end).unlink(missing_ok=True)


def take_name(partial: Path, target: Path) -> None:
    """Give a file its name once all of it is on disk. Raises: StoreRefused where the name is taken; Unavailable."""
    try:
        sync(partial)
        os.link(partial, target)  # unlike a rename, it replaces nothing
        sync(target.parent)
    except FileExistsError:
        raise StoreRefused(f"{target} exists, and nothing is replaced. Name another file.") from None
    except OSError as fault:
        raise Unavailable(f"{target} cannot be written: {fault.strerror}.") from fault


def sync(path: Path) -> None:
    """Return when the file, or the directory's names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(settings: Settings, partial: Path) -> str:
    source = Path(settings.data_dir) / DATABASE_FILE
    try:
        with contextlib.closing(_connect(source)) as connection:
            # A reader's snapshot, so writers go on; and unlike a copy of the pages it leaves out what was deleted.
            connection.execute("VACUUM INTO ?", (str(partial),))
        with contextlib.closing(_connect(partial)) as connection:
            check_whole(connection, partial)
            connection.execute("BEGIN")
            run_now(copies.mark(SqliteTransaction(connection), now=int(time.time())))
            connection.execute("COMMIT")
            return run_now(facts.master_key_fingerprint(SqliteTransaction(connection))) or ""
    except sqlite3.Error as fault:
        raise Unavailable(f"The store {source} cannot be copied: {fault}.") from fault


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raises: Unavailable where the file is damaged."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise Unavailable(f"{path} is damaged: {' '.join(found.split())}.")


# PostgreSQL: its own programs do it, for they know all that a database holds.


def _dump(settings: Settings, partial: Path) -> str:
    run_program(
        "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={partial}", url=settings.database_url
    )
    return fingerprint_in_dump(partial) or ""


def fingerprint_in_dump(dump: Path) -> str | None:
    """Return the fingerprint of the master key that a dump needs, or None where it is none of Guestpass."""
    rows = run_program("pg_restore", "--data-only", "--table=store_facts", "--file=-", str(dump))
    found = _FINGERPRINT_IN_DUMP.search(rows)
    return bytes.fromhex(found[1]).decode() if found else None


def run_program(program: str, *arguments: str, url: str | None = None) -> str:
    """Run one of PostgreSQL's programs, on the database at ``url``; return what it printed.

    The password goes by its environment: whoever may list processes sees their arguments. Raises: Unavailable.
    """
    plain, password = _without_password(url or "")
    command = [program, *arguments, *([f"--dbname={plain}"] if url else [])]
    path = shutil.which(program)
    if path is None:
        raise Unavailable(
            f"{program} is not installed; it comes with PostgreSQL's client programs, of the server's version or "
            f"newer. Install it, or run where it is: {' '.join(command)}"
        )
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    ran = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, and arguments of ours
        [path, *command[1:]], env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise Unavailable(f"{program} failed: {credentials.without_any_secret(ran.stderr.strip())}")
    return ran.stdout


def _without_password(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    who, at, where = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    query = dict(parse_qsl(parts.query))
    password = query.pop("password", "") or unquote(password)
    plain = parts._replace(netloc=f"{user}{at}{where}", query=urlencode(query))
    return urlunsplit(plain), password or None
