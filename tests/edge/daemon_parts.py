"""The daemon of this process, in a thread, for as long as a test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.pipeline import open_pipeline
from roadmask.sources import Source


@contextmanager
def daemon(config: DaemonConfig, source: Source | None = None) -> Iterator[None]:
    """Runs until the block ends; ``source`` in place of the camera that ``config`` names."""
    stop = threading.Event()

    def run() -> None:
        with open_pipeline(config, source=source) as pipeline:
            pipeline.run(stop)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
