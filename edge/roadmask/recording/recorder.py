"""``roadmask record``: write what a stream says, pixels and headers, into one MCAP file."""

from __future__ import annotations

import select
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from roadmask.errors import CaptureError
from roadmask.interop.view import View, recorded_view
from roadmask.recording.standards import FoxgloveTopics, Ros2Bag, Standard
from roadmask.recording.tap import Heard, Tap, frame_identities
from roadmask.recording.writer import RecordingFile
from roadmask.stream.camera_geometry import geometry_of
from roadmask.stream.modes import NO_MASK_TEXT, MessageType
from roadmask.stream.protocol import FrameHeader, IdentityKind
from roadmask.system.terminal import LiveLine

_END_AFTER_S = 5.0  # a counted recording ends when a stream that it saw stays away so long
_WAIT_MS = 100  # how long a wait sleeps before it looks at the clock again


def record(
    socket: str,
    out: Path,
    *,
    frames: int = 0,
    seconds: float = 0.0,
    wait_s: float = 10.0,
    foxglove: bool = False,
    ros2: Path | None = None,
    stop: threading.Event,
) -> dict[str, Any]:
    """Record the stream at ``socket``, frames that are not live included.

    Args:
        socket: path of the daemon's socket.
        out: the file; it must not exist.
        frames: stop after so many; 0 = until told.
        seconds: stop so long after the stream was found; 0 = until told.
        wait_s: how long to wait for the stream.
        foxglove: write Foxglove's standard messages beside our own.
        ros2: write a bag of ROS 2 there as well; it must not exist.
        stop: set it to end.

    Returns:
        The JSON keys of ``roadmask record``.

    Raises:
        CaptureError: no stream came.
        ConfigError: ``out`` or ``ros2`` cannot be written, or an extra is missing.
    """
    with ExitStack() as files:
        file = files.enter_context(RecordingFile(out))
        standards: list[Standard] = [FoxgloveTopics(file)] if foxglove else []
        if ros2 is not None:
            standards.append(files.enter_context(Ros2Bag(ros2)))
        recorder = _Recorder(socket, file, frames, standards)
        recorder.run(seconds, wait_s, stop)
        totals = recorder.totals()
        file.add_totals(totals)
    return {
        **totals,
        "seconds": round(recorder.span_ns / 1e9, 3),
        "bytes": file.bytes,
        "modes": dict(recorder.modes),
    }


class _Recorder:
    def __init__(
        self, socket: str, file: RecordingFile, frames: int, standards: Sequence[Standard]
    ) -> None:
        self._standards = standards
        self.socket, self.file, self.frames = socket, file, frames
        self.modes: Counter[str] = Counter()  # of frames
        self.span_ns = 0  # from the first frame to the last
        self._first_ns = 0
        self._streams: set[int] = set()
        self._tap = Tap(socket)

    def run(self, seconds: float, wait_s: float, stop: threading.Event) -> None:
        """Until one of the limits holds, or ``stop`` is set."""
        line = LiveLine()
        heard_s, found_s = time.monotonic(), 0.0
        try:
            while not self._enough():
                ending = stop.is_set()  # what was published before it is still taken
                self._tap.pump()
                for heard in self._tap.heard:
                    if not self._enough():
                        self._write(heard)
                self._tap.heard.clear()
                now_s = time.monotonic()
                if self._tap.ring is not None:
                    heard_s, found_s = now_s, found_s or now_s
                elif not found_s and now_s - heard_s > wait_s:
                    raise CaptureError(
                        f"no stream at {self.socket} after {wait_s:g} s ({self._reason()}): start "
                        f"'roadmask run --socket {self.socket}' or give its socket with --socket"
                    )
                elif self.frames and found_s and now_s - heard_s > _END_AFTER_S:
                    break
                if ending or (seconds and found_s and now_s - found_s >= seconds):
                    break
                line.show(f"{self.file.frames} frames, {self._tap.dropped} dropped")
                self._wait()
        finally:
            self._tap.close()
            line.end()

    def totals(self) -> dict[str, int]:
        """What goes into the file as well."""
        return {
            "frames": self.file.frames,
            "dropped": self._tap.dropped,
            "statuses": self.file.statuses,
            "streams": len(self._streams),
        }

    def _enough(self) -> bool:
        return bool(self.frames) and self.file.frames >= self.frames

    def _write(self, heard: Heard) -> None:
        message = heard.message
        self._streams.add(message.stream_id)
        for identity in heard.identities:
            self.file.add_identity(message.stream_id, *identity)
        self.file.add(message, heard.data)
        if self._standards and isinstance(message, FrameHeader):
            view = self._view(message, heard.data)
            for standard in self._standards:
                standard.hear(message, view, self.file.unix_ns(message.sent_ns))
        if isinstance(message, FrameHeader) and message.type == MessageType.FRAME:
            self.modes[message.mode.name] += 1
            self._first_ns = self._first_ns or message.publish_ns
            self.span_ns = message.publish_ns - self._first_ns

    def _view(self, header: FrameHeader, data: bytes) -> View | None:
        """What is shown of a FRAME."""
        ring = self._tap.ring
        if header.type != MessageType.FRAME or ring is None:
            return None
        told = {kind: ring.identity(index, kind) for index, kind in frame_identities(header)}
        numbers, ego = told[IdentityKind.GEOMETRY], told[IdentityKind.EGO]
        geometry = geometry_of(numbers.body, ego.body if ego else b"") if numbers else None
        time_ns = self.file.unix_ns(header.seen_ns)
        return recorded_view(header, data, time_ns, told[IdentityKind.LABELS], geometry)

    def _wait(self) -> None:
        poll = select.poll()
        if self._tap.fileno() >= 0:
            poll.register(self._tap.fileno(), select.POLLIN)
        poll.poll(min(_WAIT_MS, self._tap.wait_ns() / 1e6))

    def _reason(self) -> str:
        detail = f" ({self._tap.detail})" if self._tap.detail else ""
        return NO_MASK_TEXT[self._tap.reason] + detail
