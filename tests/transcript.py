"""Replay what a page shows: type its ``$ `` lines into a real shell and compare what comes back.

A ``console`` block holds commands and the output they are to have. All blocks of a page share one shell, in one new
directory. A block that is marked ``console second-terminal`` starts something that stays: it is left running, and its
output is waited for. In expected output ``…`` stands for any text within a line, and a line of ``…`` alone for any lines.
The pages speak of port 8787; it is mapped to a free one.
"""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PORT_IN_PAGES = "8787"
ANSWER_SECONDS = 20.0
_FENCE = re.compile(r"^```(\S+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block; ``line``: of its fence, from 1."""

    language: str
    title: str
    text: str
    line: int


class Step(NamedTuple):
    """A command as it is typed, and what it is to print."""

    command: str
    expected: str


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown page."""
    return [
        Block(found[1], found[2].strip(), found[3], text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    ]


def steps_of(block: Block) -> list[Step]:
    """Split a console block; a command goes on in the next line while its line ends with a backslash."""
    steps: list[Step] = []
    goes_on = False
    for line in block.text.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], ""))
        elif goes_on:
            steps[-1] = Step(f"{steps[-1].command}\n{line}", "")
        else:
            assert steps, f"line {block.line}: output stands before the first command"
            steps[-1] = Step(steps[-1].command, f"{steps[-1].expected}{line}\n")
        goes_on = line.endswith("\\") and not steps[-1].expected
    return steps


def fits(expected: str, printed: str) -> bool:
    """Say whether output is what a page shows; blank ends of lines and of the whole do not count."""
    pattern = ""
    for line in _trimmed(expected):
        if line == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.split("…")) + "\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _trimmed(printed))) is not None


def _trimmed(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


class Terminals:
    """A shell, and what was left running beside it. ``port``: where servers of this world listen."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        (directory / ".curlrc").write_text("silent\nshow-error\n")  # as on a terminal: no meter
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "COLUMNS": "120",
            "GUESTPASS_PORT": str(self.port),
        }
        self._left_running: list[subprocess.Popen[bytes]] = []
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=self._environment,
        )

    def close(self) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        for process in (*self._left_running, self._shell):
            process.terminate()
            process.wait(ANSWER_SECONDS)
        self._shell.stdout.close()

    def replay(self, page: Path) -> int:
        """Type every command of a page and hold its output against the page; return how many there were."""
        count = 0
        for block in blocks_of(page.read_text()):
            if block.language != "console":
                continue
            for step in steps_of(block):
                count += 1
                command, expected = self._mapped(step.command), self._mapped(step.expected)
                stays = block.title == "second-terminal"
                printed = self.leave_running(command, expected) if stays else self.type(command)
                assert fits(expected, printed), (
                    f"{page.name}, block at line {block.line}:\n$ {command}\nprints\n{printed}\nnot\n{expected}"
                )
        return count

    def _mapped(self, text: str) -> str:
        return text.replace(PORT_IN_PAGES, str(self.port))

    def type(self, command: str) -> str:
        """Type a command and return what it prints, up to its end."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        end = f"--end-{time.monotonic_ns()}--"
        # The exit code is handed on, so that a page can show `echo $?`.
        typed = f"{command}\n__code=$?; printf '\\n%s\\n' '{end}'; (exit $__code)\n"
        self._shell.stdin.write(typed.encode())
        self._shell.stdin.flush()
        printed = b""
        deadline = time.monotonic() + ANSWER_SECONDS
        while end.encode() not in printed:
            ready, _, _ = select.select([self._shell.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"$ {command}\ndid not end within {ANSWER_SECONDS} s; it printed\n{printed.decode()}"
            chunk = os.read(self._shell.stdout.fileno(), 65_536)
            assert chunk, f"$ {command}\nended the shell; it printed\n{printed.decode()}"
            printed += chunk
        return printed.decode().partition(end)[0]

    def leave_running(self, command: str, expected: str) -> str:
        """Start a command that stays; return what it has printed once that fits, or when it does not come to fit."""
        output = self._directory / f"terminal-{len(self._left_running)}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], stdout=file, cwd=self._directory, env=self._environment
            )
        self._left_running.append(process)
        deadline = time.monotonic() + ANSWER_SECONDS
        while not fits(expected, output.read_text()) and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        return output.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
