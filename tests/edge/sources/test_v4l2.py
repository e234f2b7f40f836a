from __future__ import annotations

import logging
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_camera import FakeCamera

from roadmask.daemon.capture import CaptureThread
from roadmask.errors import ConfigError
from roadmask.sources import (
    FaultCode,
    PictureError,
    SourceError,
    SourceKind,
    open_source,
    v4l2_device,
)
from roadmask.sources.pixels import FORMATS, JPEG_FORMATS
from roadmask.system.clock import now_ns


def picture(level: int, width: int = 640, height: int = 360) -> np.ndarray:
    image = np.full((height, width, 3), level, np.uint8)
    image[: height // 2] //= 2
    return image


def raw(image: np.ndarray, pixel_format: str) -> bytes:
    """The bytes of a grey picture as a camera sends them."""
    height = image.shape[0]
    planar = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    luma, chroma = planar[:height], np.full_like(planar[:height], 128)
    packed: dict[str, np.ndarray] = {
        "YUYV": np.dstack([luma, chroma]),
        "UYVY": np.dstack([chroma, luma]),
        "NV12": planar,  # all chroma is 128, so its order does not matter
        "NV21": planar,
        "YU12": planar,
        "YV12": planar,
        "GREY": image[..., 0],
        "BGR3": image,
        "RGB3": image[..., ::-1],
    }
    return packed[pixel_format].tobytes()


def jpeg(level: int = 100) -> bytes:
    return cv2.imencode(".jpg", picture(level))[1].tobytes()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty /dev and /sys."""
    monkeypatch.setattr(v4l2_device, "DEV", tmp_path / "dev")
    monkeypatch.setattr(v4l2_device, "SYSFS", tmp_path / "sys")
    (tmp_path / "dev").mkdir()
    (tmp_path / "sys").mkdir()
    return tmp_path


def plug(machine: Path, node: str, port: str, card: str = "Webcam", serial: str = "") -> str:
    """Make a device name and what sysfs tells about it."""
    interface = machine / "devices" / port / f"{port}:1.0"
    interface.mkdir(parents=True, exist_ok=True)
    if serial:
        for name, value in (("idVendor", "046d"), ("idProduct", "0825"), ("serial", serial)):
            (interface.parent / name).write_text(value + "\n")
    entry = machine / "sys" / node
    entry.mkdir()
    (entry / "name").write_text(card + "\n")
    (entry / "index").write_text("0\n")
    (entry / "device").symlink_to(interface)
    device = machine / "dev" / node
    device.touch()
    return str(device)


def unplug(machine: Path, node: str) -> None:
    (machine / "dev" / node).unlink()
    for name in ("name", "index", "device"):
        (machine / "sys" / node / name).unlink()
    (machine / "sys" / node).rmdir()


@pytest.fixture
def camera(machine: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCamera:
    fake = FakeCamera(path=plug(machine, "video0", "1-1"))
    monkeypatch.setattr(cv2, "VideoCapture", fake.capture_class())
    return fake


def test_mjpeg_is_decoded_and_carries_the_drivers_time(camera: FakeCamera) -> None:
    camera.push(jpeg(100), age_s=0.02)
    with open_source(f"v4l2:{camera.path}?width=640&height=360") as source:
        assert (source.kind, source.size, source.fps) == (SourceKind.LIVE, (640, 360), 30)
        before = now_ns()
        frame = source.read(1.0)
    assert frame is not None and frame.driver_time
    assert frame.image.shape == (360, 640, 3)
    assert np.abs(frame.image.astype(int) - picture(100)).max() <= 2
    # 20 ms before the push, which lay before ``before``.
    assert frame.capture_ns <= before - 20_000_000 + 1_000_000


def test_the_bare_path_is_a_camera_too(camera: FakeCamera) -> None:
    with open_source(f"v4l2:{camera.path}") as source:
        assert source.size == (1280, 720)
        assert "got 1280x720 at 30 fps MJPG" in source.describe()


def test_what_the_camera_does_instead_is_said(
    camera: FakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    camera.formats, camera.max_fps = ("YUYV",), 15.0
    uri = f"v4l2:{camera.path}?width=800&height=600&fps=60&brightness=400&zoom=3"
    with caplog.at_level(logging.WARNING), open_source(uri) as source:
        said = source.describe()
    assert (source.size, source.fps) == ((640, 360), 15)
    assert "asked for 800x600 at 60 fps" in said and "got 640x360 at 15 fps YUYV" in said
    assert "brightness=400 became 255" in said and "zoom=3 refused" in said
    assert said in caplog.text


def test_unknown_options_name_the_nearest(camera: FakeCamera) -> None:
    with pytest.raises(ConfigError, match="'brigtness'; did you mean 'brightness'"):
        open_source(f"v4l2:{camera.path}?brigtness=3")
    with pytest.raises(ConfigError, match="did you mean 'MJPG'"):
        open_source(f"v4l2:{camera.path}?format=MJPEG")


@pytest.mark.parametrize("pixel_format", [name for name in FORMATS if name not in JPEG_FORMATS])
def test_every_raw_format(camera: FakeCamera, pixel_format: str) -> None:
    image = picture(180)  # grey: no error from chroma that is shared between pixels
    camera.formats = (pixel_format,)
    camera.push(raw(image, pixel_format))
    with open_source(f"v4l2:{camera.path}?width=640&height=360&format={pixel_format}") as source:
        frame = source.read(1.0)
    assert frame is not None
    assert np.abs(frame.image.astype(int) - image).max() <= 2


def test_nv12_with_padded_lines(camera: FakeCamera) -> None:
    padded = np.zeros((540, 704), np.uint8)  # 64 bytes behind each line of 640
    padded[:360], padded[360:] = 126, 128  # luma 126 is (126 - 16) * 255 / 219 = 128
    camera.formats = ("NV12",)
    camera.push(padded.tobytes())
    with open_source(f"v4l2:{camera.path}?width=640&height=360&format=NV12") as source:
        frame = source.read(1.0)
    assert frame is not None
    assert np.abs(frame.image.astype(int) - 128).max() <= 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (jpeg()[: len(jpeg()) * 2 // 3], "cut off"),
        (b"\x00" * 5000 + b"\xff\xd9", "cannot be decoded"),
    ],
)
def test_a_bad_picture_is_an_error_and_never_the_one_before(
    camera: FakeCamera, data: bytes, why: str
) -> None:
    with open_source(f"v4l2:{camera.path}") as source:
        for buffer in (jpeg(50), data, jpeg(200)):
            camera.push(buffer)
            if buffer is data:
                with pytest.raises(PictureError, match=why) as error:
                    source.read(1.0)
                assert error.value.code is FaultCode.DECODE_ERROR
                continue
            frame = source.read(1.0)
            assert frame is not None
    assert frame.frame_id == 2  # the bad one counts


def test_a_short_buffer_is_an_error(camera: FakeCamera) -> None:
    camera.formats = ("YUYV",)
    camera.push(b"\x80" * 1000)
    with open_source(f"v4l2:{camera.path}") as source, pytest.raises(PictureError, match="1000"):
        source.read(1.0)


def test_a_padded_jpeg_is_whole_and_endmark_0_takes_any(camera: FakeCamera) -> None:
    camera.push(jpeg() + b"\0" * 4096)
    with open_source(f"v4l2:{camera.path}") as source:
        assert source.read(1.0) is not None
    camera.push(jpeg()[:-2])
    with open_source(f"v4l2:{camera.path}?endmark=0") as source:
        assert source.read(1.0) is not None


def test_impossible_stamps_give_way_to_the_time_of_arrival(camera: FakeCamera) -> None:
    with open_source(f"v4l2:{camera.path}") as source:
        camera.push(jpeg(), age_s=0.01)
        good = source.read(1.0)
        assert good is not None and good.driver_time
        repeated = (good.capture_ns) / 1e6 - 5000
        for stamp_ms in (0.0, -1.0, repeated, 1e13):  # zero, negative, falling, the future
            camera.push(jpeg(), stamp_ms=stamp_ms)
            before = now_ns()
            frame = source.read(1.0)
            assert frame is not None and not frame.driver_time
            assert frame.capture_ns <= before - 2e9 / 30  # what may lie before the arrival


def test_a_stamp_that_is_repeated_is_no_time_however_often(camera: FakeCamera) -> None:
    """Two readings of two clocks never differ by quite the same: some repeats seemed to rise."""
    with open_source(f"v4l2:{camera.path}") as source:
        stamp_ms = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e3
        stamped = []
        for _ in range(200):
            camera.push(jpeg(), stamp_ms=stamp_ms)
            frame = source.read(1.0)
            assert frame is not None
            stamped.append(frame.driver_time)
    assert stamped == [True] + [False] * 199


def test_the_latency_of_a_camera_without_stamps_can_be_told(camera: FakeCamera) -> None:
    with open_source(f"v4l2:{camera.path}?latency_ms=150") as source:
        camera.push(jpeg(), stamp_ms=0.0)
        before = now_ns()
        frame = source.read(1.0)
        assert frame is not None and frame.age_known and not frame.driver_time
        assert before - 150_000_000 <= frame.capture_ns <= now_ns() - 150_000_000
    with open_source(f"v4l2:{camera.path}", latency_ms=0.0) as source:
        camera.push(jpeg(), age_s=0.01)
        assert source.read(1.0).driver_time  # type: ignore[union-attr]
    assert source.kind is SourceKind.LIVE


def test_an_unstamped_picture_is_as_old_as_its_wait_in_the_queue(
    camera: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader paused for 2 s: all that the driver holds may be that old."""
    clock = [now_ns()]
    monkeypatch.setattr("roadmask.sources.v4l2.now_ns", lambda: clock[0])
    with open_source(f"v4l2:{camera.path}") as source:
        camera.push(jpeg(), stamp_ms=0.0)
        assert source.read(1.0) is not None
        assert source.read(0.01) is None  # empty now
        empty_ns, clock[0] = clock[0], clock[0] + 2_000_000_000
        for _ in range(4):
            camera.push(jpeg(), stamp_ms=0.0)
        old = source.read(1.0)
        assert old is not None and old.frame_id == 4
        assert old.capture_ns <= empty_ns
        camera.push(jpeg(), stamp_ms=0.0)
        fresh = source.read(1.0)
        assert fresh is not None and fresh.capture_ns > empty_ns + 1_900_000_000


def test_after_a_pause_the_old_pictures_are_dropped(camera: FakeCamera) -> None:
    with open_source(f"v4l2:{camera.path}") as source:
        for age_s, level in ((0.4, 30), (0.37, 60), (0.3, 90), (0.0, 250)):
            camera.push(jpeg(level), age_s=age_s)
        frame = source.read(1.0)
        assert frame is not None
        assert frame.image[-1, -1, 0] == pytest.approx(250, abs=2)
        assert frame.frame_id == 3  # three were passed over


def test_a_stale_picture_is_dropped_even_when_it_is_the_newest(camera: FakeCamera) -> None:
    with open_source(f"v4l2:{camera.path}") as source:
        camera.push(jpeg(), age_s=5.0)
        assert source.read(0.01) is None
        camera.push(jpeg())
        frame = source.read(0.01)
        assert frame is not None and frame.frame_id == 1


def test_a_driver_with_another_clock_is_not_trusted(camera: FakeCamera) -> None:
    """More stale frames in a row than a driver can hold: the stamps are wrong, not the frames."""
    with open_source(f"v4l2:{camera.path}") as source:
        for index in range(9):
            camera.push(jpeg(), age_s=3600.0 - 0.033 * index)
        first = source.read(1.0)
        assert first is not None and not first.driver_time
        second = source.read(1.0)
        assert second is not None and not second.driver_time


def test_no_frame_is_a_time_out(camera: FakeCamera) -> None:
    camera.push(jpeg())
    with open_source(f"v4l2:{camera.path}") as source:
        assert source.read(1.0) is not None
        assert source.read(0.01) is None


def test_unplugging_is_named(camera: FakeCamera, machine: Path) -> None:
    camera.push(jpeg())
    with open_source(f"v4l2:{camera.path}") as source:
        assert source.read(1.0) is not None
        camera.plugged = False
        unplug(machine, "video0")
        with pytest.raises(SourceError, match="unplugged") as error:
            source.read(1.0)
        assert error.value.code is FaultCode.CAMERA_LOST
    assert camera.released == camera.open_count == 1


def test_a_stream_that_does_not_start_is_named(camera: FakeCamera) -> None:
    camera.starts = False
    with (
        open_source(f"v4l2:{camera.path}") as source,
        pytest.raises(SourceError, match="streaming failed"),
    ):
        source.read(1.0)


def test_a_missing_camera_is_named(machine: Path) -> None:
    with pytest.raises(SourceError, match="does not exist") as error:
        open_source(f"v4l2:{machine}/dev/video7")
    assert error.value.code is FaultCode.CAMERA_MISSING


def test_what_is_no_camera_is_named() -> None:
    with pytest.raises(SourceError, match="/dev/null is not a V4L2 device"):
        open_source("/dev/null")


def test_the_camera_is_found_under_its_new_name(camera: FakeCamera, machine: Path) -> None:
    source = open_source(f"v4l2:{camera.path}")
    source.close()
    unplug(machine, "video0")
    with pytest.raises(SourceError, match=r"Webcam is gone.*1-1:1\.0") as error:
        source.reopen()
    assert error.value.code is FaultCode.CAMERA_MISSING
    plug(machine, "video0", "1-2", card="Another")  # takes the name: must not be taken for it
    with pytest.raises(SourceError, match="gone"):
        source.reopen()
    camera.path = plug(machine, "video1", "1-1")
    with source.reopen() as again:
        assert again.name == source.name  # in the stream it is the same camera
        assert "video1" in again.describe()


def test_a_serial_number_is_known_at_any_port(machine: Path) -> None:
    wanted = v4l2_device.identify(plug(machine, "video0", "1-1", serial="A1"))
    assert wanted is not None
    unplug(machine, "video0")
    plug(machine, "video2", "2-1", serial="B2")
    found = plug(machine, "video3", "2-4", serial="A1")
    assert v4l2_device.find(wanted, "/dev/video0") == found


def test_the_thread_names_unplugging_and_recovers_without_a_restart(
    camera: FakeCamera, machine: Path
) -> None:
    camera.push(jpeg())
    with CaptureThread(f"v4l2:{camera.path}", backoff_s=(0.01, 0.01)) as capture:
        first = capture.newest(5.0)
        assert first is not None
        camera.plugged = False
        unplug(machine, "video0")
        while capture.fault_code not in (FaultCode.CAMERA_LOST, FaultCode.CAMERA_MISSING):
            assert capture.newest(0.01) is None
        camera.path, camera.plugged = plug(machine, "video1", "1-1"), True
        camera.push(jpeg())
        frame = capture.newest(5.0)
        assert frame is not None and frame.frame_id > first.frame_id
        assert capture.fault is None
        assert capture.statistics.reopened >= 1
    assert camera.released == camera.open_count
