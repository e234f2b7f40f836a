"""The last minute in memory, and on disk when the stream said STALE or FAULT."""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from roadmask.daemon.journal import ModeChange, Published, published
from roadmask.daemon.network import Network
from roadmask.daemon.scene import SceneCheck
from roadmask.errors import RoadmaskError
from roadmask.imaging.encoding import encode_picture
from roadmask.recording.flight import Entry, write_flight
from roadmask.stream.modes import Mode, Reason, names
from roadmask.stream.protocol import MESSAGE_BYTES
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)
_KEPT_NS = 60_000_000_000
_AFTER_NS = 5_000_000_000  # that are still recorded after what made it write
_BETWEEN_NS = 30_000_000_000  # two files
_HEADERS = 18_000  # a minute of 300 frames a second, 4.4 MiB; faster ones leave less of a minute
_ENTRIES = 4096
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 75)  # 15 kB; 95, its default, would make it 35


class FlightRecorder:
    """A ``Reader`` of the journal that keeps headers, modes, statistics and small pictures.

    What it takes is bounded by numbers, not by the minute alone: its rings are made at the start.

    Args:
        folder: of the files.
        limit_bytes: of all files; the oldest go.
        scene: whose small picture is kept, twice a second.
        network: gives the network at work.
    """

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        scene: SceneCheck,
        network: Callable[[], Network],
    ) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self._scene, self._network = scene, network
        # A frame is kept as it was sent: a tenth of what it takes in words. Written, and so there.
        self._headers = np.full((_HEADERS, MESSAGE_BYTES), 0, np.uint8)
        self._count = 0  # of all headers so far
        self._entries: deque[Entry] = deque(maxlen=_ENTRIES)
        self._due_ns = 0  # to write
        self._written_ns = -_BETWEEN_NS

    def read(self, frames: list[bytes], changes: list[ModeChange]) -> None:
        """See ``Reader``."""
        now = now_ns()
        for data in frames:
            self._headers[self._count % _HEADERS] = np.frombuffer(data, np.uint8)
            self._count += 1
        for change in changes:
            text = f"{change.mode.name} {names(change.reasons)}"
            self._entries.append(Entry(change.at_ns, "/modes", {"mode": text}))
            if change.mode in (Mode.STALE, Mode.FAULT) and Reason.SHUTDOWN not in change.reasons:
                self._due_ns = self._due_ns or max(
                    change.at_ns + _AFTER_NS, self._written_ns + _BETWEEN_NS
                )
        if frames and self._scene.has_looked:
            self._entries.extend(self._looked_at(now))
        while self._entries and self._entries[0].at_ns < now - _KEPT_NS:
            self._entries.popleft()
        if self._due_ns and now >= self._due_ns:
            self.write()

    def write(self) -> None:
        """What is kept, where something made it due."""
        if not self._due_ns:
            return
        self._due_ns, self._written_ns = 0, now_ns()
        try:
            # One by one: all of them in words would be 100 MiB for a moment.
            entries = heapq.merge(self._frames(), self._entries, key=attrgetter("at_ns"))
            path = write_flight(self._folder, entries, self._limit_bytes)
        except (OSError, RoadmaskError) as error:
            _log.error("flight recorder: %s", error)
            return
        _log.warning("flight recorder: the minute before is in %s", path)

    def _frames(self) -> Iterator[Entry]:
        since_ns = self._written_ns - _KEPT_NS
        for number in range(max(0, self._count - _HEADERS), self._count):
            entry = _of_frame(published(self._headers[number % _HEADERS].tobytes()))
            if entry.at_ns >= since_ns:
                yield entry

    def _looked_at(self, now: int) -> Iterator[Entry]:
        """The picture, and what the network made of it; a frame may be changing both meanwhile."""
        # No copies of either: what comes and goes beside what is kept leaves holes in the memory.
        small, output = self._scene.small, self._network().engine.output
        flat = output.reshape(-1, output.shape[-1])
        mean, std = cv2.meanStdDev(small)
        yield Entry(
            now,
            "/statistics",
            {
                "output_min": float(flat.min()),
                "output_max": float(flat.max()),
                "output_mean": flat.mean(axis=0) if flat.shape[1] <= 64 else float(flat.mean()),
                "picture_mean": mean.ravel(),
                "picture_std": std.ravel(),
            },
        )
        yield Entry(now, "/pictures", encode_picture(".jpg", small[..., ::-1], _JPEG))


def _of_frame(frame: Published) -> Entry:
    header = frame.header
    content: dict[str, Any] = {
        "sequence": header.sequence,
        "frame_id": header.frame_id,
        "capture_ns": header.capture_ns,
        "publish_ns": header.publish_ns,
        "mode": header.mode.name,
        "reasons": names(header.reasons),
        "skipped": header.skipped,
        "infer_us": header.infer_us,
        "engine_restarts": header.engine_restarts,
        "shares": header.shares,
        **{f"{name}_us": value for name, value in frame.stages._asdict().items()},
    }
    return Entry(header.publish_ns, "/headers", content)
