from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.results import (
    percentiles,
    points,
    read_result,
    table,
    write_result,
)
from roadmask.errors import DataError


def test_percentiles_of_1_to_101() -> None:
    # Linear interpolation: p of 1..101 is p + 1.
    assert percentiles(range(1, 102)) == {"p50": 51, "p95": 96, "p99": 100}
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}


def test_written_results_hold_no_nan_and_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(path, {"a": float("nan"), "b": np.float32(0.5), "c": (1, np.int64(2))})
    assert json.loads(path.read_text()) == {"a": None, "b": 0.5, "c": [1, 2]}
    assert read_result(path)["c"] == [1, 2]
    assert list(tmp_path.iterdir()) == [path]


def test_unusable_results_are_named(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with pytest.raises(DataError, match="cannot be read"):
        read_result(path)
    for text, message in (("{", "not JSON"), ("[1]", "not a JSON object")):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_result(path)


def test_tables_align() -> None:
    text = table([("flat", points(0.9712)), ("mean", points(None))], ("category", "points"))
    assert text.splitlines() == [
        "category  points",
        "--------  ------",
        "flat       97.12",
        "mean           -",
    ]
