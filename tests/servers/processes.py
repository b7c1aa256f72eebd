"""A home for the servers that tests start: folders, an unprivileged user, and an end for all of them.

Whatever becomes of the test run (it ends, Ctrl-C, kill -9), its servers end: a process of its own, the reaper, waits
for the other end of a pipe to close, and the kernel closes that whoever kills us.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

START_SECONDS = 30
END_SECONDS = 30
REAP_SECONDS = 3  # after which nobody is asked any more
STABLE_PORTS = range(20_000, 32_000)  # below those that the kernel gives to outgoing connections


class Home:
    """Where the servers of one test run live; a context manager.

    Servers run as ``nobody`` where we are root: PostgreSQL refuses to run as root, and the others need not.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="guestpass-"))
        self.folder.chmod(0o711)
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._started: list[subprocess.Popen] = []
        self._reaper = subprocess.Popen(
            [sys.executable, __file__, str(self.folder)], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._reaper.stdin.close()
        self._reaper.wait()
        for process in self._started:
            process.wait()

    @property
    def privileges(self):
        """The arguments with which ``subprocess`` starts a program as the servers' user."""
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def new_folder(self, name):
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        return folder

    def start(self, command, *, folder):
        """Start a server that stays in the foreground; what it says goes to ``folder/log``."""
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                **self.privileges,
            )
        self._started.append(process)
        self._reaper.stdin.write(f"{process.pid}\n")
        self._reaper.stdin.flush()
        return process


def wait_until(is_ready, process, folder):
    """Return as soon as the server says yes. Raises: AssertionError with its last words when it ended, or never does."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{process.args[0]} does not start: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.005)


def stable_port():
    """Return a port that is free, and that no outgoing connection takes while its server is away."""
    while True:
        port = random.choice(STABLE_PORTS)  # by chance: another test run may look for one, too
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def answers(port):
    """Say whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def family_of(pid):
    """Return the process and all that descend from it."""
    children = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*"):
        if found := _living(entry.name):
            children[found.parent].append(int(entry.name))
    family = [pid]
    for member in family:
        family += children[member]
    return family


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def freeze(pid):
    """Stop a server and its children as they are: connections stay open, and nothing answers."""
    frozen = set()
    while new := set(family_of(pid)) - frozen:  # again, for a child that was made meanwhile
        signal_all(new, signal.SIGSTOP)
        frozen |= new


def thaw(pid):
    signal_all(family_of(pid), signal.SIGCONT)


def wait_for_the_end_of(pids, seconds=END_SECONDS):
    """Return whether all of them are gone in time."""
    deadline = time.monotonic() + seconds
    living = {pid: known.started for pid in pids if (known := _living(pid))}
    while any(_is_still(pid, started) for pid, started in living.items()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class _Process(NamedTuple):
    parent: int
    started: str


def _living(pid):
    """Return what is known of a process, or None where it is dead."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else _Process(int(fields[1]), fields[19])
    return None


def _is_still(pid, started):
    """Say whether it lives, and its number is not another's by now; its parent may be another."""
    found = _living(pid)
    return found is not None and found.started == started


def reap(folder):
    """Note who is started until the test run is gone; then end whoever is left, and remove the folder."""
    servers = [(int(line), _living(int(line))) for line in sys.stdin]
    left = [pid for pid, known in servers if known and _is_still(pid, known.started)]
    for pid in left:
        thaw(pid)
        signal_all([pid], signal.SIGINT)
    families = {member for pid in left for member in family_of(pid)}
    if not wait_for_the_end_of(families, REAP_SECONDS):
        signal_all(families, signal.SIGKILL)
        wait_for_the_end_of(families)
    subprocess.Popen(["rm", "-rf", folder])  # on a busy disk this takes many seconds, for which nobody should wait


if __name__ == "__main__":
    reap(sys.argv[1])
