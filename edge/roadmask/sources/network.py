"""Network streams and GStreamer pipelines: who asserts that they are live, and how old they are."""

from __future__ import annotations

import hashlib
import logging

import cv2

from roadmask.errors import CaptureError
from roadmask.sources.buffers import BufferPool
from roadmask.sources.opencv import frame_rate, open_capture, retrieve_picture
from roadmask.sources.pace import Pace
from roadmask.sources.source import (
    EndOfStream,
    FaultCode,
    Frame,
    PictureError,
    Source,
    SourceError,
    SourceKind,
)
from roadmask.sources.uri import SourceUri
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)

OPEN_TIMEOUT_MS, READ_TIMEOUT_MS = 5000, 2000


class StreamSource(Source):
    """Frames from the network (RTSP, HTTP, UDP) by FFmpeg, or from a GStreamer pipeline.

    An address does not tell a camera from a recording, so the stream is a FILE unless the user
    asserts ``live``. What tells a number of frames is a file whatever he asserts, and plays at its
    own rate; what starts again with the picture that it started with is none that is opened again.

    Stamped on arrival, less the asserted latency; without one the age is unknown. A pipeline ends
    in ``appsink``; ``drop=true max-buffers=1`` on it keeps old frames from queueing.

    Args:
        uri: what to open.
        first: digest of the picture with which it started before.

    Raises:
        SourceError: CAMERA_MISSING when nothing answers within five seconds, CAMERA_LOST for a
            recording that starts again.
        CaptureError: a pipeline, and OpenCV has no GStreamer.
    """

    def __init__(self, uri: SourceUri, first: bytes = b"") -> None:
        self._uri = uri
        self.uri, self.name = uri.text, uri.name
        backend = cv2.CAP_FFMPEG
        if uri.scheme == "gst":
            backend = cv2.CAP_GSTREAMER
            _require_gstreamer(uri)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
        self._capture = open_capture(uri.target, backend, limits)
        if uri.scheme == "gst" and not self._capture.isOpened():
            # Before OpenCV 4.7 its GStreamer part refuses to open with limits.
            self._capture = open_capture(uri.target, backend)
        self._pool = BufferPool()
        try:
            if not self._capture.isOpened() or not self._capture.grab():
                raise PictureError("no picture")
            picture = retrieve_picture(self._capture, self._pool, None)
        except PictureError as error:
            self._capture.release()
            raise SourceError(
                FaultCode.CAMERA_MISSING,
                f"{self.name} gives no picture (limit {OPEN_TIMEOUT_MS / 1000:g} s): check the "
                + ("pipeline with gst-launch-1.0" if uri.scheme == "gst" else "address"),
            ) from error
        self.size, self.fps = picture.size, frame_rate(self._capture)
        self._first = hashlib.blake2b(picture.image.data, digest_size=16).digest()
        if self._first == first:
            self._capture.release()
            raise SourceError(
                FaultCode.CAMERA_LOST,
                f"{self.name} starts again with the same picture: it is a recording, not live",
            )
        # A live one has none, or a negative one.
        recorded = self._capture.get(cv2.CAP_PROP_FRAME_COUNT) >= 1
        self._pace = Pace(self.fps, realtime=True) if recorded else None
        self.kind = SourceKind.LIVE if uri.live and not recorded else SourceKind.FILE
        self._latency_ns = uri.latency_ns(0)
        self._age_known = uri.latency_ms is not None or self.kind is SourceKind.FILE
        self._grabbed = 1 if recorded else 0  # a file's first picture is shown
        self._warn_if_unasserted(recorded)

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame; the back end's own limit of two seconds stands for ``timeout_s``.

        Raises:
            SourceError: CAMERA_LOST.
        """
        wanted = self._grabbed
        if self._pace is not None:
            due = self._pace.next(timeout_s)
            if due is None:
                return None
            wanted = due
        while self._grabbed <= wanted:
            if not self._capture.grab():
                raise self._end()
            self._grabbed += 1
        captured = now_ns() - self._latency_ns
        index = wanted
        try:
            image = retrieve_picture(self._capture, self._pool, self.size).image
        except PictureError as error:
            raise PictureError(f"{self.name}: frame {index}: {error.detail}") from error
        return Frame(image, captured, index, age_known=self._age_known)

    def describe(self) -> str:
        """What it is taken for, size, rate, and what is known of its age."""
        width, height = self.size
        age = f"at most {self._latency_ns / 1e6:g} ms before" if self._age_known else "age unknown"
        return (
            f"{self.name}: {self.kind.value}, {width}x{height}, {self.fps:g} fps, stamped on "
            f"arrival, {age}"
        )

    def reopen(self) -> StreamSource:
        """The same stream, which must not start with the picture that it started with before."""
        return StreamSource(self._uri, self._first)

    def _end(self) -> Exception:
        if self._pace is not None:
            return EndOfStream()
        return SourceError(FaultCode.CAMERA_LOST, f"{self.name}: the stream ended or broke")

    def _warn_if_unasserted(self, recorded: bool) -> None:
        if recorded:
            return
        if not self._uri.live:
            _log.warning(
                "%s is published as a file, which no default subscriber takes: for a camera add "
                "--live (or live=1)",
                self.name,
            )
        elif not self._age_known:
            _log.warning(
                "%s: the age of its pictures is unknown, and no default subscriber takes them: add "
                "--latency-ms (or latency_ms=) with what lies between exposure and arrival at most",
                self.name,
            )

    def close(self) -> None:
        """Close the connection."""
        self._capture.release()


def has_gstreamer() -> bool:
    """Whether this OpenCV can open GStreamer pipelines; the wheels of PyPI cannot."""
    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER)) and any(
        "GStreamer" in line and "YES" in line for line in cv2.getBuildInformation().splitlines()
    )


def _require_gstreamer(uri: SourceUri) -> None:
    if not has_gstreamer():
        raise CaptureError(
            f"source {uri.name!r}: this OpenCV {cv2.__version__} is built without GStreamer; use "
            "the system's (Debian, JetPack: apt install python3-opencv, in a virtual environment "
            "made with --system-site-packages and without opencv-python-headless)"
        )
