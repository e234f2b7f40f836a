"""The slides render to one file that loads nothing, and say what the records say."""

import csv
import json
import re
from pathlib import Path

import pytest

from docs import render_slides
from roadmask.errors import ConfigError
from roadmask.inference.model_file import read_metadata

pytest.importorskip("markdown_it")

TEXT = (render_slides.FOLDER / "slides.md").read_text()
WEIGHTS = render_slides.FOLDER.parent / "train" / "weights"


def test_the_slides_are_one_file(tmp_path: Path) -> None:
    out = tmp_path / "slides.html"
    assert render_slides.main(["--out", str(out)]) == 0
    page = out.read_text()
    slides = render_slides.split_slides(TEXT)
    assert page.count("<section") == len(slides) <= 30
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "<!-- results" not in page
    assert "&lt;!--" not in page


def test_the_numbers_are_those_of_the_records(shipped_model: Path) -> None:
    record = json.loads((WEIGHTS / "roadnet-480x352.run.json").read_text())
    assert f"{record['parameters'] / 1e6:.2f} M parameters" in TEXT
    assert f"{record['macs'] / 1e9:.3f} GMAC" in TEXT
    assert f"{record['parts'][0]['frames']} training frames" in TEXT
    shares = " | ".join(f"{100 * share:.1f} %" for share in record["category_shares"])
    assert f"| {shares} |" in TEXT
    with (WEIGHTS / "holdout-0001TP.history.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert f"weights scored {100 * float(last['val_miou']):.1f}" in TEXT
    scores = read_metadata(shipped_model.read_bytes()).scores
    for row, kind in (("float", "float"), ("full INT8", "int8")):
        assert f"{row} | {100 * scores[kind]['miou']:.2f}" in TEXT


def test_a_record_fills_the_tables(tmp_path: Path) -> None:
    assert "No record" in render_slides.fill_in("<!-- results -->", tmp_path)


def test_what_cannot_be_rendered_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="31 slides"):
        render_slides.split_slides("\n---\n".join(["x"] * 31))
    with pytest.raises(ConfigError, match=r"none\.png is missing"):
        render_slides.render("![a](none.png)", tmp_path)
