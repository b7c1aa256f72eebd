"""A PostgreSQL for benchmarks: that of the tests, durable, on the core of the load."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from harness import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(FOLDER.parent / "tests"))


@contextlib.contextmanager
def postgres(core: str | None) -> Iterator[str]:
    """Start a durable PostgreSQL, give the URL of its empty database, and end it."""
    from servers.postgres import Postgres
    from servers.processes import Home

    with Home() as home:
        server = Postgres.made(home, durable=True)
        if core is not None:
            pids = subprocess.run(["pgrep", "-f", str(server.folder)], capture_output=True, text=True, check=False)
            for pid in pids.stdout.split():
                os.sched_setaffinity(int(pid), {int(core)})  # what it starts from now on stays there, too
        yield server.url()
