"""What a mint, a get and a purge cost in the store while it grows, with as many distinct users as sessions.

    python benchmarks/growth.py [--with-ten-million] [--rounds N]

Each size has a store of its own, filled before the clock starts. The sizes take turns in every round, so that a
ratio between them is of one run. Needs about 0.4 KB of disk a session, which is given back at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

from harness import FOLDER, machine, processes, report
from harness.sessions import FilledStore

SIZES = (10_000, 1_000_000)
TEN_MILLION = 10_000_000
ACTS = {"mint": 1_024, "get_living": 2_048, "get": 2_048, "purge": 256}  # rows a turn; purge is one transaction


def main() -> None:
    options = parse()
    processes.end_on_sigterm()
    sizes = (*SIZES, TEN_MILLION) if options.with_ten_million else SIZES
    results = machine.describe("guestpass")
    results["load"] = {"rounds": options.rounds, "rows_a_turn": ACTS}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-", dir=options.directory) as scratch:
        results["disk"] = machine.describe_disk(Path(scratch))
        results |= asyncio.run(measure(Path(scratch), sizes, options.rounds))
    path = report.write("growth", results)
    print(show(results["sizes"]))
    print(f"\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--with-ten-million", action="store_true", help="takes minutes to fill, and 4 GB")
    parser.add_argument("--directory", help="where the stores are made; not on a file system in memory")
    return parser.parse_args()


async def measure(scratch: Path, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    stores = [FilledStore(scratch / str(size), size) for size in sizes]
    filled: dict[int, dict[str, float]] = {}
    for store in stores:
        seconds = store.fill()
        filled[store.size] = {"fill_seconds": round(seconds, 1), "bytes_per_session": round(store.bytes_per_session())}
    turns: dict[int, dict[str, list[float]]] = {size: {act: [] for act in ACTS} for size in sizes}
    try:
        for _ in range(rounds):
            for act, rows in ACTS.items():
                for store in stores:
                    turns[store.size][act].append(await getattr(store, act)(rows))
    finally:
        for store in stores:
            await store.close()
    least = turns[sizes[0]]
    return {
        "unit": "us per row",
        "sizes": {
            str(size): {
                **filled[size],
                **{act: report.spread(figures) for act, figures in turns[size].items()},
                f"ratio_to_{sizes[0]}": {
                    act: report.spread([one / other for one, other in zip(figures, least[act], strict=True)])
                    for act, figures in turns[size].items()
                },
            }
            for size in sizes
        },
    }


def show(sizes: dict[str, Any]) -> str:
    smallest = next(iter(sizes))
    names = [act.replace("_", " ") for act in ACTS]
    headings = ("sessions", *(f"{name} us" for name in names), *(f"{name} ratio" for name in names), "bytes each")
    rows = []
    for size, one in sizes.items():
        medians = [one[act]["median"] for act in ACTS]
        ratios = [one[f"ratio_to_{smallest}"][act]["median"] for act in ACTS]
        rows.append((f"{int(size):,}", *medians, *ratios, one["bytes_per_session"]))
    return report.table(headings, rows)


if __name__ == "__main__":
    main()
