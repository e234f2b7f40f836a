"""Stage time stamps of every frame, for the latency benchmark: plain rows in one array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from roadmask.system.files import atomic_path

COLUMNS = (
    "frame_id",
    "capture_ns",  # the frame's own time
    "available_ns",  # decoded
    "ready_ns",  # its tensor is filled and lies in the capture slot
    "taken_ns",  # it is in the network's input: invoke begins
    "inferred_ns",
    "postprocessed_ns",
    "published_ns",  # it was handed to the kernel for the last subscriber
)


class StageTimes:
    """The last ``limit`` frames' stamps, ns CLOCK_BOOTTIME; adding allocates nothing."""

    def __init__(self, limit: int = 100_000) -> None:
        self._rows = np.zeros((limit, len(COLUMNS)), np.int64)
        self._count = 0

    def add(self, *stamps: int) -> None:
        """One frame's row, in the order of ``COLUMNS``."""
        self._rows[self._count % len(self._rows)] = stamps
        self._count += 1

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """``(frames, len(COLUMNS)) int64``, oldest first."""
        if self._count <= len(self._rows):
            return self._rows[: self._count]
        return np.roll(self._rows, -(self._count % len(self._rows)), axis=0)

    def save(self, path: str | Path) -> None:
        """Write the rows as ``.npy``."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, self.rows)
