"""Damaged data end a training with one line that names the file, and leave no network."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.town.export import write_cityscapes
from train.__main__ import main


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "cityscapes"
    write_cityscapes(root, train=3, val=1, width=96, height=64)
    return root


def damage(root: Path, kind: str) -> Path:
    mask = sorted(root.glob("gtFine/train/*/*_labelIds.png"))[1]
    city, name = mask.parent.name, mask.name.removesuffix("_gtFine_labelIds.png")
    image = root / "leftImg8bit/train" / city / f"{name}_leftImg8bit.png"
    if kind == "missing pair":
        mask.unlink()
    elif kind == "truncated image":
        image.write_bytes(image.read_bytes()[:-100])
        return image
    elif kind == "other size":
        cv2.imwrite(str(mask), np.zeros((32, 96), np.uint8))
    elif kind == "foreign label":
        cv2.imwrite(str(mask), np.full((64, 96), 77, np.uint8))
    return mask


@pytest.mark.parametrize("kind", ["missing pair", "truncated image", "other size", "foreign label"])
def test_one_line_and_exit_code_2(
    whole: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(whole, tmp_path / "data"))
    broken = damage(root, kind)
    out = tmp_path / "run"
    arguments = ["--dataset", "cityscapes", "--root", str(root), "--size", "64x64", "--epochs", "1"]
    assert main([*arguments, "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert broken.name in error[0]
    assert not list(out.glob("*.keras")) and not list(out.glob("checkpoint*"))
