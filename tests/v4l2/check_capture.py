"""The V4L2 source on real drivers: ``uvcvideo`` with the emulated webcam, and ``vivid``."""

from __future__ import annotations

import fcntl
import itertools
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Webcam, nodes, wait_for

from roadmask.errors import CaptureError
from roadmask.sources import FaultCode, Frame, PictureError, Source, SourceError, open_source
from roadmask.system.clock import now_ns


@pytest.fixture
def device(webcam: Webcam) -> str:
    return webcam.plug()


def read(source: Source) -> Frame:
    """The next frame, pictures that cannot be decoded passed over."""

    def look() -> Frame | None:
        try:
            return source.read(2.0)
        except PictureError:
            return None

    return wait_for("frame", look)


def difference(image: np.ndarray, others: list[np.ndarray]) -> float:
    """Mean distance to the nearest of the others."""
    return min(float(np.abs(image.astype(int) - other).mean()) for other in others)


def test_mjpeg_has_its_size_its_time_and_its_picture(
    webcam: Webcam, device: str, frames: Path
) -> None:
    webcam.tell("few")
    sent = [cv2.imread(str(path)) for path in sorted((frames / "mjpeg").iterdir())[:12]]
    with open_source(f"v4l2:{device}?width=1280&height=720&fps=8&format=MJPG") as source:
        assert (source.size, source.fps) == ((1280, 720), 8)
        assert "Test webcam" in source.describe() and "MJPG" in source.describe()
        seen = [read(source) for _ in range(5)]
        source.allow_raw((480, 352))
        half = read(source)
    for before, frame in itertools.pairwise(seen):
        assert frame.driver_time and frame.capture_ns > before.capture_ns
        assert now_ns() - frame.capture_ns > 0
        assert frame.frame_id > before.frame_id
        assert frame.image.shape == (720, 1280, 3)
        assert difference(frame.image, sent) < 0.01  # the very JPEG
    assert half.image.shape == (360, 640, 3) and half.size == (1280, 720)


def test_yuyv_has_its_size_and_arrives_as_it_was_sent(device: str, frames: Path) -> None:
    sent = [path.read_bytes() for path in sorted((frames / "yuyv").iterdir())]
    with open_source(f"v4l2:{device}?width=640&height=360&fps=8&format=YUYV") as source:
        assert source.size == (640, 360)
        whole = read(source)
        assert whole.driver_time and whole.image.shape == (360, 640, 3)
        source.allow_raw((480, 352))
        raw = read(source)
    assert (raw.layout, raw.image.shape) == ("yuyv", (360, 640, 2))
    assert raw.image.tobytes() in sent


def test_controls_reach_the_camera_and_what_it_refuses_is_said(device: str) -> None:
    uri = f"v4l2:{device}?width=1920&height=1080&fps=8&format=MJPG&brightness=20&zoom=3"
    with open_source(uri) as source:
        assert source.size == (1280, 720)
        said = source.describe()
    assert "asked for 1920x1080" in said and "got 1280x720" in said
    assert "zoom=3 refused" in said and "brightness" not in said
    with open_source(f"v4l2:{device}?brightness=500") as source:
        assert "brightness=500 became 64" in source.describe()


def test_frames_that_the_driver_lost_are_counted(webcam: Webcam, device: str) -> None:
    with open_source(f"v4l2:{device}?width=640&height=360&fps=8&format=YUYV") as source:
        steady = [read(source).frame_id for _ in range(4)]
        webcam.tell("lose")
        ids = [read(source).frame_id for _ in range(8)]
    lost = max(b - a - 1 for a, b in zip([steady[-1], *ids], ids, strict=False))
    assert lost >= 3, (steady, ids)


@pytest.mark.parametrize(("state", "why"), [("garbage", "JPEG"), ("truncated", "cut off")])
def test_a_bad_picture_is_never_the_one_before(
    webcam: Webcam, device: str, state: str, why: str
) -> None:
    with open_source(f"v4l2:{device}?width=1280&height=720&fps=8&format=MJPG") as source:
        read(source)
        webcam.tell(state)

        def look() -> str | None:
            try:
                source.read(2.0)
            except PictureError as error:
                return str(error)
            return None

        assert why in wait_for("named", look)
        bad = 0
        for _ in range(4):
            try:
                source.read(2.0)
            except PictureError:
                bad += 1
        assert bad == 4
        webcam.tell("ok")
        assert read(source).image.shape == (720, 1280, 3)


def test_a_stalled_driver_is_a_time_out_and_goes_on(webcam: Webcam, device: str) -> None:
    with open_source(f"v4l2:{device}?width=640&height=360&fps=8&format=YUYV") as source:
        read(source)
        webcam.tell("stall")
        wait_for("silence", lambda: source.read(0.5) is None)
        begin = time.monotonic()
        assert source.read(0.5) is None
        print(f"\n  a read of 0.5 s took {time.monotonic() - begin:.2f} s")
        webcam.tell("ok")
        assert read(source).driver_time


def test_a_camera_in_use_is_busy_for_others(device: str) -> None:
    with open_source(f"v4l2:{device}?width=640&height=360&fps=8&format=YUYV") as source:
        read(source)
        with pytest.raises(SourceError, match="used by another process"):
            open_source(f"v4l2:{device}?width=1280&height=720&fps=8")


def test_the_camera_is_found_under_another_name(webcam: Webcam, device: str) -> None:
    source = open_source(f"v4l2:{device}?width=640&height=360&fps=8&format=YUYV")
    blocker = Path(device).open("rb", buffering=0)  # noqa: SIM115 - keeps the old name taken
    try:
        read(source)
        webcam.unplug()
        source.close()
        with pytest.raises(CaptureError, match="is gone"):
            source.reopen()
        moved = webcam.plug()
        assert moved != device
        with source.reopen() as again:
            assert moved in again.describe() and again.name == source.name
            assert read(again).driver_time
    finally:
        blocker.close()
        source.close()


@pytest.fixture
def vivid() -> Iterator[str]:
    found = nodes("vivid")
    assert found, "the driver vivid is not loaded"
    yield found[0]


@pytest.mark.parametrize(
    ("pixel_format", "layout"), [("YUYV", "yuyv"), ("NV12", "nv12"), ("GREY", "grey")]
)
def test_vivid_in_each_raw_layout(vivid: str, pixel_format: str, layout: str) -> None:
    with open_source(f"v4l2:{vivid}?width=640&height=360&fps=15&format={pixel_format}") as source:
        assert source.size == (640, 360)
        source.allow_raw((480, 352))
        first, second = read(source), read(source)
    assert first.layout == layout and first.size == (640, 360)
    assert second.frame_id > first.frame_id
    assert second.capture_ns > first.capture_ns


def press(device: str, name: str) -> None:
    """Set off one of the faults that vivid offers as buttons among its controls."""
    with Path(device).open("rb", buffering=0) as descriptor:
        query = bytearray(68)  # struct v4l2_queryctrl
        control = 0
        while True:
            struct.pack_into("=I", query, 0, control | 0x80000000)  # the one after it
            fcntl.ioctl(descriptor, 0xC0445624, query)  # fails behind the last one
            (control,) = struct.unpack_from("=I", query)
            if query[8:40].rstrip(b"\0").decode() == name:
                fcntl.ioctl(descriptor, 0xC008561C, struct.pack("=Ii", control, 1))
                return


def test_a_fatal_streaming_error_is_a_lost_camera_and_a_new_start(vivid: str) -> None:
    source = open_source(f"v4l2:{vivid}?width=640&height=360&fps=15&format=YUYV")
    try:
        read(source)
        press(vivid, "Inject Fatal Streaming Error")

        def look() -> SourceError | None:
            try:
                source.read(2.0)
            except PictureError:
                return None
            except SourceError as error:
                return error
            return None

        assert wait_for("named", look).code is FaultCode.CAMERA_LOST
    finally:
        source.close()
    with source.reopen() as again:
        assert read(again).size == (640, 360)
