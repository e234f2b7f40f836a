"""A small run that the tests of reports read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from train.__main__ import main

TINY = ["--model", "unet_mini", "--size", "32x32", "--batch-size", "2", "--validate-every", "1"]


@pytest.fixture
def eager() -> Iterator[None]:
    """Networks run step by step: a graph takes longer to make than a handful of steps save.

    The command's own tests and the long ones have the graph that a training has.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def tiny_run(camvid_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished training of two epochs."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    data = ["--dataset", "camvid", "--root", str(camvid_folder), "--recipe", "flip"]
    assert main([*TINY, *data, "--epochs", "2", "--out", str(out)]) == 0
    return out
