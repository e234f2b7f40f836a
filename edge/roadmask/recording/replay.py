"""``roadmask replay``: publish a recording with its own timing, flagged so that it is not live."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.errors import DataError
from roadmask.recording.reader import Record, Recording
from roadmask.recording.tap import frame_identities
from roadmask.stream.modes import Flag
from roadmask.stream.protocol import CATEGORY_COUNT, NO_IDENTITY, FrameHeader, Welcome
from roadmask.stream.publish.frame_info import FrameInfo, RingForm, StreamIdentity
from roadmask.stream.publish.heartbeat import Heart
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.clock import now_ns
from roadmask.system.terminal import LiveLine

_POLL_S = 0.01  # how often the count of subscribers is looked at while waiting for them


def replay(
    path: Path,
    socket: str,
    *,
    speed: float = 1.0,
    loop: bool = False,
    start_s: float = 0.0,
    frames: int = 0,
    subscribers: int = 0,
    stop: threading.Event,
) -> dict[str, Any]:
    """Publish the recording at ``path`` on ``socket``.

    Args:
        path: a file of ``roadmask record``.
        socket: where to publish.
        speed: 2 is twice as fast. A frame's latency stays as it was.
        loop: begin again at the end, until told to stop.
        start_s: begin so long after the recording's beginning.
        frames: stop after so many; 0 = at the end.
        subscribers: wait for so many before the first frame of each stream.
        stop: set it to end.

    Returns:
        ``frames``: how many were published; ``streams``: in how many streams.

    Raises:
        DataError: the file cannot be read, or holds no frame after ``start_s``.
        PublishError: the socket cannot be made.
    """
    line = LiveLine()
    with Recording(path) as recording, _Stage(recording, socket) as stage:
        _open(recording, stage, start_s)
        _gather(stage, subscribers, stop, line)
        _play(recording, stage, start_s, speed, frames, subscribers, stop, line)
        while loop and not (frames and stage.frames >= frames):
            stage.rewind()
            if stop.wait(stage.period_ns / speed / 1e9):
                break
            _play(recording, stage, start_s, speed, frames, subscribers, stop, line)
        line.end()
        return {"frames": stage.frames, "streams": stage.streams}


def _open(recording: Recording, stage: _Stage, start_s: float) -> None:
    """Begin the stream of the first frame that will be replayed."""
    for record in recording.records(start_s):
        if isinstance(record.message, Welcome):
            stage.welcome(record.message)
        elif record.mask is not None:
            stage.open(record)
            return
    after = f" after {start_s:g} s" if start_s and recording.frames else ""
    raise DataError(
        f"{recording.path} holds {recording.frames} frames, none to replay{after}: "
        "give another recording or another --start"
    )


def _gather(stage: _Stage, subscribers: int, stop: threading.Event, line: LiveLine) -> int:
    """Wait for so many subscribers of the present stream; how long it took, in ns."""
    began_ns = now_ns()
    while stage.publisher.clients < subscribers and not stop.wait(_POLL_S):
        line.show(f"waiting for {subscribers} subscribers")
    return now_ns() - began_ns


def _play(
    recording: Recording,
    stage: _Stage,
    start_s: float,
    speed: float,
    frames: int,
    subscribers: int,
    stop: threading.Event,
    line: LiveLine,
) -> None:
    """Once through the recording; every message at its time."""
    began_ns, first_ns = now_ns(), 0
    for record in recording.records(start_s):
        message = record.message
        if isinstance(message, Welcome):
            stage.welcome(message)
            if not first_ns:  # of a stream that began before the start
                continue
        if record.mask is not None:
            stage.load(record)
        first_ns = first_ns or message.sent_ns
        wait_ns = began_ns + (message.sent_ns - first_ns) / speed - now_ns()
        if stop.wait(min(max(wait_ns / 1e9, 0), threading.TIMEOUT_MAX)):
            return
        if isinstance(message, Welcome):
            # Before its first frame is due, so that subscribers have the time that they had.
            first = recording.first_frame(message)
            if first is not None:
                stage.open(first)
                began_ns += _gather(stage, subscribers, stop, line)
            continue
        if record.mask is not None:
            stage.publish(message)
            line.show(f"frame {message.sequence} {message.mode.name}, {stage.frames} replayed")
            if frames and stage.frames >= frames:
                return
        else:
            stage.publisher.set_mode(message.mode, message.reasons)


class _Stage:
    """The publisher of the stream that is being replayed; a new one for each recorded stream."""

    def __init__(self, recording: Recording, socket: str) -> None:
        self._recording, self._socket = recording, socket
        self._stack = ExitStack()
        self._shape: tuple[object, ...] = ()
        self._offset = 0  # from the recorded sequence to the replayed one
        self._rewound = False
        self._periods: dict[int, int] = {}  # by recorded stream
        self.frames = self.streams = self.period_ns = 0

    def __enter__(self) -> _Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def welcome(self, welcome: Welcome) -> None:
        """What the recorded publisher said of the stream that follows."""
        self._periods[welcome.stream_id] = welcome.frame_period_ns

    def rewind(self) -> None:
        """The next frame is the recording's first again: its sequence goes on from the last."""
        self._rewound = True

    def open(self, record: Record) -> None:
        """Begin a stream that ``record`` fits into, if the present one does not."""
        header = record.message
        assert isinstance(header, FrameHeader) and record.mask is not None
        planes = (record.mask, record.confidence, record.preview)
        shape = (header.stream_id, header.max_age_ms, *map(_size, planes))
        if shape == self._shape:
            return
        self._stack.close()
        self.period_ns = self._periods.get(header.stream_id, 0)
        self.publisher = self._stack.enter_context(
            Publisher(
                self._socket,
                mask_size=(header.mask_width, header.mask_height),
                identity=self._identity(header),
                frame_period_ns=self.period_ns,
                max_age_ms=header.max_age_ms,
                form=RingForm(
                    confidence=record.confidence is not None,
                    preview_size=_size(record.preview),
                    checksum=header.crc32c != 0,
                ),
            )
        )
        self._stack.enter_context(Heart(self.publisher))
        self._shape, self._offset, self._rewound = shape, 0, False
        self.streams += 1

    def load(self, record: Record) -> None:
        """Write the planes into the next slot, before the frame is due."""
        self.open(record)
        header = record.message
        assert record.mask is not None
        slot = self.publisher.begin()
        for target, plane in (
            (slot.mask, record.mask),
            (slot.confidence, record.confidence),
            (slot.preview, record.preview),
        ):
            if target is not None and plane is not None:
                target[:] = plane
        if self._rewound:
            self._offset = self.publisher.sequence + 1 - header.sequence
            self._rewound = False
        # Shares are rounded: only the pixels themselves give the very same ones again.
        self._counts = np.bincount(record.mask.ravel(), minlength=CATEGORY_COUNT)[:CATEGORY_COUNT]

    def publish(self, header: FrameHeader) -> None:
        """Hand out what was loaded, as old as it was when it was recorded."""
        age_ns = header.publish_ns - header.seen_ns
        self.publisher.publish(
            FrameInfo(
                # A broken stamp stays broken: 0, or later than its publication.
                capture_ns=now_ns() - age_ns if header.seen_ns else 0,
                camera_size=(header.camera_width, header.camera_height),
                frame_id=header.frame_id,
                skipped=header.skipped,
                infer_us=header.infer_us,
                mode=header.mode,
                reasons=header.reasons,
                flags=header.flags | Flag.REPLAY,
                scale=(header.scale_x, header.scale_y),
                offset=(header.offset_x, header.offset_y),
                counts=self._counts.tolist() if any(header.shares) else (0,) * CATEGORY_COUNT,
                identity=self._identities(header),
            ),
            sequence=header.sequence + self._offset,
        )
        self.frames += 1

    def _identity(self, header: FrameHeader) -> StreamIdentity:
        """The stream's own seven, so that frames refer to them by the recorded indices."""
        known = self._recording.identities
        entries = {
            kind.name.lower(): known[header.stream_id, index][1]
            for index, kind in frame_identities(header)
            if (header.stream_id, index) in known
        }
        return StreamIdentity(**entries)

    def _identities(self, header: FrameHeader) -> tuple[int, int, int, int, int, int, int]:
        known = self._recording.identities
        model, calibration, camera, labels, verification, geometry, ego = (
            self.publisher.add_identity(*known[header.stream_id, index])
            if (header.stream_id, index) in known
            else NO_IDENTITY
            for index, _ in frame_identities(header)
        )
        return model, calibration, camera, labels, verification, geometry, ego


def _size(plane: Any) -> tuple[int, int] | None:
    return None if plane is None else (plane.shape[1], plane.shape[0])
