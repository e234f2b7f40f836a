"""Capture, slot and tensors together: no picture is ever mixed with another."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import numpy as np
import pytest
from stream_parts import wait_for

from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.frame_slot import Captured
from roadmask.daemon.tensor_pool import TensorPool
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import geometry
from roadmask.inference.tensors import Prepared
from roadmask.sources import Frame, Source, SourceKind
from roadmask.system.clock import now_ns

SIZE = (64, 48)


class Camera(Source):
    """Shows a grey picture of each value that the test puts in."""

    uri = name = "grey:0"
    size, fps, kind = SIZE, 1000.0, SourceKind.LIVE

    def __init__(self, realtime: bool) -> None:
        self.realtime = realtime
        self.values: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.shown = 0

    def read(self, timeout_s: float) -> Frame | None:
        try:
            value = self.values.get(timeout=0.02)
        except queue.Empty:
            return None
        picture = np.full((*SIZE[::-1], 3), value, np.uint8)
        self.shown += 1
        return Frame(picture, now_ns(), self.shown, driver_time=True)

    def reopen(self) -> Source:
        raise AssertionError

    def describe(self) -> str:
        return self.name

    def close(self) -> None:
        pass


class StoppedPool(TensorPool):
    """Its n-th ``begin`` waits for the test, after whoever calls it has decided everything."""

    def __init__(self, engine: Engine, stop_at: int) -> None:
        super().__init__(engine, geometry(SIZE, engine.input_size))
        self.begun, self._stop_at = 0, stop_at
        self.reached, self.go = threading.Event(), threading.Event()

    def begin(self, frame: Frame, idle: bool) -> Prepared:
        self.begun += 1
        if self.begun == self._stop_at:
            self.reached.set()
            assert self.go.wait(30)
        return super().begin(frame, idle)


class SlowToWake:
    """The lock that a waiting taker sleeps on; it wakes when the test says so."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self.asleep, self.wake = threading.Event(), threading.Event()

    def acquire(self, timeout: float) -> bool:
        self.asleep.set()
        got = self._lock.acquire(timeout=timeout)
        assert self.wake.wait(30)
        return got

    def __getattr__(self, name: str) -> object:
        return getattr(self._lock, name)


def test_what_the_network_reads_stays_though_the_loop_was_slow_to_wake(
    shipped_model: Path,
) -> None:
    """The third picture was drawn over the second while the network saw it."""
    engine = Engine(shipped_model)
    camera, pool = Camera(realtime=True), StoppedPool(engine, stop_at=3)
    with CaptureThread(camera, preparation=pool, reopen_after_s=60.0) as capture:
        slot = capture._slot
        slow = slot._filled = SlowToWake(slot._filled)  # type: ignore[assignment]
        got: list[Captured | None] = []
        taker = threading.Thread(target=lambda: got.append(capture.newest(30)))
        taker.start()
        assert slow.asleep.wait(30)
        for value in (50, 100, 150):
            camera.values.put(value)
        assert pool.reached.wait(30)  # the first two are in the slot, one over the other
        slow.wake.set()
        taker.join(30)
        (frame,) = got
        assert frame is not None and frame.frame_id == 2
        pool.feed(frame.prepared)
        pool.go.set()  # the third is drawn now, while the network is at work
        wait_for(lambda: capture.statistics.frames == 3, "the third frame")
        newest = capture.newest(30)
        assert newest is not None
        np.testing.assert_array_equal(engine.direct_input.view(np.uint8), 100 ^ 0x80)
        np.testing.assert_array_equal(newest.prepared.tensor.view(np.uint8), 150 ^ 0x80)


@pytest.mark.parametrize("realtime", [True, False])
def test_a_network_that_waits_has_its_own_input_filled(shipped_model: Path, realtime: bool) -> None:
    engine = Engine(shipped_model)
    camera = Camera(realtime)
    pool = TensorPool(engine, geometry(SIZE, engine.input_size))
    with CaptureThread(camera, preparation=pool, reopen_after_s=60.0) as capture:
        for value in (50, 100):
            taker_got: list[Captured | None] = []
            taker = threading.Thread(target=lambda: taker_got.append(capture.newest(30)))  # noqa: B023
            taker.start()
            wait_for(lambda: capture._slot.awaited, "a taker")
            camera.values.put(value)
            taker.join(30)
            (frame,) = taker_got
            assert frame is not None and frame.prepared.tensor is engine.direct_input
            np.testing.assert_array_equal(engine.direct_input.view(np.uint8), value ^ 0x80)
            pool.release(frame.prepared)
