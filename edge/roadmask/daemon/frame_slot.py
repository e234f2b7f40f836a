"""The slot for one frame between the thread that captures and the taker: the newest wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from roadmask.errors import CaptureError
from roadmask.inference.tensors import Prepared
from roadmask.sources import EndOfStream, Image
from roadmask.system.clock import now_ns


@dataclass(slots=True, eq=False)
class Captured:
    """A frame out of the slot; what is not named below is as in ``Frame``.

    Attributes:
        image: of a thread without a preparation; else empty: its memory belongs to the source.
        prepared: what ``Preparation.begin`` made of the picture, finished, the taker's to
            ``release``.
        frame_id: keeps rising when the camera was opened again.
        skipped: camera frames between the one taken before and this: overwritten, not decodable
            or never fetched.
        available_ns: CLOCK_BOOTTIME when it was decoded.
        ready_ns: the same when it was prepared.
    """

    image: Image
    size: tuple[int, int]
    capture_ns: int
    frame_id: int
    driver_time: bool
    available_ns: int
    prepared: Prepared
    age_known: bool = field(default=True, init=False)
    skipped: int = field(default=0, init=False)
    ready_ns: int = field(default=0, init=False)


class FrameSlot:
    """Holds the newest frame that nobody took yet.

    Args:
        realtime: a frame overwrites the one before. Else it waits until that is taken, so that
            none is lost, and counts as captured when it is taken: a file has no age.
        release: takes back what an overwritten frame held.

    Attributes:
        awaited: the taker waits for a frame now, or was woken for one.
        frames: put so far.
        dropped: never taken; the sum of all ``skipped``.
    """

    def __init__(self, realtime: bool, release: Callable[[Prepared], None]) -> None:
        self._realtime, self._release = realtime, release
        self._lock = threading.Lock()  # guards all below
        self._taken = threading.Condition(self._lock)  # for who waits to fill it
        # Free when the slot was filled. A condition variable does the same, in Python code that
        # has left the caches when a frame comes.
        self._filled = threading.Lock()
        self._filled.acquire()
        self._frame: Captured | None = None
        self._end: EndOfStream | CaptureError | None = None
        self._closed = False
        self._last_taken = -1
        self._last_id = -1
        self._id_shift = 0  # added to the ids of a camera that counts from 0 again
        self.awaited = False
        self.frames = self.dropped = 0

    def put(self, frame: Captured, wait: bool) -> bool:
        """Fill it; False for a frame that has to wait until it is empty, and may not."""
        with self._lock:
            if not self._realtime and self._frame is not None:
                if not wait:
                    return False
                self._taken.wait_for(lambda: self._frame is None or self._closed)
            if frame.frame_id + self._id_shift <= self._last_id:
                self._id_shift = self._last_id + 1 - frame.frame_id
            frame.frame_id += self._id_shift
            self._last_id = frame.frame_id
            if self._frame is not None:
                self._release(self._frame.prepared)
            self._frame = frame
            self._wake_taker()
            self.frames += 1
            return True

    def take(self, timeout_s: float) -> Captured | None:
        """The newest frame that was not taken yet, or None when none came within the time.

        None at once when there will be no more: see ``ended``.

        Raises:
            CaptureError: with which ``finish`` ended the stream.
        """
        deadline_ns = now_ns() + round(timeout_s * 1e9)
        self.awaited = True
        while self._frame is None and self._end is None:
            if not self._filled.acquire(timeout=max(0.0, (deadline_ns - now_ns()) * 1e-9)):
                break
        self.awaited = False
        with self._lock:
            frame, self._frame = self._frame, None
            if frame is None:
                if isinstance(self._end, CaptureError):
                    raise self._end
                return None
            frame.skipped = frame.frame_id - self._last_taken - 1
            self._last_taken = frame.frame_id
            self.dropped += frame.skipped
            if not self._realtime:
                frame.capture_ns = now_ns()
                self._taken.notify_all()
        frame.ready_ns = frame.prepared.finish() or frame.available_ns
        return frame

    @property
    def wanted(self) -> bool:
        """The next frame that is put is what the taker waits for, who has none until then.

        For who fills it, and only there: a taker that was woken for a frame and has not run yet
        still counts as waiting, but takes that one, and works with it while the next is made.
        """
        with self._lock:
            return self.awaited and self._frame is None

    @property
    def filled(self) -> bool:
        """A frame lies in it."""
        return self._frame is not None

    @property
    def finished(self) -> bool:
        """No frame will come after the one that lies in it, if one does."""
        return self._end is not None

    def finish(self, end: EndOfStream | CaptureError) -> None:
        """No frame will come any more."""
        with self._lock:
            self._end = end
            self._wake_taker()

    def close(self) -> None:
        """Let go of who waits to fill it."""
        with self._lock:
            self._closed = True
            self._taken.notify_all()

    def _wake_taker(self) -> None:
        if self._filled.locked():
            self._filled.release()
