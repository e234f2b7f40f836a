"""A V4L2 driver behind ``cv2.VideoCapture``, as OpenCV behaves with it, faults included.

After modules/videoio/src/cap_v4l.cpp: the first grab starts the stream, ``waitAny`` grabs, a frame
stays pending until ``retrieve``, ``set`` answers True to what it does not do.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np


@dataclass
class FakeCamera:
    """The hardware: what it can do, what lies in its buffers, what is broken."""

    formats: tuple[str, ...] = ("MJPG", "YUYV")
    sizes: tuple[tuple[int, int], ...] = ((1280, 720), (640, 360))
    controls: dict[int, float] = field(default_factory=lambda: {cv2.CAP_PROP_BRIGHTNESS: 128.0})
    control_limit: float = 255.0
    max_fps: float = 30.0
    path: str = "/dev/video0"
    plugged: bool = True
    starts: bool = True  # STREAMON succeeds
    buffers: deque[tuple[bytes, float]] = field(default_factory=deque)  # bytes, POS_MSEC
    open_count: int = 0
    released: int = 0

    def push(self, data: bytes, age_s: float = 0.0, stamp_ms: float | None = None) -> None:
        """One more filled buffer, stamped ``age_s`` ago by CLOCK_MONOTONIC."""
        if stamp_ms is None:
            stamp_ms = (time.clock_gettime(time.CLOCK_MONOTONIC) - age_s) * 1000
        self.buffers.append((data, stamp_ms))

    def capture_class(self) -> type:
        """What stands for ``cv2.VideoCapture``."""
        camera = self

        class Capture:
            def __init__(self, path: str, backend: int, _: object = ()) -> None:
                assert backend == cv2.CAP_V4L2
                self.opened = camera.plugged and path == camera.path
                self.values: dict[int, float] = {
                    cv2.CAP_PROP_FRAME_WIDTH: 640,
                    cv2.CAP_PROP_FRAME_HEIGHT: 360,
                    cv2.CAP_PROP_FPS: 30,
                    cv2.CAP_PROP_CONVERT_RGB: 1,
                    cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*camera.formats[0]),
                }
                self.asked = [640, 360]
                self.pending: bytes | None = None
                self.stamp_ms = 0.0
                self.started = False
                camera.open_count += self.opened

            def isOpened(self) -> bool:  # noqa: N802
                return self.opened

            def set(self, name: int, value: float) -> bool:
                if name == cv2.CAP_PROP_FOURCC:
                    code = int(value).to_bytes(4, "little").decode()
                    if code not in camera.formats:
                        return False
                    self.values[name] = value
                elif name in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
                    self.asked[name == cv2.CAP_PROP_FRAME_HEIGHT] = int(value)
                    size = tuple(self.asked) if tuple(self.asked) in camera.sizes else None
                    width, height = size or camera.sizes[-1]
                    self.values[cv2.CAP_PROP_FRAME_WIDTH] = width
                    self.values[cv2.CAP_PROP_FRAME_HEIGHT] = height
                elif name == cv2.CAP_PROP_FPS:
                    self.values[name] = min(value, camera.max_fps)
                elif name in camera.controls:
                    camera.controls[name] = min(value, camera.control_limit)
                elif name != cv2.CAP_PROP_CONVERT_RGB:
                    return False
                else:
                    self.values[name] = value
                return True

            def get(self, name: int) -> float:
                if name == cv2.CAP_PROP_POS_MSEC:
                    return self.stamp_ms
                return self.values.get(name, camera.controls.get(name, -1.0))

            def grab(self) -> bool:
                if self.pending is not None:
                    return True
                self.started = camera.starts and camera.plugged
                if not self.started or not camera.buffers:
                    return False
                self.pending, self.stamp_ms = camera.buffers.popleft()
                return True

            def retrieve(self, image: object = None) -> tuple[bool, np.ndarray | None]:
                data, self.pending = self.pending, None
                if data is None:
                    return False, None
                assert self.values[cv2.CAP_PROP_CONVERT_RGB] == 0
                return True, np.frombuffer(data, np.uint8).reshape(1, -1).copy()

            def release(self) -> None:
                camera.released += self.opened
                self.opened = False

            @staticmethod
            def waitAny(captures: list[Capture], timeout_ns: int) -> tuple[bool, list[int]]:  # noqa: N802
                assert timeout_ns > 0, "0 waits for ever"
                (capture,) = captures
                if not camera.plugged or not capture.opened:
                    raise cv2.error("Error is reported for camera stream")
                if not capture.started and not capture.grab():
                    raise cv2.error("ptr->havePendingFrame")
                if not camera.buffers:
                    return False, []
                if not capture.grab():
                    raise cv2.error("capPtr->havePendingFrame")
                return True, [0]

        return Capture
