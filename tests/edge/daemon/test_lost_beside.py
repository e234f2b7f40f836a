"""A network that is lost while the frame before is still on its way out."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from stream_parts import PATIENCE_S, connect, header_of, wait_for, welcome_of

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.pipeline import open_pipeline
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.engine_process import ProcessEngine
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import FrameHeader
from roadmask.stream.publish.publisher import Publisher, Slot

# It never waits for its clock: a frame lies ready, so that each is published beside the next one.
TOWN = "synthetic:town?seed=1&width=320&height=240&prerender=4&realtime=0"
FEW = 4  # masks after which one is held up: its usual time is known


class HeldPublisher(Publisher):
    """One whose thread beside the loop gets no core for a while: from ``held`` until ``go``."""

    def __init__(self, path: Path) -> None:
        self.held, self.go = threading.Event(), threading.Event()
        self.held_at = 0
        super().__init__(path, mask_size=(288, 224), max_age_ms=60_000)

    def begin(self) -> Slot:
        beside = threading.current_thread().name == "publication"
        if beside and self.sequence >= FEW and not self.held.is_set():
            self.held_at = self.sequence
            self.held.set()
            assert self.go.wait(PATIENCE_S)
        return super().begin()


class DoomedEngine(ProcessEngine):
    """One whose process gets a signal before it is asked for the frame after the held one."""

    def __init__(self, model: Path, ending: signal.Signals, held: threading.Event) -> None:
        self._ending, self._held, self._doomed = ending, held, True
        super().__init__(EngineOrder(model=str(model)), max_age_ms=1000)

    def timed(self) -> tuple[int, int]:
        # Meanwhile the next picture comes, without which the loop publishes by itself.
        if self._doomed and self._held.wait(0.05):
            self._doomed = False
            os.kill(self._worker.process.pid, self._ending)
        return super().timed()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP])
def test_a_frame_that_was_under_way_does_not_take_the_fault_back(
    tmp_path: Path, shipped_model: Path, ending: signal.Signals
) -> None:
    path, stop = tmp_path / "masks.sock", threading.Event()
    config = DaemonConfig(source=TOWN, model=str(shipped_model), max_age_ms=60_000)
    with (
        HeldPublisher(path) as publisher,
        DoomedEngine(shipped_model, ending, publisher.held) as engine,
        connect(path) as client,
    ):
        engine.load(stop)
        loop = threading.Thread(target=run, args=(config, engine, publisher, stop))
        loop.start()
        welcome_of(client)
        try:
            until(client, lost)
            publisher.go.set()
            until(client, lambda h: h.sequence > publisher.held_at)
            after = [header_of(client), header_of(client)]  # a heartbeat may be the first
            assert any(map(lost, after)), after
            until(client, lambda h: h.engine_restarts == 1 and not lost(h))
        finally:
            stop.set()
            publisher.go.set()
            loop.join(PATIENCE_S)


def run(
    config: DaemonConfig, engine: ProcessEngine, publisher: Publisher, stop: threading.Event
) -> None:
    with open_pipeline(config, engine=engine, publisher=publisher) as pipeline:
        pipeline.run(stop)


def lost(header: FrameHeader) -> bool:
    return header.mode is Mode.FAULT and Reason.INFERENCE_FAILED in header.reasons


def until(client: socket.socket, what: Callable[[FrameHeader], bool]) -> FrameHeader:
    found: FrameHeader = wait_for(
        lambda: (h := header_of(client)) and what(h) and h, "such a header"
    )
    return found
