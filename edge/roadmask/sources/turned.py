"""Any source with its pictures turned, for a camera that hangs on its side or sees a mirror."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from roadmask.arrays import Image
from roadmask.sources.buffers import BufferPool
from roadmask.sources.source import Frame, Source
from roadmask.sources.turn import Turn

# What cv2.cvtColor makes of the layouts of ``Frame``.
_TO_BGR = {
    "grey": cv2.COLOR_GRAY2BGR,
    "yuyv": cv2.COLOR_YUV2BGR_YUYV,
    "nv12": cv2.COLOR_YUV2BGR_NV12,
}


class TurnedSource(Source):
    """The frames of another source, turned. The turned picture is the camera's from here on: its
    size, crops, and the map of masks to camera pixels are those of the turned one.
    """

    def __init__(self, source: Source, turn: Turn) -> None:
        self._source, self._turn = source, turn
        self._pool, self._plain = BufferPool(), BufferPool()
        self.kind, self.fps, self.realtime = source.kind, source.fps, source.realtime
        self.uri, self.name = source.uri, source.name
        if str(turn) not in self.name:  # of an address whose query is not ours
            self.name += f" ({turn})"
        self.size = turn.size(source.size)

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, BGR."""
        frame = self._source.read(timeout_s)
        if frame is None:
            return None
        image = self._turned(self._bgr(frame))
        return replace(frame, image=image, layout="bgr", size=self._turn.size(frame.size))

    def allow_raw(self, needed: tuple[int, int]) -> None:
        """As the other source; what is then raw is converted before it is turned."""
        self._source.allow_raw(self._turn.size(needed))

    def describe(self) -> str:
        """The other source, and how it is turned."""
        return f"{self._source.describe()}, turned: {self._turn}"

    def reopen(self) -> TurnedSource:
        """The same, opened again."""
        return TurnedSource(self._source.reopen(), self._turn)

    def close(self) -> None:
        """Close the other source."""
        self._source.close()

    def _bgr(self, frame: Frame) -> Image:
        if frame.layout == "bgr":
            return frame.image
        height, width = frame.image.shape[:2]
        if frame.layout == "nv12":
            height = height // 3 * 2
        out = self._plain.take(height, width, 3)
        code = _TO_BGR[frame.layout]
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame.image), code, out), np.uint8)

    def _turned(self, image: Image) -> Image:
        """The picture turned, in memory of the pool."""
        if self._turn.transposes:
            image = self._transposed(image)
        if self._turn.flip is None:
            return image
        # In place where it is ours already.
        out = image if self._turn.transposes else self._pool.take(*image.shape)
        return np.asarray(cv2.flip(image, self._turn.flip, out), np.uint8)

    def _transposed(self, image: Image) -> Image:
        out = self._pool.take(image.shape[1], image.shape[0], 3)
        return np.asarray(cv2.transpose(image, out), np.uint8)
