"""Start a server on one core, wait for its answer, and be sure that it ends when we do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ANSWER_SECONDS_MAX = 30
STOP_SECONDS_MAX = 5
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def end_on_sigterm() -> None:
    """Turn SIGTERM into an ordinary end, so that every ``with`` below stops its server."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def environment(**more: str) -> dict[str, str]:
    """Return an environment without our settings: a benchmark runs on defaults, and on what it names itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GUESTPASS_", "PYTHON", "NODE_"))}
    return {**kept, **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(command: Sequence[str], core: str | None) -> list[str]:
    """Prefix ``command`` so that it stays on ``core`` and is killed with us, even when we are killed hard."""
    with_us = ["setpriv", "--pdeathsig", "KILL", *command]
    return with_us if core is None else ["taskset", "--cpu-list", core, *with_us]


class Server:
    """A running process and those it starts; all of them are one process group."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    def wait_for_answer(self) -> None:
        """Return at the first HTTP answer of any status, asked for every 2 ms."""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server did not start; its last words:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.002)

    def process_ids(self) -> list[int]:
        """The members of the process group that live now."""
        members = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(ProcessLookupError):
                    if os.getpgid(int(entry.name)) == self.process.pid:
                        members.append(int(entry.name))
        return sorted(members)

    def cpu_seconds(self) -> float:
        """Processor time that the group has used so far."""
        ticks = 0
        for pid in self.process_ids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
        return ticks / CLOCK_TICKS

    def stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS_MAX)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # workers that outlived their parent


@contextlib.contextmanager
def serving(
    command: Sequence[str], *, port: int, log: Path, core: str | None, env: Mapping[str, str], cwd: Path | None = None
) -> Iterator[Server]:
    """Start ``command`` and yield at once; it is stopped at the end of the block, whatever happens."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(command, core),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        yield server
    finally:
        server.stop()


def answers(port: int) -> bool:
    """Whether something on 127.0.0.1 speaks HTTP on ``port`` now."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(16).startswith(b"HTTP/1.1 ")
    except OSError:
        return False
