"""``train prepare``: a tree that is whole, and one that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roadmask.town.export import write_cityscapes
from train.__main__ import main


def test_what_is_in_a_tree_and_what_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, report = tmp_path / "tree", tmp_path / "report.json"
    write_cityscapes(root, train=4, val=2, width=160, height=96)
    command = ["prepare", "--dataset", "cityscapes", "--root", str(root), "--json", str(report)]
    assert main(command) == 0
    assert "train: 4 frames of 1 drives or cities, 160x96 px" in capsys.readouterr().out
    found = json.loads(report.read_text())["splits"]
    assert found["val"]["frames"] == 2 and found["val"]["damaged"] == []
    assert sum(found["train"]["shares"].values()) == pytest.approx(1)
    assert found["train"]["shares"]["flat"] > 0.1
    picture = next(root.glob("leftImg8bit/val/*/*.png"))
    picture.write_bytes(picture.read_bytes()[:100])
    assert main(command) == 2
    said = capsys.readouterr()
    assert said.err.startswith("roadmask: 1 frames cannot be used") and picture.name in said.err
    assert json.loads(report.read_text())["splits"]["val"]["damaged"]
