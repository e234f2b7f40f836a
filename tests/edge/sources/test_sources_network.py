"""Addresses of the network: what is live is asserted."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from source_parts import SIZE, difference
from stream_parts import PATIENCE_S

from roadmask.errors import CaptureError
from roadmask.sources import (
    FaultCode,
    SourceError,
    SourceKind,
    open_source,
)
from roadmask.sources.network import has_gstreamer
from roadmask.system.clock import now_ns


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
        frame = source.read(PATIENCE_S)
        assert frame is not None and not frame.age_known
    assert "age of its pictures is unknown" in caplog.text
    for uri, latency_ms in ((f"{address}?live=1&latency_ms=300", None), (f"{address}?live=1", 300)):
        with open_source(uri, latency_ms=latency_ms) as source:
            assert (source.kind, source.uri) == (SourceKind.LIVE, address)
            before = now_ns()
            frame = source.read(PATIENCE_S)
            assert frame is not None and frame.age_known and not frame.driver_time
            assert before - 300_000_000 <= frame.capture_ns <= now_ns() - 300_000_000


def test_a_recording_that_starts_again_is_not_opened_again(
    server: str, video: Path, town_images: list[np.ndarray]
) -> None:
    address = f"{server}/{served(video, town_images)}"
    with open_source(address, live=True, latency_ms=10) as source:
        with pytest.raises(SourceError, match="ended or broke") as error:
            while source.read(PATIENCE_S) is not None:
                pass
        assert error.value.code is FaultCode.CAMERA_LOST
        with pytest.raises(SourceError, match="starts again with the same picture"):
            source.reopen()
        served(video, town_images[3:])
        with source.reopen() as again:
            assert again.kind is SourceKind.LIVE
            assert again.read(PATIENCE_S).age_known  # type: ignore[union-attr]


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
