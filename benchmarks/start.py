"""How soon a server answers, what a worker weighs, and what importing an SDK costs.

    python benchmarks/start.py [server|import] [--rounds N]

Start: from the moment the process is made to the first HTTP answer, asked for every 2 ms. Weight: resident and
proportional memory of each process, after the first mint and after two seconds of load. Import: a new interpreter
that imports and ends, beside one that only ends.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import FOLDER, machine, processes, report, requests, wrk
from harness.contenders import oidc_provider
from harness.contenders.guestpass import Guestpass, GuestpassService

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from harness.processes import Server

LOAD_SECONDS = 2
WORKERS = 2
BASELINE = "interpreter alone"
IMPORTS = {
    BASELINE: "pass",
    "guestpass": "import guestpass",
    "guestpass, the client": "from guestpass import Guestpass",
    "PyJWT": "import jwt",
    "joserfc": "from joserfc import jwt, jwk",
    "msgspec, cryptography": "import msgspec; from cryptography.hazmat.primitives.asymmetric import ec",
}
SLOWEST_SHOWN = 12


def main() -> None:
    options = parse()
    processes.end_on_sigterm()
    results = machine.describe("guestpass", "PyJWT", "joserfc", "msgspec", "cryptography")
    results["load"] = {"rounds": options.rounds}
    tables = []
    if options.what in ("import", "both"):
        results["import"] = measure_imports(options.rounds)
        tables.append(show_imports(results["import"]))
    if options.what in ("server", "both"):
        results["versions"] |= oidc_provider.OPAQUE.versions()
        results["start_seconds"] = measure_starts(options.rounds)
        results["memory_mib"] = measure_memory()
        tables += [show_starts(results["start_seconds"]), show_memory(results["memory_mib"])]
    path = report.write("start", results)
    print("\n\n".join(tables))
    print(f"\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("both", "server", "import"), default="both")
    parser.add_argument("--rounds", type=int, default=11)
    return parser.parse_args()


def measure_imports(rounds: int) -> dict[str, Any]:
    """Wall time of whole interpreters, taking turns; the interpreter's own time is told and taken off."""
    turns: dict[str, list[float]] = {name: [] for name in IMPORTS}
    peaks: dict[str, float] = {}
    for statement in IMPORTS.values():
        _interpret(statement)  # the byte code and the file cache are warm from here on
    for _ in range(rounds):
        for name, statement in IMPORTS.items():
            before = time.perf_counter_ns()
            peaks[name] = _interpret(statement)
            turns[name].append((time.perf_counter_ns() - before) / 1e6)
    return {
        "unit": "ms",
        "interpreters": {
            name: {
                **report.spread(figures),
                "above_baseline": report.spread(
                    [one - base for one, base in zip(figures, turns[BASELINE], strict=True)]
                ),
                "peak_mib": round(peaks[name], 1),
            }
            for name, figures in turns.items()
        },
        "guestpass_slowest_modules_us": slowest_modules(IMPORTS["guestpass, the client"]),
    }


def slowest_modules(statement: str) -> dict[str, int]:
    """Where an import's time goes: the modules by their own time, as ``-X importtime`` tells it."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement],
        env=processes.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    lines = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", told, re.MULTILINE)
    ordered = sorted(((int(own), module) for own, module in lines), reverse=True)
    return {module: own for own, module in ordered[:SLOWEST_SHOWN]}


def measure_starts(rounds: int) -> dict[str, Any]:
    """Seconds to the first answer; every start has its own directory."""
    guestpass = Guestpass()

    def first(directory: Path) -> AbstractContextManager[Server]:
        return guestpass.start(directory, None)

    def again(directory: Path) -> AbstractContextManager[Server]:
        guestpass.prepare(directory)
        with guestpass.start(directory, None) as server:  # it has made its keys by then
            server.wait_for_answer()
        return guestpass.start(directory, None)

    def peer(directory: Path) -> AbstractContextManager[Server]:
        return oidc_provider.OPAQUE.start(directory, None, "secret-of-the-benchmark-0123456789")

    starters: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
        "guestpass": again,
        "guestpass, empty directory": first,
        "oidc-provider opaque": peer,
    }
    turns: dict[str, list[float]] = {name: [] for name in starters}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as scratch:
        for number in range(rounds):
            for name, prepare in starters.items():
                directory = Path(scratch) / f"{number}-{name.replace(' ', '-')}" / "data"
                directory.mkdir(parents=True)
                starting = prepare(directory)
                before = time.perf_counter()
                with starting as server:
                    server.wait_for_answer()
                    turns[name].append(time.perf_counter() - before)
    return {name: report.spread(figures) for name, figures in turns.items()}


def measure_memory() -> dict[str, Any]:
    """MiB of each process of a server: resident, and proportional (what is shared counts by its share)."""
    weighed: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-") as scratch:
        for name, more in (("guestpass", ()), (f"guestpass, {WORKERS} workers", ("--workers", str(WORKERS)))):
            directory = Path(scratch) / name.replace(" ", "-") / "data"
            directory.mkdir(parents=True)
            guestpass = Guestpass()
            _, secret = guestpass.prepare(directory)
            with guestpass.start(directory, None, *more) as server:
                server.wait_for_answer()
                weighed[name] = weigh_under_load(GuestpassService(server, directory, secret), directory.parent)
        directory = Path(scratch) / "peer" / "data"
        directory.mkdir(parents=True)
        with oidc_provider.OPAQUE.running(directory, None) as service:
            weighed["oidc-provider opaque"] = weigh_under_load(service, directory.parent)
    return weighed


def weigh_under_load(service: Any, directory: Path) -> dict[str, list[dict[str, Any]]]:
    request = service.mint(f"user_{requests.USER_SLOT}")
    requests.ask(service.server.port, [request])
    after_first_mint = weigh(service.server)
    load = wrk.mint_load(directory, request.raw(service.server.port), 1)
    wrk.drive(service.server.port, load, seconds=LOAD_SECONDS, connections=32, core=None)
    return {"after_first_mint": after_first_mint, "after_load": weigh(service.server)}


def weigh(server: Server) -> list[dict[str, Any]]:
    return [_memory_of(pid) for pid in server.process_ids()]


def _memory_of(pid: int) -> dict[str, Any]:
    # Several workers have a helper of Python's beside them, which serves nothing.
    is_helper = b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {name: int(value) for name, value in re.findall(r"^(Rss|Pss):\s+(\d+) kB", told, re.MULTILINE)}
    return {
        "is": "resource tracker" if is_helper else "process",
        "resident": round(kib["Rss"] / 1024, 1),
        "proportional": round(kib["Pss"] / 1024, 1),
    }


def _interpret(statement: str) -> float:
    """Run ``statement`` in a new interpreter; return its peak memory in MiB."""
    # Not getrusage: its peak is inherited from the process that started this one.
    tail = "; print(open('/proc/self/status').read())"
    done = subprocess.run(
        [sys.executable, "-c", statement + tail],
        env=processes.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", done.stdout, re.MULTILINE)
    return int(peak.group(1)) / 1024 if peak else 0.0


def show_imports(measured: dict[str, Any]) -> str:
    headings = ("import", "ms min", "ms median", "above interpreter", "peak MiB")
    rows = [
        (name, one["min"], one["median"], one["above_baseline"]["median"], one["peak_mib"])
        for name, one in measured["interpreters"].items()
    ]
    return report.table(headings, rows)


def show_starts(measured: dict[str, Any]) -> str:
    rows = [(name, one["min"], one["median"], one["max"]) for name, one in measured.items()]
    return report.table(("first answer", "s min", "s median", "s max"), rows)


def show_memory(measured: dict[str, Any]) -> str:
    rows = [
        (f"{name}: {first['is']} {number}", first["resident"], loaded["resident"], loaded["proportional"])
        for name, one in measured.items()
        for number, (first, loaded) in enumerate(zip(one["after_first_mint"], one["after_load"], strict=True), 1)
    ]
    return report.table(("memory", "MiB after a mint", "MiB after load", "proportional"), rows)


if __name__ == "__main__":
    main()
