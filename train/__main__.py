"""``python -m train``: the work is imported in the guard's child, so Ctrl-C is heard at once."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

from roadmask.system.guard import guarded
from train import CHECKPOINT


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    from train.command import main

    return main(arguments)


def _kept() -> str:
    """What an end at any moment leaves of a training."""
    words = sys.argv[1:]
    folders = [w.partition("=")[2] for w in words if w.startswith("--out=")]
    folders += [after for w, after in pairwise(words) if w == "--out"]
    checkpoints = [Path(folder) / CHECKPOINT for folder in folders]
    if any(path.is_file() for path in checkpoints):
        return f"run the same command to go on from {checkpoints[0]}"
    return "nothing is kept: no checkpoint was written yet"


if __name__ == "__main__":
    sys.exit(guarded(main, _kept))
