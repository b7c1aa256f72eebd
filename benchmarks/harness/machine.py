"""Name the machine and the versions that a figure belongs to."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import time
from importlib import metadata
from pathlib import Path

from harness import FOLDER

SYNC_WRITES = 200


def describe(*distributions: str) -> dict[str, object]:
    """Return what has to stand beside every figure; ``distributions`` are the Python packages that took part."""
    return {
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "cpu": _cpu_model(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
            "kernel": platform.release(),
            "system": _system(),
            "load_average_before": round(os.getloadavg()[0], 2),  # over 0.1: somebody else was at work
        },
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "commit": _commit(),
            **{name: metadata.version(name) for name in distributions},
        },
    }


def describe_disk(directory: Path) -> dict[str, object]:
    """Return the file system under ``directory`` and what one durable write of 4 KiB costs there, in us."""
    path = directory / "sync-probe"
    took: list[int] = []
    with path.open("wb", buffering=0) as probe:
        for _ in range(SYNC_WRITES):
            before = time.perf_counter_ns()
            probe.write(bytes(4096))
            os.fdatasync(probe.fileno())
            took.append(time.perf_counter_ns() - before)
    path.unlink()
    took.sort()
    kind = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(directory)], capture_output=True, text=True, check=True
    ).stdout.strip()
    return {"file_system": kind, "sync_us_median": took[len(took) // 2] / 1000, "sync_us_max": took[-1] / 1000}


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _commit() -> str | None:
    """The commit of the checkout, marked where files of the product differ from it; None outside a checkout."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
