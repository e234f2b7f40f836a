"""Child process of the latency benchmark: the daemon flat out, bare invokes in between.

The daemon's own loop runs on a source without pace; after every block of frames the same thread
invokes a second interpreter as often, so that both rates see the same clock, heat and neighbours.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from roadmask.atomic import write_text
from roadmask.clock import now_ns
from roadmask.command import run_command
from roadmask.config import from_table
from roadmask.daemon import DaemonConfig, run
from roadmask.engine import Engine
from roadmask.times import StageTimes

BLOCK = 20  # frames, then as many bare invokes
WARM_UP = 10  # frames that are not measured


class InterleavedTimes(StageTimes):
    """Takes the stamps that the daemon hands over, and at the end of each block invokes bare.

    Attributes:
        frame_blocks, bare_blocks: ``(frames, duration in ns)`` of each block.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._seen = 0
        self._block_start_ns = 0
        self.frame_blocks: list[tuple[int, int]] = []
        self.bare_blocks: list[tuple[int, int]] = []

    def add(self, *stamps: int) -> None:
        """One frame's stamps."""
        super().add(*stamps)
        self._seen += 1
        if self._seen == WARM_UP:
            self._engine.invoke()
            self._block_start_ns = now_ns()
        elif self._seen > WARM_UP and (self._seen - WARM_UP) % BLOCK == 0:
            end_ns = now_ns()
            self.frame_blocks.append((BLOCK, end_ns - self._block_start_ns))
            start_ns = now_ns()
            for _ in range(BLOCK):
                self._engine.invoke()
            self._block_start_ns = now_ns()
            self.bare_blocks.append((BLOCK, self._block_start_ns - start_ns))


def main(arguments: list[str]) -> int:
    """``CONFIG.json RESULT.json``: run the daemon so configured, write the blocks."""
    config_path, result_path = map(Path, arguments)
    config = from_table(DaemonConfig, json.loads(config_path.read_text()), str(config_path))

    def body() -> int:
        # Its own interpreter: the daemon's stays as the last frame left it.
        times = InterleavedTimes(Engine(config.model, config.threads, config.labels or None))
        run(config, threading.Event(), times)
        rows = times.rows[WARM_UP:]
        result = {
            "frame_blocks": times.frame_blocks,
            "bare_blocks": times.bare_blocks,
            "invoke_ns": (rows[:, 5] - rows[:, 4]).tolist(),
        }
        write_text(result_path, json.dumps(result))
        return 0

    return run_command(body, verbose=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
