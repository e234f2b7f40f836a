"""Video files, read through ``cv2.VideoCapture``; its calls, as other sources need them too."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from roadmask.errors import CaptureError
from roadmask.sources.buffers import BufferPool
from roadmask.sources.pace import Pace
from roadmask.sources.pixels import Decoder
from roadmask.sources.source import (
    EndOfStream,
    Frame,
    Picture,
    PictureError,
    Source,
    SourceKind,
)
from roadmask.sources.uri import SourceUri
from roadmask.system.bounded import open_regular
from roadmask.system.clock import now_ns
from roadmask.system.scheduling import what_lacks

_log = logging.getLogger(__name__)

_opencv_log: Any = getattr(cv2.utils, "logging", cv2)  # its place differs between releases

DEFAULT_FPS = 25.0  # of a video or stream that does not tell its own

# FFmpeg writes its own lines to standard error, where a user expects one of ours. OpenCV reads
# this at its first FFmpeg capture; who sets it keeps his value.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoSource(Source):
    """A video file, at its own rate unless told otherwise.

    Options: ``fps``, ``realtime=0``, ``loop=1``.

    Raises:
        CaptureError: no video, or one without a frame that can be decoded.
    """

    kind = SourceKind.FILE

    def __init__(self, uri: SourceUri) -> None:
        options = uri.options
        options.only(("fps", "realtime", "loop"))
        self.uri, self.name = uri.text, uri.name
        self.realtime = options.switch("realtime", True)
        self._loop = options.switch("loop", False)
        self._path = Path(uri.target)
        self._pool = BufferPool()
        # Motion JPEG is taken as it lies in the file: see ``pixels``.
        self._decode = Decoder("MJPG", (0, 0), end_mark=False)
        self._capture = self._open()
        try:
            self.size = self._retrieve(None).size
        except PictureError as error:
            self._capture.release()
            raise self._unreadable("no frame of it can be decoded") from error
        self.fps = options.number("fps", frame_rate(self._capture), 0.01, 1000)
        self._pace = Pace(self.fps, self.realtime)
        self._grabbed = 0  # index of the frame that the decoder holds

    def read(self, timeout_s: float) -> Frame | None:
        """The frame that is due; those that a late caller missed are not converted."""
        index = self._pace.next(timeout_s)
        if index is None:
            return None
        captured = now_ns()
        while self._grabbed < index:
            self._advance()
        try:
            image, layout, size = self._retrieve(self.size)
        except PictureError as error:
            raise PictureError(f"video {self.name}: frame {index}: {error.detail}") from error
        return Frame(image, captured, index, layout=layout, size=size)

    def allow_raw(self, needed: tuple[int, int]) -> None:
        """Motion JPEG at a reduced scale."""
        self._decode.needed = needed

    def describe(self) -> str:
        """Size, rate."""
        width, height = self.size
        rate = f"{self.fps:g} fps" if self.realtime else "as fast as taken"
        return f"{self.name}: video, {width}x{height}, {rate}"

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _open(self) -> cv2.VideoCapture:
        """The file with its first frame grabbed."""
        try:
            with open_regular(self._path) as file:
                if not file.read(1):
                    raise self._unreadable("it is empty")
                capture = _open_file(self._path, file.fileno())
        except OSError as error:
            raise CaptureError(
                f"source {self._path} cannot be read: {error.strerror}; expected a video, an "
                "image or a folder of images"
            ) from error
        self._raw = _is_motion_jpeg(capture) and capture.set(cv2.CAP_PROP_FORMAT, -1)
        if not capture.isOpened() or not capture.grab():
            capture.release()
            raise self._unreadable("no frame of it can be decoded")
        return capture

    def _retrieve(self, size: tuple[int, int] | None) -> Picture:
        if not self._raw:
            return retrieve_picture(self._capture, self._pool, size)
        good, data = self._capture.retrieve()
        if not good or data is None:
            raise PictureError("empty JPEG")
        return self._decode(data)  # type: ignore[arg-type]

    def _unreadable(self, why: str) -> CaptureError:
        if lacking := what_lacks():
            return CaptureError(f"source {self._path} cannot be opened: {lacking}")
        return CaptureError(
            f"source {self._path} is not a readable video ({why}): expected e.g. MP4, AVI or "
            "MKV; copy it again or convert it"
        )

    def _advance(self) -> None:
        if not self._capture.grab():
            if not self._loop:
                self._warn_if_cut()
                raise EndOfStream
            self._capture.release()
            self._capture = self._open()
        self._grabbed += 1

    def _warn_if_cut(self) -> None:
        expected = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)  # an estimate in some containers
        if self._grabbed + 1 < 0.9 * expected:
            _log.warning(
                "%s ends after %d of %d frames: cut off or damaged",
                self.name,
                self._grabbed + 1,
                expected,
            )


def _open_file(path: Path, descriptor: int) -> cv2.VideoCapture:
    name = str(path)
    if not name.isascii():  # OpenCV takes UTF-8 only, and a file's name may be any bytes
        name = f"/proc/self/fd/{descriptor}"
    capture = open_capture(name, cv2.CAP_FFMPEG)
    if capture.isOpened():
        return capture
    # OpenCV built without FFmpeg (some boards) still reads Motion JPEG.
    return open_capture(name, cv2.CAP_OPENCV_MJPEG)


def open_capture(name: str, backend: int, limits: Sequence[int] = ()) -> cv2.VideoCapture:
    """``cv2.VideoCapture`` without OpenCV's own lines on standard error: ours say more."""
    level = _opencv_log.getLogLevel()
    _opencv_log.setLogLevel(0)
    try:
        return cv2.VideoCapture(name, backend, limits)
    finally:
        _opencv_log.setLogLevel(level)


def frame_rate(capture: cv2.VideoCapture) -> float:
    """Frames per second as the stream tells, or the default."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if math.isfinite(fps) and 0.01 <= fps <= 1000 else DEFAULT_FPS


def _is_motion_jpeg(capture: cv2.VideoCapture) -> bool:
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    return code in (cv2.VideoWriter.fourcc(*"MJPG"), cv2.VideoWriter.fourcc(*"mjpg"))


def retrieve_picture(
    capture: cv2.VideoCapture, pool: BufferPool, size: tuple[int, int] | None
) -> Picture:
    """Decode the grabbed frame into an array of the pool; a new one when its size differs.

    Raises:
        PictureError: it cannot be decoded.
    """
    buffer = pool.take(size[1], size[0], 3) if size else None
    good, image = capture.retrieve(buffer)
    if not good or image is None or image.size == 0:
        raise PictureError("cannot be decoded")
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return Picture(image, "bgr", (image.shape[1], image.shape[0]))  # type: ignore[arg-type]
