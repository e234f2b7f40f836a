"""A camera through V4L2 and OpenCV, with what OpenCV hides put right:

* A picture that cannot be decoded: OpenCV hands out the previous one. The raw bytes are taken
  (``CONVERT_RGB`` = 0) and decoded here, where it is an error.
* A read that blocks: ``waitAny`` waits with a limit below a second, and raises on unplugging.
* Old pictures in the driver's buffers after a pause: dropped by the driver's stamp.
* Refused settings: ``set`` says True to an impossible value, so every value is read back.
* Frames that the driver lost: it is asked for its sequence numbers.

OpenCV's four buffers stay: it gives a raw buffer back to the driver *before* copying it, and only
the others in the queue keep the driver from writing into it meanwhile.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import cv2

from roadmask.arrays import Image
from roadmask.sources import v4l2_device
from roadmask.sources.buffers import BufferPool
from roadmask.sources.opencv import open_capture
from roadmask.sources.pixels import FORMATS, JPEG_FORMATS, Decoder
from roadmask.sources.source import (
    FaultCode,
    Frame,
    Picture,
    PictureError,
    Source,
    SourceError,
    SourceKind,
)
from roadmask.sources.uri import SourceUri
from roadmask.sources.v4l2_queue import DriverQueue
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)

# Whole seconds, read once by OpenCV: the limit of the calls that waitAny does not cover.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")

# The camera's controls by the names of V4L2; automatic ones first, since they lock the others.
CONTROLS = {
    "auto_exposure": cv2.CAP_PROP_AUTO_EXPOSURE,
    "auto_white_balance": cv2.CAP_PROP_AUTO_WB,
    "auto_focus": cv2.CAP_PROP_AUTOFOCUS,
    "exposure": cv2.CAP_PROP_EXPOSURE,
    "gain": cv2.CAP_PROP_GAIN,
    "brightness": cv2.CAP_PROP_BRIGHTNESS,
    "contrast": cv2.CAP_PROP_CONTRAST,
    "saturation": cv2.CAP_PROP_SATURATION,
    "hue": cv2.CAP_PROP_HUE,
    "gamma": cv2.CAP_PROP_GAMMA,
    "sharpness": cv2.CAP_PROP_SHARPNESS,
    "backlight_compensation": cv2.CAP_PROP_BACKLIGHT,
    "white_balance_temperature": cv2.CAP_PROP_WB_TEMPERATURE,
    "focus": cv2.CAP_PROP_FOCUS,
    "zoom": cv2.CAP_PROP_ZOOM,
    "iso": cv2.CAP_PROP_ISO_SPEED,
}
_MAX_QUEUED = 8  # more than OpenCV ever asks the driver for (4)
_OLD_PERIODS = 1.5  # above this age a newer frame may be waiting behind this one
_STALE_S = 1.0  # above this age a frame is dropped, and the next one waited for
_MAX_GAP = 1000  # frames; a greater one is a driver that counts anew
_BLOCKED_NS = 1_000_000  # a wait that took longer found the queue empty: the frame came just now
_FUTURE_NS = 1_000_000  # rounding of POS_MSEC and of the two clocks' difference


class V4l2Source(Source):
    """A V4L2 camera.

    Options: ``width``, ``height``, ``fps`` (1280x720 at 30 unless told), ``format`` (MJPG where
    the camera has it), ``endmark=0`` for cameras whose JPEGs lack their end mark, and the names
    of ``CONTROLS`` with the driver's own numbers (``v4l2-ctl -L``).

    Args:
        uri: what to open.
        identity: of the camera that was open before; no other is taken for it.

    Raises:
        ConfigError: an unknown option.
        SourceError: CAMERA_MISSING, CAMERA_BUSY, CAMERA_LOST, CAMERA_STALLED, WRONG_FORMAT.
    """

    kind = SourceKind.LIVE

    def __init__(self, uri: SourceUri, identity: v4l2_device.CameraIdentity | None = None) -> None:
        options = uri.options
        options.only(("width", "height", "fps", "format", "endmark", *CONTROLS))
        self._uri = uri
        self.uri, self.name = uri.text, uri.name
        width = options.integer("width", 1280, 16, 16384)
        height = options.integer("height", 720, 16, 16384)
        fps = options.number("fps", 30.0, 1, 1000)
        pixel_format = options.text("format", "", FORMATS)
        end_mark = options.switch("endmark", True)
        controls = {
            name: options.integer(name, 0, -(2**31), 2**31 - 1)
            for name in CONTROLS
            if name in options.values
        }
        self._device = _locate(uri.target, identity)
        self._identity = identity or v4l2_device.identify(self._device)
        self._asked = f"{width}x{height} at {fps:g} fps {pixel_format or 'MJPG, else any'}"
        self._refused: list[str] = []
        self._pool = BufferPool()
        self._raw_shape: tuple[int, ...] = ()  # of the last raw buffer
        self._frame_id = -1  # of the last frame taken from the driver
        self._sequence: int | None = None  # its number there
        self._empty_ns = 0  # when the driver's queue was last seen empty
        self._last_stamp_ns = 0
        self._streaming = False
        self._trusted = True  # the driver's stamps are of CLOCK_MONOTONIC
        self._capture = open_capture(self._device, cv2.CAP_V4L2)
        try:
            if not self._capture.isOpened():
                raise v4l2_device.explain_failure(self._device)
            self._negotiate(width, height, fps, pixel_format)
            self._set_controls(controls)
        except BaseException:
            self._capture.release()
            raise
        self._latency_ns = uri.latency_ns(round(2e9 / self.fps))
        self._queue = DriverQueue(self._device)
        self._decode: Decoder | None = None
        if self._raw_mode:
            self._decode = Decoder(self.pixel_format, self.size, end_mark=end_mark)
        as_asked = self.size == (width, height) and self.pixel_format == (pixel_format or "MJPG")
        level = logging.INFO if as_asked and not self._refused else logging.WARNING
        _log.log(level, "%s", self.describe())

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame that the driver has, waiting ``timeout_s`` for one.

        ``frame_id`` goes by the driver's sequence numbers, where it tells them: a gap is a frame
        that it lost. Else it counts what the driver delivered.
        """
        deadline = now_ns() + round(timeout_s * 1e9)
        old_s = _OLD_PERIODS / self.fps
        stale_s = max(_STALE_S, 2 * old_s)
        if not self._wait(timeout_s):
            return None
        for attempt in range(1, _MAX_QUEUED + 1):
            captured, driver_time, age_s = self._stamp(stale_s)
            self._count()
            data = self._retrieve()
            if age_s <= old_s or attempt == _MAX_QUEUED:
                break
            stale = age_s >= stale_s
            if not self._wait((deadline - now_ns()) * 1e-9 if stale else 0.0):
                if stale:
                    return None
                break  # old, but the newest there is
        if age_s >= stale_s:  # more of them than the driver can hold: not times of our clock
            _log.warning("%s: stamps are %.1f s old, not trusted", self.name, age_s)
            self._trusted = False
            captured, driver_time = self._unstamped_ns, False
        image, layout, size = self._picture(data)
        return Frame(image, captured, self._frame_id, driver_time, layout, size)

    def allow_raw(self, needed: tuple[int, int]) -> None:
        """YUYV, NV12 and GREY as they are, MJPEG at a reduced scale."""
        if self._decode is not None:
            self._decode.needed = needed

    def reopen(self) -> V4l2Source:
        """The same camera, under whatever device name it has now."""
        return V4l2Source(self._uri, self._identity)

    def describe(self) -> str:
        """Camera, what was asked for, what was got."""
        width, height = self.size
        card = f" ({self._identity.card})" if self._identity else ""
        refused = "".join(f"; {text}" for text in self._refused)
        return (
            f"{self._device}{card}: asked for {self._asked}, got {width}x{height} at "
            f"{self.fps:g} fps {self.pixel_format}{refused}"
        )

    def close(self) -> None:
        """Release the device, so that the camera keeps its name when it is plugged in again."""
        self._capture.release()

    def _negotiate(self, width: int, height: int, fps: float, pixel_format: str) -> None:
        capture = self._capture
        # The format first: it decides which sizes and rates there are.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*(pixel_format or "MJPG")))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_FPS, fps)
        if not capture.isOpened():  # each of these opens the stream anew, and may fail to
            raise v4l2_device.explain_failure(self._device)
        code = int(capture.get(cv2.CAP_PROP_FOURCC))
        self.pixel_format = code.to_bytes(4, "little").decode("ascii", "replace").strip()
        self.size = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        got = capture.get(cv2.CAP_PROP_FPS)
        self.fps = got if 0.1 <= got <= 1000 else fps
        if min(self.size) <= 0:
            raise SourceError(FaultCode.WRONG_FORMAT, f"{self._device} tells no picture size")
        self._raw_mode = self.pixel_format in FORMATS
        if self._raw_mode:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def _set_controls(self, controls: dict[str, int]) -> None:
        for name, value in controls.items():
            if not self._capture.set(CONTROLS[name], value):
                self._refused.append(f"{name}={value} refused")
            elif (got := self._capture.get(CONTROLS[name])) != value:
                self._refused.append(f"{name}={value} became {got:g}")

    def _wait(self, timeout_s: float) -> bool:
        """Whether a frame is grabbed now; ``retrieve`` must follow before the next wait."""
        began_ns = now_ns()
        try:
            if not self._streaming:
                # Starts the stream, and waits for a frame up to OpenCV's whole second.
                self._streaming, self._empty_ns = True, began_ns
                if self._capture.grab():
                    return True
            # A limit of 0 would mean: for ever.
            woken, ready = cv2.VideoCapture.waitAny([self._capture], max(1, round(timeout_s * 1e9)))
        except cv2.error as error:
            raise self._lost() from error
        if woken and not len(ready):  # woken by a hang-up
            raise self._lost()
        if not len(ready) or now_ns() - began_ns > _BLOCKED_NS:
            self._empty_ns = now_ns()
        return bool(len(ready))

    def _lost(self) -> SourceError:
        there = Path(self._device).exists()
        why = "streaming failed; is the USB bandwidth enough?" if there else "it was unplugged"
        return SourceError(FaultCode.CAMERA_LOST, f"{self.name}: {why}")

    def _stamp(self, stale_s: float) -> tuple[int, bool, float]:
        """Capture time, whether it is the driver's, and the greatest age that the frame can have.

        POS_MSEC is CLOCK_MONOTONIC; a stamp that is zero, in the future or does not rise is
        replaced by the time of arrival. Such a frame may have waited in the driver's queue.
        """
        monotonic = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        now = now_ns()
        milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        if self._trusted and 0 < milliseconds < 1e15:
            said_ns = round(milliseconds * 1e6)
            stamp = said_ns + now - monotonic
            # What the driver said must rise: two clocks' readings jitter.
            if self._last_stamp_ns < said_ns and stamp <= now + _FUTURE_NS:
                self._last_stamp_ns = said_ns
                stamp = min(stamp, now)
                return stamp, True, (now - stamp) * 1e-9
        waited_s = (now - self._empty_ns) * 1e-9
        return self._unstamped_ns, False, min(waited_s, 0.9 * stale_s)

    @property
    def _unstamped_ns(self) -> int:
        """Before the exposure of any frame that is in the queue: no time of its own is known."""
        return self._empty_ns - self._latency_ns

    def _count(self) -> None:
        """Number the grabbed frame; called before ``retrieve`` gives its buffer back."""
        sequence = self._queue.sequence(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        gap = 1
        if sequence is not None:
            if self._sequence is not None:
                gap = (sequence - self._sequence) % 2**32
            self._sequence = sequence
        self._frame_id += gap if 1 <= gap <= _MAX_GAP else 1

    def _retrieve(self) -> Image | None:
        # OpenCV writes into the array that it is given when the shape fits, as it does but for
        # JPEGs, whose length varies.
        buffer = self._pool.take(*self._raw_shape) if self._raw_shape else None
        good, data = self._capture.retrieve(buffer)
        if not good or data is None or not data.size:
            return None
        if self._raw_mode and self.pixel_format not in JPEG_FORMATS:
            self._raw_shape = data.shape
        return data  # type: ignore[return-value]

    def _picture(self, data: Image | None) -> Picture:
        index = self._frame_id
        if data is None:
            raise PictureError(f"{self.name}: frame {index} is empty")
        try:
            if self._decode:
                return self._decode(data)
            return Picture(data, "bgr", (data.shape[1], data.shape[0]))
        except PictureError as error:
            raise PictureError(f"{self.name}: frame {index}: {error.detail}") from error


def _locate(target: str, identity: v4l2_device.CameraIdentity | None) -> str:
    if identity is None:
        if not Path(target).exists():
            raise v4l2_device.explain_failure(target)
        return target
    device = v4l2_device.find(identity, target)
    if device is None:
        raise SourceError(
            FaultCode.CAMERA_MISSING,
            f"{identity.card or target} is gone: plug it in at the same port ({identity.port})",
        )
    return device
