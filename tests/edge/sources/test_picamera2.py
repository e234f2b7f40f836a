"""Picamera2: the real code over a fake of the library, which runs on a Raspberry Pi only."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from roadmask.errors import CaptureError
from roadmask.sources import (
    SourceError,
    SourceKind,
    open_source,
)
from roadmask.system.clock import now_ns


def test_a_missing_picamera2_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CaptureError, match="apt install python3-picamera2"):
        open_source("picamera2:0")


class FakePicamera2:
    """One camera whose requests the test hands out; the calls are those of Picamera2 0.3."""

    requests: list[tuple[np.ndarray, int]]
    jobs = 0

    def __init__(self, number: int) -> None:
        assert number == 0

    @staticmethod
    def global_camera_info() -> list[dict[str, int]]:
        return [{"Num": 0}]

    def create_video_configuration(self, **settings: object) -> dict[str, object]:
        return settings

    def configure(self, settings: dict[str, object]) -> None:
        self.settings = settings

    def camera_configuration(self) -> dict[str, object]:
        return self.settings

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def capture_request(self, wait: bool) -> str:
        assert not wait
        FakePicamera2.jobs += 1
        return "job"

    def wait(self, job: str, timeout: float) -> object:
        if not self.requests:
            raise TimeoutError
        image, stamp = self.requests.pop(0)
        return types.SimpleNamespace(
            make_array=lambda name: image.copy(),
            get_metadata=lambda: {"SensorTimestamp": stamp},
            release=lambda: None,
        )


def test_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=FakePicamera2))
    image = np.full((96, 160, 3), 7, np.uint8)
    stamp = now_ns() - 10_000_000
    FakePicamera2.requests, FakePicamera2.jobs = [], 0
    with open_source("picamera2:0?width=160&height=96") as source:
        assert (source.kind, source.size) == (SourceKind.LIVE, (160, 96))
        assert source.read(0.0) is None and source.read(0.0) is None
        assert FakePicamera2.jobs == 1  # a time-out keeps the job, or requests would pile up
        FakePicamera2.requests = [(image, stamp), (image, stamp), (image, 0)]
        frames = [source.read(0.0) for _ in range(3)]
    # The second repeats the stamp of the first, the third has none.
    assert [frame and frame.driver_time for frame in frames] == [True, False, False]
    assert [frame and frame.frame_id for frame in frames] == [0, 1, 2]
    # Two periods may lie before an arrival.
    assert frames[2] is not None and frames[2].capture_ns < now_ns() - 66_000_000
    with pytest.raises(SourceError, match=r"libcamera finds 1 camera"):
        open_source("picamera2:1")


def test_a_stamp_that_is_repeated_is_no_time_however_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two readings of two clocks never differ by quite the same: some repeats seemed to rise."""
    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=FakePicamera2))
    image = np.full((96, 160, 3), 7, np.uint8)
    FakePicamera2.requests = [(image, now_ns() - 10_000_000)] * 200
    with open_source("picamera2:0?width=160&height=96") as source:
        frames = [source.read(0.0) for _ in range(200)]
    assert [frame and frame.driver_time for frame in frames] == [True] + [False] * 199
