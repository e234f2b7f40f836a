"""The JSON that every measurement writes, and the tables that people read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.errors import DataError
from roadmask.system.files import write_json

PERCENTILES = (50, 95, 99)


def percentiles(values: Sequence[float] | npt.NDArray[Any]) -> dict[str, float | None]:
    """``{"p50": …, "p95": …, "p99": …}`` of the values, None where there is none."""
    data = np.asarray(values, np.float64)
    if not data.size:
        return {f"p{p}": None for p in PERCENTILES}
    return {f"p{p}": round(float(np.percentile(data, p)), 4) for p in PERCENTILES}


def json_ready(value: Any) -> Any:
    """The value with NaN as None and NumPy's numbers as Python's, for ``json.dumps``."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a measurement as one JSON object, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    write_json(path, json_ready(result))


def read_result(path: Path) -> dict[str, Any]:
    """A measurement that ``write_result`` wrote.

    Raises:
        DataError: missing, or no JSON object.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"result {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"result {path} is not JSON: {error}") from error
    if not isinstance(result, dict):
        raise DataError(f"result {path} is not a JSON object: give what --json wrote")
    return result


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
