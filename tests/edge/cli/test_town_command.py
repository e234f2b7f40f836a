"""The town as a Cityscapes tree, from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from roadmask.cli.main import main
from roadmask.data.datasets import open_dataset


def test_the_tree_is_what_the_reader_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "tree"
    command = ["town", "--cityscapes", str(root), "--frames", "6", "--size", "160x96"]
    assert main(command) == 0
    assert "5 frames to train on, 1 of val" in capsys.readouterr().out
    splits = {name: open_dataset("cityscapes", root, name) for name in ("train", "val")}
    assert [len(split) for split in splits.values()] == [5, 1]
    sample = splits["val"][0]
    assert sample.image.shape == (96, 160, 3) and len(np.unique(sample.mask)) >= 5
    assert main(command) == 2  # it is full now
    assert "not empty" in capsys.readouterr().err
