"""``python -m train ablate``: every recipe with every seed, resumed where it stopped."""

import json
from pathlib import Path

import pytest

from tests.train.conftest import TINY
from train.__main__ import main
from train.reports.ablate import recipe_table, summarise_ablation
from train.runs.files import Run


def _run(miou: float) -> Run:
    record = {
        "config": {"model": "m", "recipe": "r", "seed": 1},
        "parts": [],
        "validation": None,
        "processor": "x",
        "cpu_seconds": 10.0,
    }
    scores = {"miou": miou, "dice": miou, "pixel_accuracy": miou}
    return Run("run", Path("run"), record, [], scores, {})


def test_differences_are_paired_by_seed() -> None:
    scores = {("none", 1): 0.50, ("none", 2): 0.60, ("none", 3): 0.70}
    scores |= {("flip", 1): 0.53, ("flip", 2): 0.62, ("flip", 3): 0.71}
    runs = {key: _run(value) for key, value in scores.items()}
    result = summarise_ablation(runs, ["none", "flip"], [1, 2, 3])
    flip = result["recipes"]["flip"]["miou"]
    assert flip["mean"] == pytest.approx(0.62)
    # Deviations from 0.62 are -0.09, 0 and 0.09: sqrt(2 * 0.09² / 2).
    assert flip["sd"] == pytest.approx(0.09)
    assert flip["differences"] == pytest.approx([0.03, 0.02, 0.01])
    # The seeds differ by far more than the recipes: paired, the spread is 0.01.
    assert flip["difference"]["mean"] == pytest.approx(0.02)
    assert flip["difference"]["sd"] == pytest.approx(0.01)
    assert result["recipes"]["none"]["miou"]["differences"] == [0, 0, 0]


def test_two_seeds_are_given_as_they_are() -> None:
    scores = {("none", 1): 0.50, ("none", 2): 0.60, ("flip", 1): 0.53, ("flip", 2): 0.61}
    runs = {key: _run(value) for key, value in scores.items()}
    result = summarise_ablation(runs, ["none", "flip"], [1, 2])
    assert result["recipes"]["flip"]["miou"]["sd"] is None
    assert recipe_table(result)[2][1:3] == ["57.0 (53.0, 61.0)", "+2.0 (+3.0, +1.0)"]


@pytest.mark.slow
def test_every_recipe_with_every_seed_and_finished_runs_are_skipped(
    camvid_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ablation"
    data = ["--dataset", "camvid", "--root", str(camvid_folder), "--epochs", "1"]
    arguments = ["ablate", *TINY, *data, "--recipes", "none,flip", "--out", str(out)]
    assert main([*arguments, "--seeds", "1"]) == 0
    first = (out / "flip-seed1" / "unet_mini.keras").stat().st_mtime_ns
    result = json.loads((out / "ablation.json").read_text())
    assert result["baseline"] == "none"
    assert result["recipes"]["flip"]["miou"]["sd"] is None  # one seed has no spread

    assert main([*arguments, "--seeds", "1,2"]) == 0
    assert (out / "flip-seed1" / "unet_mini.keras").stat().st_mtime_ns == first
    result = json.loads((out / "ablation.json").read_text())
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == [
        "flip-seed1",
        "flip-seed2",
        "none-seed1",
        "none-seed2",
    ]
    values = result["recipes"]["flip"]["miou"]["values"]
    scores = [json.loads((out / f"flip-seed{s}" / "scores.json").read_text()) for s in (1, 2)]
    assert values == [s["miou"] for s in scores]
    text = (out / "ablation.md").read_text()
    assert "| flip |" in text
    assert " (" in text and "±" not in text.split("mean ±")[1]
    assert "<svg" in (out / "ablation.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipes", "none"], "two or more"),
        (["--recipes", "none,nine"], "'nine' is unknown"),
        (["--seeds", "1,x"], "whole numbers"),
        (["--seeds", "1,1"], "comes twice"),
        (["--seeds", "1,-2"], "from 0 to 4294967295"),
        (["--val-split", "none"], "frames to validate on"),
    ],
)
def test_unusable_arguments(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--dataset", "town", "--out", str(tmp_path / "out")]
    assert main(["ablate", *out, *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert words in error[0]
    assert not (tmp_path / "out").exists()
