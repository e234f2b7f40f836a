"""One training of a sweep: a process of its own, watched by its history."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from roadmask.errors import DataError, RoadmaskError
from train.runs.files import read_run
from train.sweep.plan import arguments

_LOOK_S = 0.5
_PR_SET_PDEATHSIG = 1


class StoppedError(RoadmaskError):
    """The sweep was told to stop; the run is kept."""


class FailedError(RoadmaskError):
    """The training ended with an error."""


class Training:
    """An ordinary run, resumed where its folder holds one.

    Args:
        options: of ``python -m train``.
        folder: its ``--out``.
    """

    def __init__(self, options: dict[str, Any], folder: Path) -> None:
        self._options, self._folder = options, folder
        self._process: subprocess.Popen[str] | None = None

    def run(self, stop: threading.Event) -> Generator[tuple[int, float], None, None]:
        """Train; every validation as it comes: epoch and mean IoU.

        Raises:
            StoppedError: ``stop`` was set; the training has saved itself.
            FailedError: it ended with an error, whose last line is told.
        """
        if self._finished():
            yield from self._validations(0)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        words = arguments(self._options)
        with (self._folder / "log.txt").open("a", encoding="utf-8") as log:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "train", *words, "--out", str(self._folder)],
                stdout=log,
                stderr=log,
                text=True,
                preexec_fn=_die_with_parent,
            )
            try:
                seen = 0
                while process.poll() is None:
                    if stop.wait(_LOOK_S):
                        raise StoppedError(f"{self._folder} is kept")
                    for epoch, miou in self._validations(seen):
                        seen = epoch
                        yield epoch, miou
            finally:
                self.stop()
        yield from self._validations(seen)
        if process.returncode and not self._finished():
            lines = (self._folder / "log.txt").read_text(encoding="utf-8").strip().splitlines()
            raise FailedError(f"{self._folder}: {lines[-1] if lines else process.returncode}")

    def stop(self) -> None:
        """End the training, which saves its checkpoint first."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def score(self) -> float:
        """Mean IoU of the finished network.

        Raises:
            FailedError: the run was not validated.
        """
        try:
            return float(read_run(self._folder).scores["miou"])
        except (DataError, KeyError) as error:
            raise FailedError(f"{self._folder} has no score: give frames to validate on") from error

    def _finished(self) -> bool:
        try:
            return bool(read_run(self._folder).record["finished"])
        except (DataError, KeyError):
            return False

    def _validations(self, after: int) -> list[tuple[int, float]]:
        try:
            history = read_run(self._folder).history
        except DataError:  # not begun
            return []
        rows = [(int(r["epoch"]), r["val_miou"]) for r in history if "val_miou" in r]
        return [(epoch, miou) for epoch, miou in rows if epoch > after]


def _die_with_parent() -> None:
    """A sweep that is killed leaves no training behind that writes into a folder taken over."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
