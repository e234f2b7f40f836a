"""``python -m train compare`` and ``record`` over runs that were really trained."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roadmask.errors import ModelError
from train.__main__ import main
from train.keras_file import load_keras, packed_keras
from train.models import build_model
from train.reports.page import markdown_table
from train.reports.plots import row_shares
from train.reports.table import table
from train.runs.files import read_run

CONVERSION = {
    "kind": "conversion",
    "accepted": True,
    "missed": [],
    "miou_drop": 0.0123,
    "accuracy": {"int8": {"miou": 0.5, "dataset": "camvid"}},
    "latency": {
        "int8": {
            "model_bytes": 3 * 2**19,
            "invoke_ms": {"p50": 4.5, "p95": 5.0, "p99": 6.0},
            "threads": 1,
            "device": {"processor": "x"},
        }
    },
}


@pytest.fixture
def other_run(tiny_run: Path, tmp_path: Path) -> Path:
    """The same run under another name, with a conversion beside it."""
    folder = tmp_path / "other"
    shutil.copytree(tiny_run, folder)
    (folder / "unet_mini.json").write_text(json.dumps(CONVERSION))
    return folder


def test_the_report_is_one_file_that_loads_nothing(
    tiny_run: Path, other_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    assert main(["compare", str(tiny_run), str(other_run), "--out", str(out), "--frames", "2"]) == 0
    page = out.read_text()
    for word in ("Results", "IoU by class", "Curves", "Confusion matrices", "The same frames"):
        assert f"<h2>{word}</h2>" in page
    assert page.count("<svg") == 3
    assert page.count('<img src="data:image/png;base64,') == 1  # the confusion matrices hold more
    # Namespaces and the licence of the plots' metadata name addresses; nothing is fetched.
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "<script" not in page
    text = out.with_suffix(".md").read_text()
    for picture in re.findall(r"\]\((report-\d\.(?:svg|png))\)", text):
        assert (tmp_path / picture).stat().st_size > 1000
    assert text.count("](report-") == 4


def test_a_conversion_to_another_form_is_not_taken_for_int8(other_run: Path) -> None:
    """It is newer, and holds no INT8 measurements that the table could show."""
    report = CONVERSION | {"mode": "float16", "accuracy": {}, "latency": {}}
    (other_run / "zz.float16.json").write_text(json.dumps(report))
    assert read_run(other_run).conversion["miou_drop"] == 0.0123


def test_the_table_says_what_the_runs_measured(tiny_run: Path, other_run: Path) -> None:
    runs = [read_run(tiny_run), read_run(other_run)]
    head, first, second = table(runs)
    cells = dict(zip(head, second, strict=True))
    scores = json.loads((tiny_run / "scores.json").read_text())
    assert cells["mIoU"] == f"{scores['miou']:.3f}"
    assert cells["accuracy"] == f"{scores['pixel_accuracy']:.3f}"
    assert cells["epochs"] == "2"
    assert (cells["INT8, MiB"], cells["INT8 p50, ms"]) == ("1.50", "4.500")
    assert cells["INT8 drop, points"] == "1.23"
    assert dict(zip(head, first, strict=True))["INT8, MiB"] == "-"
    assert "iIoU" not in head  # CamVid tells no single objects: no run has it
    shares = row_shares(runs[0])
    assert shares.shape == (7, 7)
    assert all(row == pytest.approx(1) or row == 0 for row in shares.sum(axis=1))


def test_what_a_reader_must_know_before_comparing(
    tiny_run: Path, other_run: Path, tmp_path: Path
) -> None:
    record = json.loads((other_run / "run.json").read_text())
    record["config"] |= {"recipe": "none", "epochs": 9, "precision": "mixed_bfloat16"}
    record["validation"]["ids_sha256"] = "0"
    record["finished"] = False
    (other_run / "run.json").write_text(json.dumps(record))
    out = tmp_path / "r.html"
    arguments = ["compare", str(tiny_run), str(other_run), "--out", str(out), "--frames", "0"]
    assert main(arguments) == 0
    text = out.with_suffix(".md").read_text()
    assert "differ in their validation frames" in text
    assert "recipe (tiny: flip, other: none)" in text
    assert "precision (tiny: float32, other: mixed_bfloat16)" in text
    assert "differ in epochs" not in text  # a column shows them
    assert "other is not finished (2 of 9 epochs)" in text
    assert "No INT8 file of tiny" in text
    assert "| 2 of 9 |" in text


def test_a_network_with_layers_of_our_own_is_shown(tiny_run: Path, tmp_path: Path) -> None:
    """In a process of its own: in this one the layers have long been registered."""
    folder = tmp_path / "segformer"
    shutil.copytree(tiny_run, folder)
    record = json.loads((folder / "run.json").read_text())
    record["config"]["model"] = "segformer_b0"
    (folder / "run.json").write_text(json.dumps(record))
    build_model("segformer_b0", (64, 64)).save(folder / "segformer_b0.keras")
    out = tmp_path / "r.html"
    command = [sys.executable, "-m", "train", "compare", str(folder), "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [*command, "--frames", "1"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "<h2>The same frames</h2>" in out.read_text()


def test_a_record_is_small_and_enough_for_a_report(other_run: Path, tmp_path: Path) -> None:
    record = tmp_path / "records" / "net"
    assert main(["record", str(other_run), "--out", str(record)]) == 0
    names = {path.name for path in record.iterdir()}
    assert names == {"run.json", "history.csv", "scores.json", "conversion.json"}
    assert sum(path.stat().st_size for path in record.iterdir()) < 20_000
    assert str(other_run.parent) not in "".join(p.read_text() for p in record.iterdir())
    before, after = read_run(other_run), read_run(record)
    assert (after.record, after.history, after.scores) == (
        before.record,
        before.history,
        before.scores,
    )
    assert after.conversion == before.conversion
    assert main(["compare", str(record), "--out", str(tmp_path / "r.html")]) == 0


def test_a_record_names_the_file_of_its_start_without_the_folder(
    tiny_run: Path, tmp_path: Path
) -> None:
    run, record = tmp_path / "run", tmp_path / "record"
    shutil.copytree(tiny_run, run)
    told = json.loads((run / "run.json").read_text())
    told["config"]["weights"] = str(tmp_path / "before" / "net.keras")
    (run / "run.json").write_text(json.dumps(told))
    assert main(["record", str(run), "--out", str(record)]) == 0
    assert json.loads((record / "run.json").read_text())["config"]["weights"] == "net.keras"
    assert str(tmp_path) not in "".join(p.read_text() for p in record.iterdir())


def test_a_record_with_its_network_holds_it_at_half_the_size(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "record"
    assert main(["record", str(tiny_run), "--network", "--out", str(out)]) == 0
    packed, whole = out / "unet_mini.keras", tiny_run / "unet_mini.keras"
    assert packed.stat().st_size < 0.6 * whole.stat().st_size
    kept = zip(load_keras(packed).get_weights(), load_keras(whole).get_weights(), strict=True)
    for rounded, weight in kept:
        np.testing.assert_array_equal(rounded, weight.astype(np.float16))
    huge = load_keras(packed)
    huge.set_weights([w + 1e5 for w in huge.get_weights()])
    with pytest.raises(ModelError, match="65504"):
        packed_keras(huge)
    assert main(["record", str(out), "--network", "--out", str(out)]) == 0
    (out / "unet_mini.keras").unlink()
    assert main(["record", str(out), "--network", "--out", str(tmp_path / "none")]) == 2
    assert "no finished network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (None, [], "holds no run.json"),
        ("{", [], "is not JSON"),
        ("[]", [], "not a JSON object"),
        ("ok", ["--out", "r.txt"], "ends in .html"),
        ("ok", ["--convert-json", "a", "--convert-json", "b"], "one for each"),
    ],
)
def test_unusable_arguments(
    content: str | None,
    arguments: list[str],
    words: str,
    tiny_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    if content is not None:
        record = (tiny_run / "run.json").read_text() if content == "ok" else content
        (run / "run.json").write_text(record)
    out = tmp_path / "r.html"
    assert main(["compare", str(run), "--out", str(out), *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert words in error[0]
    assert not out.exists()


def test_a_bar_in_a_cell_stays_a_cell() -> None:
    rows: list[list[Any]] = [["run", "x"], ["a|b", "1"]]
    assert markdown_table(rows).splitlines()[2] == "| a\\|b | 1 |"
