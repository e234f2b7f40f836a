from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.results import points, read_result, table
from roadmask.errors import DataError


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
