from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.errors import CaptureError, ConfigError
from roadmask.sources import (
    EndOfStream,
    FaultCode,
    Frame,
    PictureError,
    Source,
    SourceError,
    SourceKind,
    open_source,
    pace,
)
from roadmask.sources.buffers import BufferPool
from roadmask.sources.network import has_gstreamer
from roadmask.sources.pace import Pace
from roadmask.sources.uri import parse_uri
from roadmask.system.clock import now_ns
from roadmask.town.town import Town

SIZE = (160, 96)


@pytest.fixture(scope="module")
def town_images() -> list[np.ndarray]:
    town = Town(3, *SIZE, 10.0)
    return [town.frame(index * 5).image for index in range(12)]


@pytest.fixture
def video(tmp_path: Path, town_images: list[np.ndarray]) -> Path:
    """Twelve frames of the town at 12.5 fps."""
    return write_video(tmp_path / "town.mp4", town_images, "mp4v", 12.5)


def write_video(path: Path, images: list[np.ndarray], codec: str, fps: float = 25.0) -> Path:
    size = (images[0].shape[1], images[0].shape[0])
    # OpenCV's own writer keeps odd sizes, FFmpeg's cuts them to even ones.
    backend = cv2.CAP_OPENCV_MJPEG if size[0] % 2 else cv2.CAP_FFMPEG
    writer = cv2.VideoWriter(
        str(path), backend, cv2.VideoWriter.fourcc(*codec), fps, size, images[0].ndim == 3
    )
    for image in images:
        writer.write(image)
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path: Path, town_images: list[np.ndarray]) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    for index, image in enumerate(town_images[:5]):
        cv2.imwrite(str(path / f"{index:03}.png"), image)
    return path


def read_all(source: Source) -> list[Frame]:
    with source:
        return list(source)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


# --- video ---------------------------------------------------------------------------------


def test_a_video_gives_every_frame_in_order(video: Path, town_images: list[np.ndarray]) -> None:
    source = open_source(f"{video}?realtime=0")
    assert (source.kind, source.size, source.fps) == (SourceKind.FILE, SIZE, 12.5)
    frames = read_all(source)
    assert [frame.frame_id for frame in frames] == list(range(12))
    # Kept frames are not overwritten by later ones: each is nearest to its own original.
    for frame in frames:
        errors = [difference(frame.image, image) for image in town_images]
        assert int(np.argmin(errors)) == frame.frame_id
        assert not frame.driver_time


def test_a_video_can_go_round(video: Path) -> None:
    with open_source(f"{video}?realtime=0&loop=1") as source:
        frames = list(islice(source, 26))
    assert [frame.frame_id for frame in frames] == list(range(26))
    assert difference(frames[0].image, frames[24].image) == 0


@pytest.mark.parametrize("size", [(161, 97), (33, 21)])
def test_odd_sizes(tmp_path: Path, town_images: list[np.ndarray], size: tuple[int, int]) -> None:
    images = [cv2.resize(image, size) for image in town_images[:3]]
    frames = read_all(
        open_source(f"{write_video(tmp_path / 'odd.avi', images, 'MJPG')}?realtime=0")
    )
    assert [frame.image.shape for frame in frames] == [(size[1], size[0], 3)] * 3


def test_a_greyscale_video_becomes_three_channels(
    tmp_path: Path, town_images: list[np.ndarray]
) -> None:
    images = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in town_images[:3]]
    path = write_video(tmp_path / "grey.avi", images, "MJPG")
    frames = read_all(open_source(f"{path}?realtime=0"))
    assert len(frames) == 3 and frames[0].image.shape == (SIZE[1], SIZE[0], 3)
    assert difference(frames[0].image[..., 1], images[0]) < 5


def test_a_truncated_video_ends(
    tmp_path: Path, town_images: list[np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "whole.avi", town_images, "MJPG")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = read_all(open_source(f"{cut}?realtime=0"))
    assert 0 < len(frames) < 12
    assert f"ends after {len(frames)} of 12 frames: cut off or damaged" in caplog.text


def test_an_mp4_without_its_index_does_not_open(video: Path) -> None:
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(CaptureError, match="no frame of it can be decoded"):
        open_source(str(video))


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "it is empty"), (b"not a video" * 1000, "no frame of it can be decoded")],
)
def test_a_corrupt_video_does_not_open(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=why):
        open_source(str(path))


def test_no_line_of_opencv_disturbs_the_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(b"not a video" * 1000)
    with pytest.raises(CaptureError):
        open_source(str(path))
    assert capfd.readouterr() == ("", "")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"drive.mp4 cannot be read: No such file"):
        open_source(str(tmp_path / "drive.mp4"))


# --- real time -----------------------------------------------------------------------------


def test_the_clock_releases_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [7_000_000_000]
    monkeypatch.setattr(pace, "now_ns", lambda: clock[0])
    schedule = Pace(fps=10.0, realtime=True)
    assert schedule.next(0.0) == 0  # starts the clock
    assert schedule.next(0.0) is None  # frame 1 is due in 100 ms
    clock[0] += 100_000_000
    assert schedule.next(0.0) == 1
    clock[0] += 350_000_000  # at 450 ms frame 4 is due since 400 ms; 2 and 3 are missed
    assert schedule.next(0.0) == 4
    assert schedule.next(0.0) is None


def test_without_the_clock_every_frame_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Pace(fps=0.01, realtime=False)
    assert [schedule.next(0.0) for _ in range(3)] == [0, 1, 2]


def test_a_late_reader_of_a_video_skips(
    video: Path, town_images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0]
    monkeypatch.setattr(pace, "now_ns", lambda: clock[0])
    with open_source(str(video)) as source:
        assert source.read(0.0) is not None
        clock[0] = 580_000_000  # 7.25 periods of 80 ms
        frame = source.read(0.0)
        assert frame is not None and frame.frame_id == 7
        assert source.read(0.0) is None
        clock[0] = 2_000_000_000
        with pytest.raises(EndOfStream):
            source.read(0.0)
    errors = [difference(frame.image, image) for image in town_images]
    assert int(np.argmin(errors)) == 7


# --- folder --------------------------------------------------------------------------------


def test_a_folder_in_the_order_of_names(folder: Path, town_images: list[np.ndarray]) -> None:
    (folder / "notes.txt").write_text("no picture")
    source = open_source(f"{folder}?realtime=0")
    assert (source.kind, source.size, source.fps) == (SourceKind.FILE, SIZE, 25.0)
    frames = read_all(source)
    assert [frame.frame_id for frame in frames] == list(range(5))
    for frame, image in zip(frames, town_images, strict=False):
        np.testing.assert_array_equal(frame.image, image)


def test_pictures_of_different_sizes(folder: Path) -> None:
    cv2.imwrite(str(folder / "002.png"), np.zeros((50, 40), np.uint8))  # greyscale, too
    frames = read_all(open_source(f"{folder}?realtime=0"))
    assert [frame.image.shape for frame in frames][1:4] == [(96, 160, 3), (50, 40, 3), (96, 160, 3)]


def test_a_bad_picture_is_named_and_passed_over(folder: Path) -> None:
    (folder / "002.png").write_bytes(b"no image")
    with open_source(f"{folder}?realtime=0") as source:
        assert [source.read(1).frame_id, source.read(1).frame_id] == [0, 1]  # type: ignore[union-attr]
        with pytest.raises(PictureError, match=r"decode error: image .*002\.png"):
            source.read(1)
        assert source.read(1).frame_id == 3  # type: ignore[union-attr]
    assert [frame.frame_id for frame in read_all(open_source(f"{folder}?realtime=0"))] == [
        0,
        1,
        3,
        4,
    ]


def test_a_folder_can_go_round(folder: Path) -> None:
    with open_source(f"{folder}?realtime=0&loop=1") as source:
        assert [frame.frame_id for frame in islice(source, 12)] == list(range(12))


def test_a_folder_that_became_unreadable_ends_with_an_error(folder: Path) -> None:
    with open_source(f"{folder}?realtime=0&loop=1") as source:
        for path in folder.iterdir():
            path.unlink()
        with pytest.raises(CaptureError, match="no image is readable any more"):
            list(source)


def test_one_image_is_a_source(folder: Path) -> None:
    assert len(read_all(open_source(str(folder / "001.png")))) == 1


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"holds no images: expected files ending in \.png"):
        open_source(str(tmp_path))


def test_a_folder_of_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(CaptureError, match="none of 1 images is readable"):
        open_source(str(tmp_path))


# --- town ----------------------------------------------------------------------------------


def test_the_town_tells_its_index() -> None:
    source = open_source("synthetic:town?seed=5&width=160&height=96&count=4&realtime=0")
    assert (source.kind, source.size, source.fps) == (SourceKind.SYNTHETIC, SIZE, 30.0)
    frames = read_all(source)
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3]
    town = Town(5, *SIZE, 30.0)
    for frame in frames:
        np.testing.assert_array_equal(frame.image, town.frame(frame.frame_id).image)


def test_a_prerendered_town_goes_round() -> None:
    with open_source("synthetic:town?width=160&height=96&prerender=2&realtime=0") as source:
        frames = list(islice(source, 5))
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].image is frames[2].image is frames[4].image


# --- network, GStreamer --------------------------------------------------------------------


@pytest.fixture
def server(video: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(video.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize("asserted", ["", "?live=1&latency_ms=50"])
def test_a_video_over_the_network_is_a_file_whatever_is_asserted(
    server: str, town_images: list[np.ndarray], asserted: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_source(f"{server}/town.mp4{asserted}") as source:
        assert (source.kind, source.size, source.fps) == (SourceKind.FILE, SIZE, 12.5)
        began_ns = now_ns()
        frames = list(source)  # to its end, which a camera has not
    assert now_ns() - began_ns >= 11 / 12.5 * 1e9  # at its own rate
    assert [frame.frame_id for frame in frames] == sorted(frame.frame_id for frame in frames)
    errors = [difference(frames[0].image, image) for image in town_images]
    assert int(np.argmin(errors)) == 0
    assert ("a file whatever 'live' says" in caplog.text) == bool(asserted)


def served(video: Path, images: list[np.ndarray]) -> str:
    """Motion JPEG without an end that anybody could know, as cameras send it."""
    parts = [cv2.imencode(".jpg", image)[1].tobytes() for image in images]
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    video.with_name("camera.mjpg").write_bytes(
        b"".join(head % len(part) + part + b"\r\n" for part in parts)
    )
    return "camera.mjpg"


def test_a_stream_is_live_only_when_that_is_asserted(
    server: str, video: Path, town_images: list[np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    address = f"{server}/{served(video, town_images)}"
    with open_source(address) as source:
        assert source.kind is SourceKind.FILE
    assert "is published as a file" in caplog.text
    with open_source(address, live=True) as source:
        assert source.kind is SourceKind.LIVE
        frame = source.read(1.0)
        assert frame is not None and not frame.age_known
    assert "age of its pictures is unknown" in caplog.text
    for uri, latency_ms in ((f"{address}?live=1&latency_ms=300", None), (f"{address}?live=1", 300)):
        with open_source(uri, latency_ms=latency_ms) as source:
            assert (source.kind, source.uri) == (SourceKind.LIVE, address)
            before = now_ns()
            frame = source.read(1.0)
            assert frame is not None and frame.age_known and not frame.driver_time
            assert before - 300_000_000 <= frame.capture_ns <= now_ns() - 300_000_000


def test_a_recording_that_starts_again_is_not_opened_again(
    server: str, video: Path, town_images: list[np.ndarray]
) -> None:
    address = f"{server}/{served(video, town_images)}"
    with open_source(address, live=True, latency_ms=10) as source:
        with pytest.raises(SourceError, match="ended or broke") as error:
            while source.read(1.0) is not None:
                pass
        assert error.value.code is FaultCode.CAMERA_LOST
        with pytest.raises(SourceError, match="starts again with the same picture"):
            source.reopen()
        served(video, town_images[3:])
        with source.reopen() as again:
            assert again.kind is SourceKind.LIVE
            assert again.read(1.0).age_known  # type: ignore[union-attr]


def test_what_is_asserted_of_a_file_or_of_the_town_changes_nothing(
    video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_source(str(video), live=True, latency_ms=5) as source:
        assert source.kind is SourceKind.FILE
    with open_source("synthetic:town?live=1&latency_ms=5&width=160") as source:
        assert source.kind is SourceKind.SYNTHETIC
    assert caplog.text.count("no default subscriber takes its masks") == 2


def test_a_stream_that_does_not_answer() -> None:
    with pytest.raises(
        SourceError, match=r"rtsp://me:\*\*\*@127.0.0.1:1/x gives no picture"
    ) as error:
        open_source("rtsp://me:secret@127.0.0.1:1/x")
    assert error.value.code is FaultCode.CAMERA_MISSING
    assert "secret" not in str(error.value)


@pytest.mark.skipif(has_gstreamer(), reason="this OpenCV has GStreamer")
def test_a_missing_gstreamer_is_said() -> None:
    with pytest.raises(CaptureError, match="without GStreamer; use the system's"):
        open_source("gst:nvarguscamerasrc ! nvvidconv ! videoconvert ! appsink")


# --- URIs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("", "source is empty: expected /dev/video0"),
        ("synthetic:", "names nothing"),
        ("rtsp://", "names nothing"),
        ("gst: ", "names nothing"),
        ("0", "did you mean /dev/video0"),
        ("v4l:/dev/video0", "unknown kind 'v4l'; did you mean 'v4l2'"),
        ("picamera2:front", "the camera's number, as picamera2:0"),
        ("synthetic:twon", "unknown world 'twon'; did you mean 'town'"),
        ("synthetic:town?sed=1", "unknown option 'sed'; did you mean 'seed'"),
        ("synthetic:town?seed=1&seed=2", "'seed' is given twice"),
        ("synthetic:town?seed", "expected name=value"),
        ("synthetic:town?seed=x", "seed='x', expected a whole number from 0"),
        ("synthetic:town?width=1", "width='1', expected a whole number from 64"),
        ("synthetic:town?fps=nan", "fps='nan', expected a number from 0.01"),
        ("synthetic:town?weather=rian", "did you mean 'rain'"),
        ("rtsp://c/x?live=yes", "live='yes', expected one of 0, 1"),
        ("rtsp://c/x?latency_ms=-1", "latency_ms='-1', expected a number from 0 to 60000"),
        ("rtsp://c/x?live=1&live=1", "'live' is given twice"),
        ("synthetic:town?realtime=yes", "realtime='yes', expected one of 0, 1"),
    ],
)
def test_a_malformed_uri_says_what_was_expected(uri: str, what: str) -> None:
    with pytest.raises(ConfigError) as error:
        open_source(uri)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_may_have_a_question_mark_in_its_name(video: Path) -> None:
    odd = video.rename(video.with_name("what?is=this:that.mp4"))
    assert parse_uri(str(odd)).target == str(odd)
    with open_source(str(odd)) as source:
        assert source.size == SIZE


def test_the_query_of_a_network_address_is_its_own() -> None:
    uri = parse_uri("rtsp://camera/live?channel=1&subtype=0")
    assert uri.target == "rtsp://camera/live?channel=1&subtype=0"
    assert not uri.options.values


@pytest.mark.parametrize(
    ("text", "target", "live", "latency_ms"),
    [
        ("rtsp://c/x?channel=1&live=1&latency_ms=80", "rtsp://c/x?channel=1", True, 80.0),
        ("rtsp://c/x?live=1", "rtsp://c/x", True, None),
        ("http://c/x?latency_ms=2.5", "http://c/x", False, 2.5),
        ("rtsp://c/x?live=1&channel=2", "rtsp://c/x?live=1&channel=2", False, None),
        ("rtsp://c/x?live=0", "rtsp://c/x", False, None),
        ("udp://@:5000?live=1", "udp://@:5000", True, None),
        ("gst:a ! b c=d ! appsink drop=true?live=1&latency_ms=100 ",
         "a ! b c=d ! appsink drop=true", True, 100.0),
        ("v4l2:/dev/video0?width=640&latency_ms=90", "/dev/video0", False, 90.0),
    ],
)  # fmt: skip
def test_two_settings_are_taken_off_the_end(
    text: str, target: str, live: bool, latency_ms: float | None
) -> None:
    uri = parse_uri(text)
    assert (uri.target, uri.live, uri.latency_ms) == (target, live, latency_ms)
    assert "live" not in uri.options.values and "latency_ms" not in uri.options.values


# --- memory --------------------------------------------------------------------------------


def test_memory_is_used_again_only_when_nobody_looks() -> None:
    pool = BufferPool()
    first = pool.take(4, 6, 3)
    assert pool.take(4, 6, 3) is not first  # held by ``first``
    corner, address = first[:2], first.ctypes.data
    del first
    assert pool.take(4, 6, 3).ctypes.data != address  # held by the view
    del corner
    assert pool.take(4, 6, 3).ctypes.data == address
    assert pool.take(2, 2, 3).shape == (2, 2, 3)


def test_a_steady_reader_of_a_video_allocates_no_pictures(video: Path) -> None:
    with open_source(f"{video}?realtime=0&loop=1") as source:
        addresses = {frame.image.ctypes.data for frame in islice(source, 40)}
    assert len(addresses) <= 3
