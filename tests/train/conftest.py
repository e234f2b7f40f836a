"""A small run that the tests of reports read."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.__main__ import main

TINY = ["--model", "unet_mini", "--size", "32x32", "--batch-size", "2", "--validate-every", "1"]


@pytest.fixture(scope="session")
def tiny_run(camvid_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished training of two epochs."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    data = ["--dataset", "camvid", "--root", str(camvid_folder), "--recipe", "flip"]
    assert main([*TINY, *data, "--epochs", "2", "--out", str(out)]) == 0
    return out
