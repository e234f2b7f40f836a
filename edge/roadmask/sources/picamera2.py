"""A Raspberry Pi's CSI camera through Picamera2 (libcamera); OpenCV cannot open these."""

from __future__ import annotations

import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError  # its own before 3.11
from typing import Any

import numpy as np

from roadmask.arrays import Image
from roadmask.errors import CaptureError, ConfigError
from roadmask.sources.source import FaultCode, Frame, Source, SourceError, SourceKind
from roadmask.sources.uri import SourceUri
from roadmask.system.clock import now_ns


class Picamera2Source(Source):
    """Camera ``picamera2:N``, stamped by the sensor's start of exposure.

    Options: ``width``, ``height``, ``fps`` (1280x720 at 30 unless told), ``exposure`` in µs and
    ``gain``, which switch the automatic off.

    Raises:
        CaptureError: the library picamera2 is missing.
        SourceError: CAMERA_MISSING, CAMERA_BUSY.
    """

    kind = SourceKind.LIVE

    def __init__(self, uri: SourceUri) -> None:
        options = uri.options
        options.only(("width", "height", "fps", "exposure", "gain"))
        if not uri.target.isdecimal():
            raise ConfigError(f"source {uri.text!r}: expected the camera's number, as picamera2:0")
        number = int(uri.target)
        self._uri = uri
        self.uri, self.name = uri.text, uri.name
        width = options.integer("width", 1280, 16, 16384)
        height = options.integer("height", 720, 16, 16384)
        self.fps = options.number("fps", 30.0, 1, 1000)
        period_us = round(1e6 / self.fps)
        self._latency_ns = uri.latency_ns(2000 * period_us)
        controls: dict[str, Any] = {"FrameDurationLimits": (period_us, period_us)}
        exposure_us = options.integer("exposure", 0, 0, 10_000_000)
        gain = options.number("gain", 0.0, 0.0, 64.0)
        if exposure_us or gain:
            controls["AeEnable"] = False
        if exposure_us:
            controls["ExposureTime"] = exposure_us
        if gain:
            controls["AnalogueGain"] = gain
        self._asked = f"{width}x{height} at {self.fps:g} fps"
        self._camera = _open_camera(self.name, number)
        try:
            # Named by the order in a little-endian word: in memory RGB888 is blue, green, red.
            main = {"format": "RGB888", "size": (width, height)}
            self._camera.configure(
                self._camera.create_video_configuration(
                    main=main, controls=controls, buffer_count=4, queue=False
                )
            )
            self.size = tuple(self._camera.camera_configuration()["main"]["size"])
            self._camera.start()
        except Exception as error:
            self._camera.close()
            raise SourceError(FaultCode.CAMERA_LOST, f"{self.name}: {error}") from error
        self._job: Any = None
        self._asked_ns = 0  # when the frame under way was asked for
        self._count = 0
        self._last_ns = 0

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame; ``queue=False`` makes it one that is exposed after the call."""
        if self._job is None:
            self._asked_ns = now_ns()
            self._job = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(self._job, timeout=timeout_s)
        except (TimeoutError, FutureTimeoutError):
            return None  # the job stays: the next read waits on
        except Exception as error:
            self._job = None
            raise SourceError(FaultCode.CAMERA_LOST, f"{self.name}: {error}") from error
        self._job = None
        try:
            image: Image = request.make_array("main")  # a copy: the request's memory goes back
            stamp_ns = int(request.get_metadata().get("SensorTimestamp", 0))
        finally:
            request.release()
        captured, driver_time = self._stamp(stamp_ns)
        index = self._count
        self._count += 1
        return Frame(np.ascontiguousarray(image[..., :3]), captured, index, driver_time)

    def describe(self) -> str:
        """What was asked for and got."""
        width, height = self.size
        return f"{self.name}: asked for {self._asked}, got {width}x{height}, stamped by the sensor"

    def reopen(self) -> Picamera2Source:
        """The same camera."""
        return Picamera2Source(self._uri)

    def close(self) -> None:
        """Stop and release the camera; not for ever, should the driver hang."""
        closer = threading.Thread(target=self._camera.close, daemon=True)
        closer.start()
        closer.join(2.0)

    def _stamp(self, sensor_ns: int) -> tuple[int, bool]:
        """The sensor's stamp where it can be true, else what lies before the arrival.

        libcamera says CLOCK_BOOTTIME, and hands on V4L2's CLOCK_MONOTONIC. They differ by the
        time asleep: with it added, only a stamp that is MONOTONIC is not in the future.
        """
        monotonic = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        now = now_ns()
        if sensor_ns > self._last_ns:  # as the sensor says it: two clocks' readings jitter
            for stamp in (sensor_ns + now - monotonic, sensor_ns):
                if stamp <= now:
                    self._last_ns = sensor_ns
                    return stamp, True
        # It may have been ready, and waited since it was asked for.
        return min(now - self._latency_ns, self._asked_ns), False


def _open_camera(name: str, number: int) -> Any:
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise CaptureError(
            f"source {name!r}: the library picamera2 is missing ({error}); on Raspberry Pi OS: "
            "apt install python3-picamera2, in a virtual environment made with "
            "--system-site-packages"
        ) from error
    found = len(Picamera2.global_camera_info())
    if number >= found:
        raise SourceError(
            FaultCode.CAMERA_MISSING,
            f"{name}: libcamera finds {found} camera(s); check the ribbon cable and "
            "rpicam-hello --list-cameras",
        )
    try:
        return Picamera2(number)
    except Exception as error:
        raise SourceError(
            FaultCode.CAMERA_BUSY, f"{name} does not open ({error}): is another program using it?"
        ) from error
