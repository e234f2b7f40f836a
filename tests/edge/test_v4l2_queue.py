"""The driver's sequence numbers and error flags; ``make test-v4l2`` has the real drivers."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_camera import FakeCamera

from roadmask.sources import PictureError, open_source, v4l2_queue
from roadmask.sources.v4l2_queue import BufferState, DriverQueue

JPEG = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()


@dataclass
class Driver:
    """Answers VIDIOC_QUERYBUF: stamp in µs, sequence and flags of each buffer."""

    buffers: list[tuple[int, int, int]] = field(default_factory=list)
    asked: int = 0

    def ioctl(self, descriptor: int, request: int, query: bytearray) -> None:
        assert (descriptor, request, len(query)) == (7, 0xC0585609, 88)
        self.asked += 1
        index, kind = struct.unpack_from("=II", query)
        assert kind == 1
        if index >= len(self.buffers):
            raise OSError
        stamp_us, sequence, flags = self.buffers[index]
        struct.pack_into("=I", query, 12, flags)
        struct.pack_into("=qq", query, 24, *divmod(stamp_us, 1_000_000))
        struct.pack_into("=I", query, 56, sequence)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(v4l2_queue, "_own_descriptor", lambda device: 7)
    monkeypatch.setattr(v4l2_queue.fcntl, "ioctl", driver.ioctl)
    return driver


def test_the_buffer_is_found_by_its_stamp(driver: Driver) -> None:
    driver.buffers = [(5_000_000, 40, 0), (5_033_367, 41, 0x40 | 0x2000), (4_900_000, 38, 1)]
    queue = DriverQueue("/dev/video0")
    assert queue.filled(5033.367) == BufferState(41, bad=True)
    assert queue.filled(4900.0) == BufferState(38, bad=False)
    assert queue.filled(1.0) is None  # asked around all of them
    driver.asked = 0
    assert queue.filled(5000.0) == BufferState(40, bad=False)
    assert queue.filled(5033.367) is not None  # the next one in turn: asked once
    assert driver.asked <= 10


def test_a_driver_that_does_not_tell_is_asked_once(driver: Driver) -> None:
    queue = DriverQueue("/dev/video0")
    assert queue.filled(1.0) is None
    assert queue.filled(1.0) is None
    assert driver.asked == 1


def test_no_descriptor_no_answer(tmp_path: Path) -> None:
    assert DriverQueue(str(tmp_path / "video0")).filled(1.0) is None
    (tmp_path / "file").touch()
    assert DriverQueue(str(tmp_path / "file")).filled(1.0) is None


def test_the_descriptor_that_is_found_is_the_devices() -> None:
    with Path("/dev/zero").open("rb") as device:
        assert v4l2_queue._own_descriptor("/dev/zero") == device.fileno()


def test_lost_frames_are_gaps_and_damaged_ones_errors(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = tmp_path / "video0"
    device.touch()
    camera = FakeCamera(path=str(device))
    monkeypatch.setattr(cv2, "VideoCapture", camera.capture_class())

    def frame(sequence: int, flags: int = 0) -> None:
        stamp_us = round(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
        driver.buffers = [(stamp_us, sequence, flags)]
        camera.push(JPEG, stamp_ms=stamp_us / 1000)

    with open_source(f"v4l2:{device}") as source:
        ids = []
        # Three are lost; then a driver that counts anew, and one that always says the same.
        for sequence in (100, 101, 105, 2, 2, 3):
            frame(sequence)
            got = source.read(1.0)
            assert got is not None
            ids.append(got.frame_id)
        assert ids == [0, 1, 5, 6, 7, 8]
        frame(4, flags=0x40)
        with pytest.raises(PictureError, match="frame 9 is damaged"):
            source.read(1.0)
        frame(2**32 - 1)
        assert source.read(1.0) is not None
        frame(1)  # the count wraps: 0 is lost
        last = source.read(1.0)
        assert last is not None and last.frame_id == 12
