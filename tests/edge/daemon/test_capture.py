from __future__ import annotations

import itertools
import queue
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.daemon import capture as capture_module
from roadmask.daemon.capture import CaptureThread
from roadmask.errors import CaptureError
from roadmask.inference.tensors import Prepared
from roadmask.sources import (
    EndOfStream,
    FaultCode,
    Frame,
    PictureError,
    Source,
    SourceError,
    SourceKind,
    open_source,
)
from roadmask.system.clock import now_ns

PICTURE = np.zeros((4, 6, 3), np.uint8)
LOST = SourceError(FaultCode.CAMERA_LOST, "unplugged")


class Script(Source):
    """A camera that does what the test puts in its queue; ``idle`` is set when it is empty."""

    uri = name = "script:0"
    size, fps = (6, 4), 1000.0

    def __init__(self, kind: SourceKind = SourceKind.LIVE, realtime: bool = True) -> None:
        self.kind, self.realtime = kind, realtime
        self.todo: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
        self.idle = threading.Event()
        self.closed = threading.Event()
        self.reopened: queue.SimpleQueue[Source | CaptureError] = queue.SimpleQueue()

    def frames(self, *ids: int) -> Script:
        for frame_id in ids:
            self.todo.put(frame_id)
        return self

    def fault(self, error: Exception) -> Script:
        self.todo.put(error)
        return self

    def read(self, timeout_s: float) -> Frame | None:
        if self.todo.empty():
            self.idle.set()
        try:
            item = self.todo.get(timeout=min(timeout_s, 0.02))  # so that close returns soon
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return Frame(PICTURE, now_ns(), item, driver_time=True)

    def reopen(self) -> Source:
        assert self.closed.is_set(), "an open descriptor makes a camera change its name"
        try:
            got = self.reopened.get_nowait()
        except queue.Empty:
            raise SourceError(FaultCode.CAMERA_MISSING, "not there") from None
        if isinstance(got, CaptureError):
            raise got
        return got

    def describe(self) -> str:
        return self.name

    def close(self) -> None:
        self.closed.set()


def thread_of(source: Source, **limits: float) -> CaptureThread:
    limits = {"read_timeout_s": 0.02, "reopen_after_s": 60.0, **limits}
    return CaptureThread(source, backoff_s=(0.001, 0.002), **limits)


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    source = Script().frames(0, 1, 2, 3, 4)
    with thread_of(source) as capture:
        assert source.idle.wait(10)
        frame = capture.newest(10)
        assert frame is not None and (frame.frame_id, frame.skipped) == (4, 4)
        assert frame.driver_time and frame.capture_ns <= frame.available_ns <= now_ns()
        assert capture.newest(0.0) is None  # never the same twice
        source.frames(5, 9)  # the camera lost three itself
        while (second := capture.newest(10)) is not None and second.frame_id != 9:
            pass
        assert second is not None
        statistics = capture.statistics
    assert (statistics.frames, statistics.dropped) == (7, 4 + 4 - (second.skipped == 3))
    assert source.closed.is_set()


def test_a_file_without_the_clock_loses_nothing() -> None:
    source = Script(SourceKind.FILE, realtime=False).frames(*range(50)).fault(EndOfStream())
    with thread_of(source) as capture:
        ids = []
        while not capture.ended:
            before = now_ns()
            frame = capture.newest(10)
            if frame is not None:
                ids.append((frame.frame_id, frame.skipped))
                assert frame.capture_ns >= before  # it counts from when it is taken
    assert ids == [(index, 0) for index in range(50)]


def test_the_end_comes_after_the_last_frame() -> None:
    source = Script(SourceKind.FILE).frames(0).fault(EndOfStream())
    with thread_of(source) as capture:
        assert source.closed.wait(10)
        assert not capture.ended
        assert capture.newest(10) is not None
        assert capture.ended and capture.newest(10) is None
        assert capture.fault is None


def test_a_bad_picture_is_a_fault_until_the_next_good_one() -> None:
    source = Script().frames(0).fault(PictureError("cut off"))
    with thread_of(source, read_timeout_s=10.0) as capture:
        assert source.idle.wait(10)
        assert capture.fault == "decode error: cut off"
        assert capture.fault_code is FaultCode.DECODE_ERROR
        assert capture.newest(10) is not None
        source.frames(2)
        frame = capture.newest(10)
        assert frame is not None and frame.skipped == 1
        assert capture.fault is None
        assert capture.statistics.decode_errors == 1
        assert not source.closed.is_set()


def test_a_lost_camera_is_closed_first_and_opened_again() -> None:
    source, again = Script().frames(0, 1).fault(LOST), Script().frames(0, 1)
    source.reopened.put(SourceError(FaultCode.CAMERA_BUSY, "still held"))
    source.reopened.put(again)
    with thread_of(source, read_timeout_s=10.0) as capture:
        assert again.idle.wait(10)
        frame = capture.newest(10)
        # The camera counts from 0 again; the stream goes on: 0, 1, then 2, 3.
        assert frame is not None and frame.frame_id == 3
        assert capture.fault is None
        assert capture.source is again
        assert capture.statistics.reopened == 1
    assert again.closed.is_set()


def test_while_it_is_away_the_fault_has_a_name() -> None:
    source = Script().fault(LOST)
    with thread_of(source, read_timeout_s=10.0) as capture:
        while capture.fault_code is not FaultCode.CAMERA_MISSING:
            assert capture.newest(0.001) is None
        assert capture.fault == "camera missing: not there"
        again = Script().frames(0)
        source.reopened.put(again)
        assert capture.newest(10) is not None
        assert capture.fault is None


def test_a_silent_camera_is_stalled_then_opened_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, again = Script().frames(0), Script().frames(0)
    source.reopened.put(again)
    with thread_of(source, reopen_after_s=0.05) as capture:
        while (frame := capture.newest(10)) is not None and frame.frame_id == 0:
            pass
        assert frame is not None and frame.frame_id == 1
        assert capture.source is again
    assert "camera stalled: script:0: no frame for 0.05 s" in caplog.text


def test_a_driver_that_blocks_in_a_read_is_named_and_close_returns() -> None:
    release = threading.Event()

    class Hung(Script):
        def read(self, timeout_s: float) -> Frame | None:
            release.wait(60)
            raise LOST

    capture = thread_of(Hung())
    with capture:
        while capture.fault_code is not FaultCode.CAMERA_STALLED:
            assert capture.newest(0.001) is None
        assert capture.fault == "script:0: no frame for 0.02 s"
        capture.close(timeout_s=0.01)
        release.set()


def test_an_unexpected_error_does_not_end_a_camera() -> None:
    source, again = Script().fault(cv2.error("bad size")), Script().frames(0)
    source.reopened.put(again)
    with thread_of(source) as capture:
        assert capture.newest(10) is not None


def test_a_slow_file_is_not_stalled() -> None:
    source = Script(SourceKind.FILE)
    with thread_of(source, reopen_after_s=0.0) as capture:
        for _ in range(3):
            assert capture.newest(0.03) is None
        assert capture.fault is None
        source.frames(0)
        assert capture.newest(10) is not None


def test_a_file_that_fails_ends_with_its_error() -> None:
    source = Script(SourceKind.FILE).frames(0).fault(CaptureError("the disk is gone"))
    with thread_of(source) as capture:
        assert source.closed.wait(10)
        assert capture.newest(10) is not None
        with pytest.raises(CaptureError, match="the disk is gone"):
            capture.newest(10)
        assert capture.ended


def test_a_function_opens_the_source_each_time() -> None:
    sources = [Script().fault(LOST), Script().frames(0)]
    opened: list[Source] = []

    def opens() -> Source:
        opened.append(sources[len(opened)])
        return opened[-1]

    with CaptureThread(opens, backoff_s=(0.001, 0.001)) as capture:
        assert capture.newest(10) is not None
    assert opened == sources


def test_pauses_between_attempts_grow_to_a_limit() -> None:
    pauses: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return super().wait(0.0) or len(pauses) >= 5

    capture = CaptureThread(Script().fault(LOST), backoff_s=(0.1, 0.5))
    capture._stop = Stop()
    with capture:
        while len(pauses) < 5:
            assert capture.newest(0.001) is None
    assert pauses[:5] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_a_source_that_does_not_open_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be read"):
        CaptureThread(str(tmp_path / "drive.mp4"))


def test_a_real_folder_through_the_thread(tmp_path: Path) -> None:
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((8, 8, 3), 40 * index, np.uint8))
    (tmp_path / "3.png").write_bytes(b"no image")
    with open_source(f"{tmp_path}?realtime=0") as source, CaptureThread(source) as capture:
        seen = []
        while not capture.ended:
            frame = capture.newest(10)
            if frame is not None:
                assert int(frame.image[0, 0, 0]) == 40 * frame.frame_id
                seen.append((frame.frame_id, frame.skipped))
    assert seen == [(0, 0), (1, 0), (2, 0), (4, 1), (5, 0)]
    assert capture.statistics.decode_errors == 1


class CountedPool:
    """Prepares nothing, and counts how often it is asked to."""

    needed = (8, 6)

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.released = 0

    def begin(self, frame: Frame, idle: bool) -> Prepared:
        self.begun.append(frame.frame_id)
        return Prepared(np.zeros((6, 8, 3), np.uint8))

    def release(self, prepared: Prepared) -> None:
        self.released += 1


class Ticking(Script):
    """One whose frames are 5 ms apart by a clock that stands still between them."""

    fps = 200.0
    clock_ns = 10**12

    def read(self, timeout_s: float) -> Frame | None:
        frame = super().read(timeout_s)
        self.clock_ns += 5_000_000 * (frame is not None)
        return frame


def test_a_rate_limit_leaves_out_frames_before_they_cost_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, source = CountedPool(), Ticking()
    monkeypatch.setattr(capture_module, "now_ns", lambda: source.clock_ns)
    with CaptureThread(source, preparation=pool, max_fps=25) as capture:
        taken = []
        for first in range(0, 96, 8):  # 40 ms
            source.frames(*range(first, first + 8))
            frame = capture.newest(30)
            assert frame is not None
            taken.append((frame.frame_id, frame.skipped))
    assert taken == [(0, 0), *((number, 7) for number in range(8, 96, 8))]
    assert pool.begun == list(range(0, 96, 8)), "not those that were left out"


def test_a_rate_limit_holds_by_the_clock() -> None:
    pool, began_ns = CountedPool(), now_ns()
    source = open_source("synthetic:town?seed=1&width=64&height=64&fps=200&prerender=4")
    with CaptureThread(source, preparation=pool, max_fps=25) as capture:
        taken = []
        while len(taken) < 12:
            frame = capture.newest(30)
            assert frame is not None
            taken.append(frame)
            pool.release(frame.prepared)
        begun = len(pool.begun)
        elapsed_s = (now_ns() - began_ns) * 1e-9
        # Eleven intervals of 40 ms, less a quarter of the camera's period each.
        assert elapsed_s >= 11 * (0.040 - 0.25 / 200) - 0.01
        for before, after in itertools.pairwise(taken):
            assert after.skipped == after.frame_id - before.frame_id - 1
        assert begun <= 25 * elapsed_s + 4  # not those that were left out
        assert capture.fault is None


def test_a_rate_limit_slows_a_file_down_and_loses_nothing() -> None:
    source = open_source("synthetic:town?seed=1&width=64&height=64&prerender=4&realtime=0&count=9")
    began_ns, ids = now_ns(), list[int]()
    with CaptureThread(source, max_fps=100) as capture:
        while (frame := capture.newest(30)) is not None:
            ids.append(frame.frame_id)
        assert capture.ended and ids == list(range(9))
        assert now_ns() - began_ns >= 7 * 0.010 * 1e9
