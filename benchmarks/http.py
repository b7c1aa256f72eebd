"""Mint and ask over HTTP, beside node oidc-provider, in one run.

    python benchmarks/http.py mint|session|introspect|idempotency|postgres|refresh [--seconds N] [--connections 32]

Every server gets a fresh directory each turn, one core to itself, and the same load from the other core. The
turns are interleaved (ours, peer, ours, peer, ...), so that a ratio compares what one machine did in one run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from harness import FOLDER, machine, processes, report, requests, wrk
from harness.contenders import Contender, Renewing, Service, flask_jwt_extended, oidc_provider, on_postgres
from harness.contenders.guestpass import Guestpass, GuestpassWithKey

TOKENS_CYCLED = 1_000
WARM_UP_SECONDS = 2  # node compiles what is hot only after thousands of calls
PEERS: dict[str, list[Contender]] = {
    "mint": [oidc_provider.OPAQUE, oidc_provider.OPAQUE_GROUPED, oidc_provider.JWT],
    "introspect": [oidc_provider.OPAQUE],
    "idempotency": [GuestpassWithKey()],
    "postgres": [on_postgres.GuestpassOnPostgres(2), on_postgres.Simplejwt()],
    "refresh": [flask_jwt_extended.FlaskJwtExtended(), on_postgres.GuestpassOnPostgres(), on_postgres.Simplejwt()],
    "session": [oidc_provider.OPAQUE],  # its JWTs are not stored and cannot be asked about
}
MINTS = ("mint", "idempotency", "postgres")  # what mints; the second on PostgreSQL
FIGURES = ("requests_per_second", "p50_ms", "p90_ms", "p99_ms", "max_ms", "server_cores_busy")


def main() -> None:
    options = parse()
    processes.end_on_sigterm()
    ours = on_postgres.GuestpassOnPostgres() if options.what == "postgres" else Guestpass()
    contenders: list[Contender] = [ours, *PEERS[options.what]]
    if options.only:
        contenders = [one for one in contenders if one.name.startswith(options.only)]
    results = machine.describe()
    results["versions"] |= {"wrk": wrk.version()}
    for one in contenders:
        results["versions"] |= one.versions()
    results["load"] = {name: getattr(options, name) for name in ("connections", "seconds", "rounds")}

    turns: dict[str, list[dict[str, Any]]] = {one.name: [] for one in contenders}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-", dir=options.directory) as scratch:
        results["disk"] = machine.describe_disk(Path(scratch))
        for number in range(options.rounds):
            for one in contenders:
                directory = Path(scratch) / f"{number}-{len(turns[one.name])}-{one.name.replace(' ', '-')}" / "data"
                directory.mkdir(parents=True)
                turns[one.name].append(take_turn(one, directory, options))
    results["contenders"] = {
        one.name: {"does": one.does["mint" if options.what in MINTS else options.what], **summary(turns[one.name])}
        for one in contenders
    }
    results["ratios"] = ratios(turns)
    path = report.write(f"http-{options.what}", results)
    print(show(results))
    print(f"\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(PEERS))
    parser.add_argument("--seconds", type=int, default=8, help="of load a turn, after the warm-up (8)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server (3)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--server-core", default="0", help="a list as taskset takes it (0)")
    parser.add_argument("--load-core", default="1", help="(1)")
    parser.add_argument("--directory", help="where the data directories are made; not on a file system in memory")
    parser.add_argument("--only", help="measure only the servers whose name begins so")
    return parser.parse_args()


def take_turn(contender: Contender, directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Start, warm up, measure, stop."""
    with contender.running(directory, options.server_core) as service:
        load = first_load(service, options.what, directory.parent)
        run = {"connections": options.connections, "core": options.load_core}
        wrk.drive(service.server.port, load, seconds=WARM_UP_SECONDS, **run)
        if options.what in MINTS:
            load = mint_load(service, directory.parent, 500_000_000)  # nobody from the warm-up comes again
        elif options.what == "refresh":
            load = refresh_load(service, directory.parent, 1)
        busy_before = service.server.cpu_seconds()
        figures: dict[str, Any] = wrk.drive(service.server.port, load, seconds=options.seconds, **run)
        busy = service.server.cpu_seconds() - busy_before
        figures["server_cores_busy"] = round(busy / options.seconds, 3)  # well under 1: it waited, for disk or load
        figures["kept_by_store"] = service.kept()
        return figures


def first_load(service: Any, what: str, directory: Path) -> wrk.Load:
    if what in MINTS:
        return mint_load(service, directory, 1)
    return refresh_load(service, directory, 0) if what == "refresh" else asking_load(service, what, directory)


def refresh_load(service: Renewing, directory: Path, drive: int) -> wrk.Load:
    """Log users in, refresh one of them to see that it works, then let wrk go round them."""
    port, field = service.server.port, service.refresh_field
    users = [f"user_{drive}_{number}" for number in range(service.sessions)]
    first, *tokens = (answer[field] for answer in requests.ask(port, map(service.log_in, users)))
    tokens.append(requests.ask(port, [service.refresh(first)])[0][field])
    template = service.refresh(requests.TOKEN_SLOT)
    return wrk.refresh_load(directory, template.raw(port, length=requests.LENGTH_SLOT), tokens, field)


def mint_load(service: Service, directory: Path, first: int) -> wrk.Load:
    """Mint once to see that it works, then let wrk repeat the request for one new user after the other."""
    request = service.mint(f"user_{requests.USER_SLOT}")
    answer = requests.ask(service.server.port, [request])[0]
    service.token_of(answer)
    return wrk.mint_load(directory, request.raw(service.server.port), first)


def asking_load(service: Service, what: str, directory: Path) -> wrk.Load:
    """Mint the tokens, ask about each once, then let wrk go round them."""
    port = service.server.port
    minted = requests.ask(port, [service.mint(f"user_{number}") for number in range(TOKENS_CYCLED)])
    ask = service.session if what == "session" else service.introspect
    asking = [ask(service.token_of(answer)) for answer in minted]
    requests.ask(port, asking)
    path = directory / f"{what}.requests"
    wrk.write_requests(path, [request.raw(port) for request in asking])
    return wrk.Load("cycle", [str(path)])


def summary(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The middle of the turns for each figure, the sum of what went wrong, and the turns themselves."""
    return {
        **{name: round(statistics.median(turn[name] for turn in turns), 3) for name in FIGURES},
        "failed": sum(turn[kind] for turn in turns for kind in ("refused", "connection_errors", "timeouts")),
        "turns": turns,
    }


def ratios(turns: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """The first one's rate, ours, over each other's: of neighbouring turns, least, middle and greatest."""
    (first, ours), *others = turns.items()
    return {
        f"{first} / {name}": report.spread(
            [
                mine["requests_per_second"] / theirs["requests_per_second"]
                for mine, theirs in zip(ours, peer, strict=True)
            ]
        )
        for name, peer in others
    }


def show(results: dict[str, Any]) -> str:
    headings = ("", "requests/s", "p50 ms", "p99 ms", "cores busy", "failed", "ours / it")
    rows = []
    first, *_ = results["contenders"]
    for name, one in results["contenders"].items():
        ratio = results["ratios"].get(f"{first} / {name}", {}).get("median")
        rows.append(
            (
                name,
                one["requests_per_second"],
                one["p50_ms"],
                one["p99_ms"],
                one["server_cores_busy"],
                one["failed"],
                ratio,
            )
        )
    return report.table(headings, rows)


if __name__ == "__main__":
    main()
