"""The driver's sequence numbers; ``make test-v4l2`` has the real drivers."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_camera import FakeCamera

from roadmask.sources import open_source, v4l2_queue
from roadmask.sources.v4l2_queue import DriverQueue

JPEG = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()


@dataclass
class Driver:
    """Answers VIDIOC_QUERYBUF: stamp in µs and sequence of each buffer."""

    buffers: list[tuple[int, int]] = field(default_factory=list)
    asked: int = 0

    def ioctl(self, descriptor: int, request: int, query: bytearray) -> None:
        assert (descriptor, request, len(query)) == (7, 0xC0585609, 88)
        self.asked += 1
        index, kind = struct.unpack_from("=II", query)
        assert kind == 1
        if index >= len(self.buffers):
            raise OSError
        stamp_us, sequence = self.buffers[index]
        struct.pack_into("=qq", query, 24, *divmod(stamp_us, 1_000_000))
        struct.pack_into("=I", query, 56, sequence)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(v4l2_queue, "_own_descriptor", lambda device: 7)
    monkeypatch.setattr(v4l2_queue.fcntl, "ioctl", driver.ioctl)
    return driver


def test_the_buffer_is_found_by_its_stamp(driver: Driver) -> None:
    driver.buffers = [(5_000_000, 40), (5_033_367, 41), (4_900_000, 38)]
    queue = DriverQueue("/dev/video0")
    assert queue.sequence(5033.367) == 41
    assert queue.sequence(4900.0) == 38
    assert queue.sequence(1.0) is None  # asked around all of them
    driver.asked = 0
    assert queue.sequence(5000.0) == 40
    assert queue.sequence(5033.367) is not None  # the next one in turn: asked once
    assert driver.asked <= 10


def test_a_driver_that_does_not_tell_is_asked_once(driver: Driver) -> None:
    queue = DriverQueue("/dev/video0")
    assert queue.sequence(1.0) is None
    assert queue.sequence(1.0) is None
    assert driver.asked == 1


def test_no_descriptor_no_answer(tmp_path: Path) -> None:
    assert DriverQueue(str(tmp_path / "video0")).sequence(1.0) is None
    (tmp_path / "file").touch()
    assert DriverQueue(str(tmp_path / "file")).sequence(1.0) is None


def test_the_descriptor_that_is_found_is_the_devices() -> None:
    with Path("/dev/zero").open("rb") as device:
        assert v4l2_queue._own_descriptor("/dev/zero") == device.fileno()


def test_lost_frames_are_gaps(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = tmp_path / "video0"
    device.touch()
    camera = FakeCamera(path=str(device))
    monkeypatch.setattr(cv2, "VideoCapture", camera.capture_class())

    def frame(sequence: int) -> None:
        stamp_us = round(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
        driver.buffers = [(stamp_us, sequence)]
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
        frame(2**32 - 1)
        assert source.read(1.0) is not None
        frame(1)  # the count wraps: 0 is lost
        last = source.read(1.0)
        assert last is not None and last.frame_id == 11
