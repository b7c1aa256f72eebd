"""Write results for machines as JSON, and for people as a small table."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

from harness import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

RESULTS = FOLDER / "results"


def write(name: str, results: Mapping[str, Any], *, directory: Path = RESULTS) -> Path:
    """Write ``results`` as ``<name>.json`` and return the path; the last run replaces the one before."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    return path


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out ``rows``: the first column to the left, figures to the right."""
    cells = [list(headings), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def spread(figures: Sequence[float]) -> dict[str, float]:
    """Return the least, the middle and the greatest of the rounds."""
    return {
        "min": round(min(figures), 4),
        "median": round(statistics.median(figures), 4),
        "max": round(max(figures), 4),
    }


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}" if abs(cell) < 100 else f"{cell:.0f}"
    return "-" if cell is None else str(cell)
