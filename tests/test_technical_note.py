"""The tables of the technical note hold what the committed records hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from train.reports.ablate import recipe_table
from train.reports.table import COLUMNS, class_table
from train.runs.files import Run, read_run

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "train" / "records"
NOTE = (ROOT / "docs" / "technical-note.md").read_text(encoding="utf-8")
Table = list[list[str]]


def tables(text: str) -> list[Table]:
    """Every Markdown table, title row first, without the rule below it and without ` and *."""
    found: list[Table] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            found[-1].append([cell.strip(" `*") for cell in line.strip("|").split("|")])
        inside = line.startswith("|")
    return [[table[0], *table[2:]] for table in found]


def under(title: str, number: int = 0) -> Table:
    """A table of the results by the start of its title row."""
    results = NOTE[NOTE.index("<!-- results: begin") : NOTE.index("<!-- results: end")]
    return [t for t in tables(results) if t[0][: len(title.split())] == title.split()][number]


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    return {path.parent.name: read_run(path.parent) for path in RECORDS.glob("*/run.json")}


def test_the_comparison(runs: dict[str, Run]) -> None:
    titles, *rows = under("run epochs")
    assert {row[0] for row in rows} == set(runs)
    for row in rows:
        assert row == [COLUMNS[title](runs[row[0]]) for title in titles]


def test_iou_by_category(runs: dict[str, Run]) -> None:
    titles, *rows = under("run flat")
    assert [titles, *rows] == class_table([runs[row[0]] for row in rows])
    assert len(rows) == len(runs)


@pytest.mark.parametrize(("number", "name"), list(enumerate(["ablation", "ablation-day"])))
def test_the_ablations(number: int, name: str) -> None:
    record = json.loads((RECORDS / f"{name}.json").read_text())
    assert under("recipe", number) == recipe_table(record)
