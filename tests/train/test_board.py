"""TensorBoard logs hold every epoch once, however often a run was started."""

from pathlib import Path

import pytest

from train.loop.tensorboard import Board

pytest.importorskip("tensorboardX")


def _read(folder: Path) -> list[tuple[int, str, float]]:
    from tensorflow.compat.v1.train import summary_iterator

    return [
        (event.step, value.tag, round(value.simple_value, 4))
        for path in sorted(folder.glob("events.*"))
        for event in summary_iterator(str(path))
        for value in event.summary.value
    ]


def test_every_epoch_stands_once(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.5, "val_miou": 0.3}]
    board = Board(tmp_path, [])
    board.add(rows[0])
    board.add(rows[1])  # its checkpoint is not written when the run is killed
    board = Board(tmp_path, rows[:1])
    board.add(rows[1])
    board.close()
    assert _read(tmp_path) == [(1, "loss", 2.0), (2, "loss", 1.5), (2, "val_miou", 0.3)]
