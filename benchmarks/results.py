"""The JSON that every measurement writes, and the tables that people read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roadmask.system.files import read_json


def read_result(path: Path) -> dict[str, Any]:
    """A measurement that ``write_json`` wrote.

    Raises:
        DataError: missing, or no JSON object.
    """
    return read_json(path, "result", "give what --json wrote")


def table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """Text columns: the first to the left, the others, which are numbers, to the right."""
    grid = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in grid) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in grid
    ]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """A number for a table, ``-`` for None."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def points(value: float | None) -> str:
    """A fraction as points (100 x), for a table."""
    return "-" if value is None else f"{100 * value:.2f}"
