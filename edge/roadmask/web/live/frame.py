"""One frame of the stream as the live page gets it, and what is counted over the last seconds."""

from __future__ import annotations

import json
import struct
from collections import deque

import cv2

from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.stream.modes import names
from roadmask.stream.protocol import FrameHeader
from roadmask.stream.subscribe.mask import Mask
from roadmask.system.percentiles import percentiles
from roadmask.web.pictures.encode import png
from roadmask.web.schemas import LatencyMs

MAGIC = b"RMW1"
_HEAD = struct.Struct("<4sIII")  # magic, bytes of JSON, of mask, of preview
_JPEG_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]
_WINDOW_NS = 2_000_000_000


def encode_frame(mask: Mask) -> bytes:
    """The binary message: head, JSON, mask as index PNG, preview as JPEG (or nothing)."""
    header = mask.header
    about = {
        "sequence": mask.sequence,
        "frame_id": mask.frame_id,
        "capture_ms": mask.capture_timestamp_ns / 1e6,
        "latency_ms": round(_latency_ms(header), 3),
        "invoke_ms": mask.infer_us / 1000,
        "age_ms": round(mask.age_ms, 1),
        "skipped": mask.skipped,
        "state": mask.mode.name,
        "reasons": [name for name in names(mask.reasons).split("|") if name != "NONE"],
        "live": mask.live,
        "mask_size": mask.size,
        "camera_size": mask.camera_size,
        "scale": mask.scale,
        "offset": mask.offset,
        "shares": dict(zip(CATEGORY_NAMES, mask.shares, strict=True)),
    }
    text = json.dumps(about).encode()
    picture, preview = png(mask.pixels), b""
    if mask.preview is not None:
        bgr = cv2.cvtColor(mask.preview, cv2.COLOR_RGB2BGR)
        preview = cv2.imencode(".jpg", bgr, _JPEG_QUALITY)[1].tobytes()
    return b"".join(
        (_HEAD.pack(MAGIC, len(text), len(picture), len(preview)), text, picture, preview)
    )


class Recent:
    """Rate and latency of the stream over the last two seconds, from the headers that were seen."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int, int, float]] = deque()

    def add(self, header: FrameHeader) -> None:
        """Take in a FRAME; one that was seen already changes nothing."""
        key = (header.stream_id, header.sequence)
        if self._seen and self._seen[-1][:2] == key:
            return
        if self._seen and self._seen[-1][0] != header.stream_id:
            self._seen.clear()  # another daemon: its count begins anew
        self._seen.append((*key, header.publish_ns, _latency_ms(header)))

    def forget(self, now_ns: int) -> None:
        """Drop what is older than two seconds."""
        while self._seen and now_ns - self._seen[0][2] > _WINDOW_NS:
            self._seen.popleft()

    @property
    def fps(self) -> float | None:
        """Published frames a second; those between two seen ones count."""
        if len(self._seen) < 2:
            return None
        (_, first, start_ns, _), (_, last, end_ns, _) = self._seen[0], self._seen[-1]
        return round((last - first) * 1e9 / (end_ns - start_ns), 2) if end_ns > start_ns else None

    @property
    def latency_ms(self) -> LatencyMs | None:
        """Capture to publication."""
        if not self._seen:
            return None
        found = percentiles(entry[3] for entry in self._seen)
        return LatencyMs(p50=found["p50"] or 0.0, p99=found["p99"] or 0.0)


def _latency_ms(header: FrameHeader) -> float:
    return (header.publish_ns - header.capture_ns) / 1e6
