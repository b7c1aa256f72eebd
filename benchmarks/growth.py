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
from harness.sessions import FilledDirectory

SIZES = (10_000, 1_000_000)
TEN_MILLION = 10_000_000
ACTS = {  # rows a turn
    "mint": 1_024,
    "mint_row": 1_024,
    "get": 512,
    "get_row": 2_048,
    "get_living_row": 2_048,
    "purge": 400,
}
ROUNDS_MAX = 20  # after that the smallest directory has no more to purge


def main() -> None:
    options = parse()
    processes.end_on_sigterm()
    sizes = (*SIZES, TEN_MILLION) if options.with_ten_million else SIZES
    results = machine.describe("guestpass")
    results["load"] = {"rounds": options.rounds, "rows_a_turn": ACTS}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-", dir=options.directory) as scratch:
        results["disk"] = machine.describe_disk(Path(scratch))
        results |= asyncio.run(measure(Path(scratch), sizes, min(options.rounds, ROUNDS_MAX)))
    path = report.write("growth", results)
    print(show(results["sizes"]))
    print(f"\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help=f"at most {ROUNDS_MAX} (15)")
    parser.add_argument("--with-ten-million", action="store_true", help="takes minutes to fill, and 4 GB")
    parser.add_argument("--directory", help="where the stores are made; not on a file system in memory")
    return parser.parse_args()


async def measure(scratch: Path, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    filled: dict[int, dict[str, float]] = {}
    directories: list[FilledDirectory] = []
    turns: dict[int, dict[str, list[float]]] = {size: {act: [] for act in ACTS} for size in sizes}
    try:
        for size in sizes:
            directory, filled[size] = await FilledDirectory.make(scratch / str(size), size)
            directories.append(directory)
        for _ in range(rounds):
            for act, rows in ACTS.items():
                for directory in directories:
                    turns[directory.size][act].append(await getattr(directory, act)(rows))
    finally:
        for directory in directories:
            await directory.close()
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
    smallest, *larger = sizes
    headings = ["us per row", *(f"{int(size):,}" for size in sizes), *(f"{int(size):,} ratio" for size in larger)]
    rows: list[list[object]] = []
    for act in ACTS:
        medians = [one[act]["median"] for one in sizes.values()]
        ratios = [sizes[size][f"ratio_to_{smallest}"][act]["median"] for size in larger]
        rows.append([act.replace("_", " "), *medians, *ratios])
    for name in ("index_us_per_row", "bytes_per_session"):
        figures = [one[name] for one in sizes.values()]
        rows.append([name.replace("_", " "), *figures, *(figure / figures[0] for figure in figures[1:])])
    return report.table(headings, rows)


if __name__ == "__main__":
    main()
