"""Prints a benchmark's figures as a table and writes them to build/bench/<name>.json; it measures nothing itself."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "build" / "bench"
"""Where the JSON files go; it is never committed."""

Cell = str | float | int | None
"""One figure: a float gets three significant digits, None is a dash."""


def figure(value: Cell) -> str:
    """A cell as people read it: 45,200 and 12.9 and .142."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table in plain text: the first column to the left, figures to the right.

    Raises:
        ValueError: a row has another number of cells than the head.
    """
    texts = [[figure(cell) for cell in row] for row in rows]
    for row in texts:
        if len(row) != len(head):
            raise ValueError(f"a row has {len(row)} cells under {len(head)} headings: {row}")
    widths = [max(len(row[i]) for row in [[*head], *texts]) for i in range(len(head))]
    lines = [title, _line(head, widths), "  ".join("-" * width for width in widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in texts)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)])


def write(name: str, facts: Mapping[str, Any]) -> Path:
    """Write the figures of one benchmark, with when and on what they were measured; returns the file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.json"
    about = {
        "name": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "load_before": os.getloadavg()[0],
            "python": platform.python_version(),
            "architecture": platform.machine(),
        },
    }
    file.write_text(json.dumps({**about, **facts}, indent=2, default=str) + "\n")
    return file
