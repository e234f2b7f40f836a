from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main


def test_accuracy_prints_a_table_and_writes_json(
    int8_file: Path, camvid_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "a.json"
    arguments = ["accuracy", str(int8_file), "--dataset", "camvid", "--root", str(camvid_folder)]
    assert main([*arguments, "--json", str(written)]) == 0
    assert "mean IoU" in capsys.readouterr().out
    result = json.loads(written.read_text())
    assert result["kind"] == "accuracy" and result["split"] == "val"
    assert main(["compare", str(written), str(written)]) == 0
    assert "verdict: same" in capsys.readouterr().out


def test_compare_exits_1_when_it_became_worse(tmp_path: Path) -> None:
    common = {"kind": "accuracy", "dataset": "town", "split": "val", "images": 1, "iou": {}}
    for name, miou in (("a", 0.9), ("b", 0.8)):
        result = common | {"miou": miou, "dice": 0.9, "pixel_accuracy": 0.9}
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 1
    assert main(["compare", str(tmp_path / "b.json"), str(tmp_path / "a.json")]) == 0


def test_bad_input_is_one_line_and_2(
    int8_file: Path, camvid_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corrupt = tmp_path / "corrupt.tflite"
    corrupt.write_bytes(b"\0\0\0\0TFL3" + b"\xff" * 40)
    folder = ["--dataset", "camvid", "--root", str(camvid_folder)]
    cases = [
        (["accuracy", str(tmp_path / "no.tflite"), *folder], "is missing"),
        (["accuracy", str(corrupt), *folder], "corrupt.tflite"),
        (["accuracy", str(int8_file), *folder, "--split", "night"], "night"),
        (["accuracy", str(int8_file), *folder, "--labels", "cityscape-19"], "cityscapes-19"),
        (["accuracy", str(int8_file), *folder, "--labels", "cityscapes-19"], "19 classes"),
        (["accuracy", str(int8_file), "--dataset", "kitti"], "kitti"),
        (["accuracy", str(int8_file), *folder, "--json", str(tmp_path)], "cannot write"),
        (["latency", str(tmp_path / "no.tflite")], "is missing"),
        (["compare", str(tmp_path / "x.json"), str(tmp_path / "y.json")], "cannot be read"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 2, arguments
        error = capsys.readouterr().err.strip()
        assert message in error and error.count("\n") == 0, (arguments, error)
    assert list(tmp_path.iterdir()) == [corrupt]
