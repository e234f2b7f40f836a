"""The last minute in memory, and on disk when the stream said STALE or FAULT."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from roadmask.daemon.journal import ModeChange, Published, published
from roadmask.daemon.network import Network
from roadmask.daemon.scene import SceneCheck
from roadmask.errors import RoadmaskError
from roadmask.recording.flight import Entry, write_flight
from roadmask.stream.modes import Mode, Reason, names
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)
_KEPT_NS = 60_000_000_000
_AFTER_NS = 5_000_000_000  # that are still recorded after what made it write
_BETWEEN_NS = 30_000_000_000  # two files


class FlightRecorder:
    """A ``Reader`` of the journal that keeps headers, modes, statistics and small pictures.

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
        # A frame is kept as it was sent: a tenth of what it takes in words.
        self._headers: deque[tuple[int, bytes]] = deque()
        self._entries: deque[Entry] = deque()
        self._due_ns = 0  # to write
        self._written_ns = -_BETWEEN_NS

    def read(self, frames: list[Published], changes: list[ModeChange]) -> None:
        """See ``Reader``."""
        now = now_ns()
        self._headers.extend((frame.header.publish_ns, frame.data) for frame in frames)
        for change in changes:
            text = f"{change.mode.name} {names(change.reasons)}"
            self._entries.append(Entry(change.at_ns, "/modes", {"mode": text}))
            if change.mode in (Mode.STALE, Mode.FAULT) and Reason.SHUTDOWN not in change.reasons:
                self._due_ns = self._due_ns or max(
                    change.at_ns + _AFTER_NS, self._written_ns + _BETWEEN_NS
                )
        if frames and self._scene.has_looked:
            self._entries.extend(self._looked_at(now))
        for kept in (self._headers, self._entries):
            while kept and kept[0][0] < now - _KEPT_NS:
                kept.popleft()
        if self._due_ns and now >= self._due_ns:
            self.write()

    def write(self) -> None:
        """What is kept, where something made it due."""
        if not self._due_ns:
            return
        self._due_ns, self._written_ns = 0, now_ns()
        try:
            frames = [_of_frame(published(data)) for _, data in self._headers]
            path = write_flight(self._folder, [*frames, *self._entries], self._limit_bytes)
        except (OSError, RoadmaskError) as error:
            _log.error("flight recorder: %s", error)
            return
        _log.warning("flight recorder: the minute before is in %s", path)

    def _looked_at(self, now: int) -> Iterator[Entry]:
        """The picture, and what the network made of it; a frame may be changing both meanwhile."""
        small, output = self._scene.small, self._network().engine.output
        flat = output.reshape(-1, output.shape[-1]).astype(np.float32)
        yield Entry(
            now,
            "/statistics",
            {
                "output_min": float(flat.min()),
                "output_max": float(flat.max()),
                "output_mean": flat.mean(axis=0) if flat.shape[1] <= 64 else float(flat.mean()),
                "picture_mean": small.mean(axis=(0, 1)),
                "picture_std": small.std(axis=(0, 1)),
            },
        )
        good, jpeg = cv2.imencode(".jpg", small[..., ::-1])
        if good:
            yield Entry(now, "/pictures", jpeg.tobytes())


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
