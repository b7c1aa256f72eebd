"""No server outlives the run that started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servers.processes import wait_for_the_end_of

RUN = """
import time
from servers.postgres import Postgres
from servers.processes import Home, family_of
from servers.valkey import Valkey

with Home() as home:
    postgres, valkey = Postgres.made(home, durable=False), Valkey.made(home)
    postgres.freeze()
    print(home.folder, *family_of(postgres._process.pid), *family_of(valkey._process.pid), flush=True)
    time.sleep({seconds})
"""


@pytest.mark.parametrize("end", ["by itself", signal.SIGINT, signal.SIGKILL], ids=str)
def test_servers_end_with_the_run_however_it_ends(end):
    """A frozen one, too."""
    code = RUN.format(seconds=0 if end == "by itself" else 60)
    tests = Path(__file__).parent.parent
    run = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tests, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with run:
        folder, *pids = run.stdout.readline().split()
        assert len(pids) > 4
        if end != "by itself":
            run.send_signal(end)
    assert wait_for_the_end_of({int(pid) for pid in pids})
    wait_until_gone(Path(folder))


def wait_until_gone(folder):
    while folder.exists():
        time.sleep(0.01)
