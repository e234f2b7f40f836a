"""What a source of frames is: the types that every kind of source shares."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

from roadmask.arrays import Image
from roadmask.errors import CaptureError


class SourceKind(enum.Enum):
    """What a subscriber is told about the origin of the frames."""

    LIVE = "live"
    FILE = "file"
    SYNTHETIC = "synthetic"


class FaultCode(enum.Enum):
    """Why there is no good frame; the names stand in the log."""

    CAMERA_MISSING = "camera missing"  # no such device
    CAMERA_BUSY = "camera busy"  # another process streams from it
    CAMERA_LOST = "camera lost"  # unplugged, or a streaming error
    CAMERA_STALLED = "camera stalled"  # open, but no frame in time
    DECODE_ERROR = "decode error"  # a picture that cannot be decoded
    WRONG_FORMAT = "wrong format"  # the camera refuses size or pixel format


class SourceError(CaptureError):
    """A fault with a name, ``code``; the source must be closed and opened again."""

    def __init__(self, code: FaultCode, message: str) -> None:
        super().__init__(f"{code.value}: {message}")
        self.code, self.detail = code, message


class PictureError(SourceError):
    """One picture that cannot be decoded; the next ``read`` goes on behind it."""

    def __init__(self, message: str) -> None:
        super().__init__(FaultCode.DECODE_ERROR, message)


class EndOfStream(Exception):  # noqa: N818 - an end is no error
    """The file, folder or count is at its end."""


class Picture(NamedTuple):
    """Pixels and what they mean; the attributes of ``Frame``."""

    image: Image
    layout: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    Attributes:
        image: ``(H, W, 3) uint8`` BGR, unless ``layout`` says otherwise. A source may reuse its
            memory, but never while anybody holds it or a view of it.
        capture_ns: CLOCK_BOOTTIME, no later than the exposure: what may lie before the stamp is
            taken off it.
        frame_id: the camera's own counter where it has one, else counted from 0; a gap is a
            frame that was not delivered.
        driver_time: the driver stamped the frame; else ``capture_ns`` is the time of arrival
            less the source's latency.
        layout: ``bgr``; after ``Source.allow_raw`` also ``grey`` ``(H, W)``, ``yuyv``
            ``(H, W, 2)`` or ``nv12`` ``(H * 3 / 2, W)``, whose rows may be apart.
        size: (width, height) px of the camera's picture, of which ``image`` may be a smaller
            version after ``Source.allow_raw``. Files may change it half-way.
        age_known: False where nobody told the latency: ``capture_ns`` is the time of arrival,
            the picture may be of any age.
    """

    image: Image
    capture_ns: int
    frame_id: int
    driver_time: bool = False
    layout: str = "bgr"
    size: tuple[int, int] = (0, 0)
    age_known: bool = True

    def __post_init__(self) -> None:
        if self.size == (0, 0):
            object.__setattr__(self, "size", (self.image.shape[1], self.image.shape[0]))


class Source(ABC):
    """Frames from a camera, a file or the synthetic town; a context manager and iterable.

    Attributes:
        kind: LIVE, FILE or SYNTHETIC.
        uri: as given.
        name: the same without a password, the camera's identity in the stream.
        size: (width, height) px, as negotiated.
        fps: frames per second, as negotiated.
        realtime: frames come by the clock and the newest wins; else every frame is delivered
            in order, as fast as it is taken.
    """

    kind: SourceKind
    uri: str
    name: str
    size: tuple[int, int]
    fps: float
    realtime: bool = True

    @abstractmethod
    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or None when none came within ``timeout_s``.

        Raises:
            EndOfStream: there will be no more.
            PictureError: this picture cannot be decoded; read on.
            CaptureError: the source must be opened again.
        """

    def allow_raw(self, needed: tuple[int, int]) -> None:  # noqa: B027 - BGR is always allowed
        """Take less work from now on, for somebody who needs a small tensor and no picture.

        Frames may come in the camera's own layout, and decoded at a reduced scale.

        Args:
            needed: (width, height) px; no picture that is larger gets smaller than this.
        """

    @abstractmethod
    def describe(self) -> str:
        """One line: what was asked for and what was got."""

    def reopen(self) -> Source:
        """The same source opened again, after ``close``; only what is live is.

        Raises:
            CaptureError: not there, or not usable, for now.
        """
        raise CaptureError(f"source {self.name} does not start again")

    def close(self) -> None:  # noqa: B027 - nothing to release is a fair default
        """Release the device or file; may be called twice."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Every frame that can be decoded, until the end.

        Raises:
            SourceError: CAMERA_STALLED after five seconds without a frame.
        """
        while True:
            try:
                frame = self.read(timeout_s=5.0)
            except EndOfStream:
                return
            except PictureError:
                continue
            if frame is None:
                raise SourceError(FaultCode.CAMERA_STALLED, f"{self.name}: no frame for 5 s")
            yield frame
