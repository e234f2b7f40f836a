"""TensorBoard logs of a run, for whoever asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError


class Board:
    """Writes each epoch's row to event files in ``folder``.

    Args:
        folder: of the logs; what an interrupted start left there is replaced by ``history``, so
            that no epoch stands twice.
        history: the rows of the epochs that are done.

    Raises:
        ConfigError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path, history: list[dict[str, float]]) -> None:
        try:
            from tensorboardX import SummaryWriter  # needs no TensorFlow, so JAX can log too
        except ImportError as error:
            raise ConfigError(
                "--tensorboard needs tensorboardX, which is not installed: "
                "pip install --group tensorboard"
            ) from error
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer: Any = SummaryWriter(str(folder))
        for row in history:
            self.add(row)

    def add(self, row: dict[str, float]) -> None:
        """Write the row of an epoch."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, int(row["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """Wait until the last row is on the disk: tensorboardX writes in a thread of its own."""
        self._writer.close()
