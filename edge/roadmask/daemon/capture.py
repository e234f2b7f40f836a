"""Capture in a thread of its own: the newest frame wins, faults are named, cameras reopened."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import numpy as np

from roadmask.daemon.frame_slot import Captured, FrameSlot
from roadmask.daemon.rate_limit import RateLimit
from roadmask.errors import CaptureError
from roadmask.inference.tensors import Prepared
from roadmask.sources import (
    EndOfStream,
    FaultCode,
    Frame,
    Image,
    PictureError,
    Source,
    SourceError,
    SourceKind,
    open_source,
)
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)
_UNPREPARED = Prepared(np.empty(0))  # of a thread without a preparation
_NO_IMAGE: Image = np.empty((0, 0, 3), np.uint8)


class Preparation(Protocol):
    """Work on a picture, shared by the capture thread and the taker; ``TensorPool`` is one.

    Attributes:
        needed: (width, height) px, see ``Source.allow_raw``.
    """

    @property
    def needed(self) -> tuple[int, int]:
        """See above."""

    def begin(self, frame: Frame, idle: bool) -> Prepared:
        """Start; after ``finish`` the picture is not kept.

        ``idle``: the taker waits for this very frame, and has no other in use.
        """

    def release(self, prepared: Prepared) -> None:
        """Take back what a frame held that nobody took."""


@dataclass(frozen=True, slots=True)
class CaptureStatistics:
    """Counts since the start.

    Attributes:
        frames: decoded and put in the slot.
        dropped: never taken; the sum of all ``skipped``.
        decode_errors: pictures that could not be decoded.
        reopened: times that the camera was found again.
    """

    frames: int = 0
    dropped: int = 0
    decode_errors: int = 0
    reopened: int = 0


@dataclass(frozen=True, slots=True)
class _Fault:
    code: FaultCode
    text: str


class CaptureThread:
    """Reads a source in a thread into a slot for one frame; a context manager.

    A real-time source overwrites the slot. Any other waits until its frame is taken, so that
    none is lost, and its frames count as captured when they are taken: a file has no age.

    A live source that fails is closed first (an open descriptor makes a camera come back under
    another name) and opened again with growing pauses. A file that fails has ended.

    With a ``preparation`` the thread also prepares each picture, while the taker is busy with the
    one before. A taker that waits gets the frame at once and helps.

    Args:
        source: a URI, a source (``reopen`` is called after a fault), or a function that opens one.
        read_timeout_s: a live source silent for so long is CAMERA_STALLED.
        reopen_after_s: one silent for so long is closed and opened again.
        backoff_s: first and longest pause between attempts to open.
        preparation: turns pictures into tensors.
        max_fps: what comes faster is neither prepared nor shown, but counted as skipped; a source
            without a clock is slowed down. 0: no limit.

    Raises:
        ConfigError, CaptureError: the source does not open the first time.
    """

    def __init__(
        self,
        source: Callable[[], Source] | Source | str,
        *,
        read_timeout_s: float = 0.5,
        reopen_after_s: float = 3.0,
        backoff_s: tuple[float, float] = (0.1, 2.0),
        preparation: Preparation | None = None,
        max_fps: float = 0.0,
    ) -> None:
        self._factory = source if not isinstance(source, str | Source) else None
        self.source: Source = _first(source)
        self._read_timeout_s, self._reopen_after_s = read_timeout_s, reopen_after_s
        self._backoff_s = backoff_s
        self._preparation = preparation
        self._limit = RateLimit(max_fps, self.source.fps)
        self._needed = (0, 0)
        self._allow_raw()
        release = preparation.release if preparation else _keep_nothing
        self._slot = FrameSlot(self.source.realtime, release)
        self._fault: _Fault | None = None
        self._decode_errors = self._reopened = 0
        self._heard_ns = now_ns()  # of the last frame, good or bad
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def __enter__(self) -> CaptureThread:
        self._heard_ns = now_ns()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def limit(self, max_fps: float) -> None:
        """Another limit to how many frames a second are prepared and shown."""
        self._limit = RateLimit(max_fps, self.source.fps)

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop and close the source.

        A driver that hangs in a read cannot be interrupted: after ``timeout_s`` its thread is
        left behind, and ends with the process.
        """
        self._stop.set()
        self._slot.close()
        if self._thread.ident is None:
            self.source.close()
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("%s hangs in a read: its thread is left behind", self.source.name)

    def newest(self, timeout_s: float) -> Captured | None:
        """The newest frame that was not taken yet, or None when none came within the time.

        None at once when the source is at its end: see ``ended``.

        Raises:
            CaptureError: a file failed half-way.
        """
        return self._slot.take(timeout_s)

    @property
    def waiting(self) -> bool:
        """A frame lies in the slot."""
        return self._slot.filled

    @property
    def ended(self) -> bool:
        """The source is at its end, and its last frame was taken."""
        return self._slot.finished and not self._slot.filled

    @property
    def fault(self) -> str | None:
        """What is wrong now, in words, or None."""
        fault = self._current_fault()
        return fault.text if fault else None

    @property
    def fault_code(self) -> FaultCode | None:
        """The same as a code."""
        fault = self._current_fault()
        return fault.code if fault else None

    @property
    def statistics(self) -> CaptureStatistics:
        """Counts since the start."""
        slot = self._slot
        return CaptureStatistics(slot.frames, slot.dropped, self._decode_errors, self._reopened)

    def _current_fault(self) -> _Fault | None:
        fault = self._fault
        if fault or self._slot.finished or self.source.kind is not SourceKind.LIVE:
            return fault
        # Not left to the thread: it may hang in a driver that blocks in a read.
        return self._silence(self._read_timeout_s, 3)

    def _silence(self, limit_s: float, periods: int) -> _Fault | None:
        """The fault of a source without a frame for ``limit_s`` and for ``periods`` frames."""
        limit_s = max(limit_s, periods / self.source.fps)
        if (now_ns() - self._heard_ns) * 1e-9 < limit_s:
            return None
        text = f"{self.source.name}: no frame for {limit_s:g} s"
        return _Fault(FaultCode.CAMERA_STALLED, text)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._pump()
                except CaptureError as error:
                    self._recover(error)
        except EndOfStream as end:
            self._slot.finish(end)
        except CaptureError as error:
            self._slot.finish(error)
        except Exception as error:  # a thread that dies in silence would look like a slow camera
            name = type(error).__name__
            self._slot.finish(CaptureError(f"{self.source.name}: {name}: {error}"))
        finally:
            self.source.close()

    def _recover(self, error: CaptureError) -> None:
        self._note(error)
        if self.source.kind is not SourceKind.LIVE:
            raise error
        self._reopen()

    def _pump(self) -> None:
        """Read until the source ends, fails or falls silent."""
        while not self._stop.is_set():
            try:
                frame = self.source.read(self._read_timeout_s)
            except PictureError as error:
                self._heard_ns = now_ns()
                self._decode_errors += 1
                self._note(error)
                continue
            except (CaptureError, EndOfStream):
                raise
            except Exception as error:  # cv2.error above all: no reason for the thread to die
                name = type(error).__name__
                raise SourceError(
                    FaultCode.CAMERA_LOST, f"{self.source.name}: {name}: {error}"
                ) from error
            if frame is not None:
                self._put(frame)
            elif self.source.kind is SourceKind.LIVE:
                silence = self._silence(self._reopen_after_s, 10)
                if silence is not None:
                    raise SourceError(silence.code, silence.text)

    def _put(self, frame: Frame) -> None:
        self._heard_ns = available_ns = now_ns()
        while early_s := self._limit.early_s(available_ns):
            if self.source.realtime or self._stop.wait(early_s):
                return
            available_ns = now_ns()
        prepared, image, wanted = _UNPREPARED, frame.image, self._slot.wanted
        if self._preparation is not None:
            if self._preparation.needed != self._needed:  # another network
                self._allow_raw()
            prepared = self._preparation.begin(frame, wanted)
            image = _NO_IMAGE
        captured = Captured(
            image,
            frame.size,
            frame.capture_ns,
            frame.frame_id,
            frame.driver_time,
            available_ns,
            prepared,
        )
        captured.age_known = frame.age_known
        if self._fault:  # forgotten before anybody can publish the frame
            _log.warning("%s: frames again", self.source.name)
            self._fault = None
        shown_early = self._slot.put(captured, wait=False)
        # Before the picture's memory goes back to the source.
        prepared.finish(step_aside=wanted and shown_early)
        if not shown_early:
            self._slot.put(captured, wait=True)

    def _reopen(self) -> None:
        self.source.close()
        pause_s, longest_s = self._backoff_s
        while not self._stop.wait(pause_s):
            try:
                self.source = self._factory() if self._factory else self.source.reopen()
            except CaptureError as error:
                self._note(error)
                pause_s = min(2 * pause_s, longest_s)
                continue
            self._allow_raw()
            self._reopened += 1
            _log.warning("opened again: %s", self.source.describe())
            self._heard_ns = now_ns()
            return

    def _allow_raw(self) -> None:
        if self._preparation is not None:
            self._needed = self._preparation.needed
            self.source.allow_raw(self._needed)

    def _note(self, error: CaptureError) -> None:
        code = error.code if isinstance(error, SourceError) else FaultCode.CAMERA_LOST
        if self._fault is None or self._fault.code is not code:
            _log.warning("%s", error)
        self._fault = _Fault(code, str(error))


def _keep_nothing(prepared: Prepared) -> None:
    """The ``release`` of a thread without a preparation."""


def _first(source: Callable[[], Source] | Source | str) -> Source:
    if isinstance(source, str):
        return open_source(source)
    return source if isinstance(source, Source) else source()
