"""What a mint with an ``Idempotency-Key`` costs in the store while the answers that are kept grow in number.

    python benchmarks/kept_answers.py [--with-ten-million] [--rounds N]

Each size has a store of its own, filled and indexed before the clock starts; the sizes take turns in every round, with
and without a key. Needs about 0.3 KB of disk an answer, which is given back at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

from harness import FOLDER, machine, processes, report
from harness.answers import DirectoryWithAnswers

SIZES = (10_000, 1_000_000)
TEN_MILLION = 10_000_000
ACTS = ("mint", "mint_with_key")
MINTS = 2_048  # a turn


def main() -> None:
    options = parse()
    processes.end_on_sigterm()
    sizes = (*SIZES, TEN_MILLION) if options.with_ten_million else SIZES
    results = machine.describe("guestpass")
    results["load"] = {"rounds": options.rounds, "mints_a_turn": MINTS}
    with tempfile.TemporaryDirectory(prefix="guestpass-bench-", dir=options.directory) as scratch:
        results["disk"] = machine.describe_disk(Path(scratch))
        results |= asyncio.run(measure(Path(scratch), sizes, options.rounds))
    path = report.write("kept-answers", results)
    print(show(results["sizes"]))
    print(f"\nwritten: {path.relative_to(FOLDER.parent)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="(15)")
    parser.add_argument("--with-ten-million", action="store_true", help="takes minutes to fill, and 3 GB")
    parser.add_argument("--directory", help="where the stores are made; not on a file system in memory")
    return parser.parse_args()


async def measure(scratch: Path, sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    filled: dict[int, dict[str, float]] = {}
    directories: list[DirectoryWithAnswers] = []
    turns: dict[int, dict[str, list[float]]] = {size: {act: [] for act in ACTS} for size in sizes}
    try:
        for size in sizes:
            directory, filled[size] = await DirectoryWithAnswers.make(scratch / str(size), size)
            directories.append(directory)
        for directory in directories:  # what is first read, prepared or imported counts nowhere
            await directory.mint(MINTS)
            await directory.mint_with_key(MINTS)
        for _ in range(rounds):
            for directory in directories:
                for act in ACTS:
                    turns[directory.size][act].append(await getattr(directory, act)(MINTS))
    finally:
        for directory in directories:
            await directory.close()
    return {
        "unit": "us per mint",
        "sizes": {
            str(size): {
                **filled[size],
                **{act: report.spread(figures) for act, figures in turns[size].items()},
                "with_key_to_without": report.spread(
                    [one / other for one, other in zip(turns[size][ACTS[1]], turns[size][ACTS[0]], strict=True)]
                ),
                f"with_key_to_{sizes[0]}": report.spread(
                    [one / other for one, other in zip(turns[size][ACTS[1]], turns[sizes[0]][ACTS[1]], strict=True)]
                ),
            }
            for size in sizes
        },
    }


def show(sizes: dict[str, Any]) -> str:
    figures = [name for name in next(iter(sizes.values())) if name != "index_us_per_answer"]
    rows: list[list[object]] = [
        [name.replace("_", " "), *(one[name]["median"] for one in sizes.values())] for name in figures
    ]
    rows.append(["index, us per answer", *(one["index_us_per_answer"] for one in sizes.values())])
    return report.table(["us per mint", *(f"{int(size):,}" for size in sizes)], rows)


if __name__ == "__main__":
    main()
