"""``roadmask inspect``: the contract of a file, whether it runs or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from network_parts import HEIGHT, WIDTH, Net

from roadmask.cli.main import main
from roadmask.inference.model_file import FAMILY, model_path

KEYS = {
    "runs", "input", "output", "labels", "operators", "on_xnnpack", "unknown", "refused",
}  # fmt: skip


def inspect(model: Path | str, folder: Path, *options: str) -> dict[str, object]:
    out = folder / "found.json"
    assert main(["inspect", str(model), "--json", str(out), *options]) == 0
    found: dict[str, object] = json.loads(out.read_text())
    assert found.keys() >= KEYS
    return found


def written(net: Net, folder: Path) -> Path:
    path = folder / "net.tflite"
    path.write_bytes(net.build())
    return path


@pytest.mark.parametrize("alias", FAMILY)
def test_the_family_stays_in_one_partition(alias: str, tmp_path: Path) -> None:
    found = inspect(model_path(alias), tmp_path)
    assert found["runs"] and found["unknown"] == [] and isinstance(found["operators"], dict)
    # All but the conversion of the pixels, which the engine does itself.
    assert found["operators"]["QUANTIZE"] == 1
    assert found["on_xnnpack"] == sum(found["operators"].values()) - 1


def test_the_shipped_network(
    shipped_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = inspect(shipped_model, tmp_path)
    assert found["runs"] and found["refused"] is None and found["unknown"] == []
    assert found["labels"] == "cityscapes-8" and found["on_xnnpack"] == 63
    assert isinstance(found["input"], dict) and isinstance(found["output"], dict)
    assert found["input"]["range"] == "-1..1" and found["input"]["shape"] == [1, 224, 288, 3]
    assert found["output"]["ends_in"] == "logits" and found["output"]["shape"] == [1, 56, 72, 8]
    assert isinstance(found["operators"], dict) and sum(found["operators"].values()) == 64
    assert "runs      yes" in capsys.readouterr().out


def test_what_is_unknown_is_named_with_its_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(Net(scale=(1 / 127.5,) * 3, offset=(-1.0,) * 3, dynamic=True), tmp_path)
    found = inspect(path, tmp_path)
    assert found["runs"] is False and found["unknown"] == ["--size", "--labels"]
    assert "no fixed size" in str(found["refused"])
    size = f"{WIDTH}x{HEIGHT}"
    found = inspect(path, tmp_path, "--size", size, "--labels", "cityscapes-8")
    assert found["unknown"] == ["--input-range"] and "float32" in str(found["refused"])
    found = inspect(
        path, tmp_path, "--size", size, "--labels", "cityscapes-8", "--input-range", "-1..1"
    )
    assert found["runs"] is True and found["unknown"] == []
    assert "-1..1" in capsys.readouterr().out


def test_a_file_that_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.tflite"
    path.write_bytes(b"nonsense")
    assert main(["inspect", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
