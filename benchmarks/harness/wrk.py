"""Drive a server with wrk: one thread, on a core of its own, for a given time."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import FOLDER
from harness.processes import pinned
from harness.requests import USER_SLOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCRIPTS = FOLDER / "wrk"


@dataclass(frozen=True)
class Load:
    """One drive: a script of ours with its arguments."""

    script: str
    arguments: Sequence[str]


def drive(port: int, load: Load, *, seconds: float, connections: int, core: str | None) -> dict[str, float]:
    """Return requests per second, latency percentiles in ms, and the counts of what went wrong."""
    command = [
        "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s",
        "--timeout", "5s", "--script", str(SCRIPTS / f"{load.script}.lua"),
        f"http://127.0.0.1:{port}/", "--", *load.arguments,
    ]  # fmt: skip
    done = subprocess.run(
        pinned(command, core),
        env={**os.environ, "LUA_PATH": f"{SCRIPTS}/?.lua"},
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    found = re.search(r"^RESULT (\{.*\})$", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        raise SystemExit(f"wrk failed:\n{done.stdout}{done.stderr}")
    figures: dict[str, float] = json.loads(found.group(1))
    return figures


def version() -> str:
    """Return wrk's version, or end the run with what to install."""
    try:
        said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise SystemExit("wrk is not installed: `apt-get install wrk`") from None
    return said.split(" [")[0].removeprefix("wrk ").strip()


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Write what ``cycle.lua`` reads: each request behind a line that holds its length in bytes."""
    with path.open("wb") as file:
        for request in requests:
            file.write(b"%d\n%s" % (len(request), request))


def mint_load(directory: Path, request: bytes, first: int) -> Load:
    """Repeat ``request`` for one new user after the other, numbered from ``first`` on."""
    path = directory / "mint.request"
    path.write_bytes(request)
    return Load("distinct_users", [str(path), USER_SLOT, str(first)])


def refresh_load(directory: Path, request: bytes, tokens: Sequence[str], field: str) -> Load:
    """Repeat ``request`` for one session after the other, each time with the token that ``field`` answered last."""
    path, tokens_path = directory / "refresh.request", directory / "refresh.tokens"
    path.write_bytes(request)
    tokens_path.write_text("".join(f"{token}\n" for token in tokens))
    return Load("refresh", [str(path), str(tokens_path), field])
