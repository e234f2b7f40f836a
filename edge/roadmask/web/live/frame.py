"""One frame of the stream as the live page gets it, and what is counted over the last seconds."""

from __future__ import annotations

import json
import struct
import time
from collections import deque
from typing import Any

import cv2

from roadmask.arrays import U8
from roadmask.imaging.encoding import encode_picture
from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.stream.modes import names
from roadmask.stream.protocol import FrameHeader
from roadmask.stream.subscribe.mask import Mask
from roadmask.system.clock import now_ns
from roadmask.system.percentiles import percentiles
from roadmask.web.pictures.encode import png
from roadmask.web.schemas import LatencyMs

MAGIC = b"RMW1"
_HEAD = struct.Struct("<4sIII")  # magic, bytes of JSON, of mask, of preview
_JPEG_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]
_WINDOW_NS = 2_000_000_000


def encode_frame(mask: Mask) -> bytes:
    """The binary message of the stream's frame."""
    header = mask.header
    unix_ns = header.capture_ns + time.time_ns() - now_ns() if header.capture_ns else 0
    about = about_frame(header) | {
        "age_ms": round(mask.age_ms, 1),
        "live": mask.live,
        "captured_unix_ms": unix_ns / 1e6,
    }
    return pack_frame(about, mask.pixels, mask.preview)


def about_frame(header: FrameHeader) -> dict[str, Any]:
    """The JSON of a frame, as its header says it."""
    return {
        "sequence": header.sequence,
        "frame_id": header.frame_id,
        "capture_ms": header.capture_ns / 1e6,
        "latency_ms": round(_latency_ms(header), 3),
        "invoke_ms": header.infer_us / 1000,
        "skipped": header.skipped,
        "state": header.mode.name,
        "reasons": [name for name in names(header.reasons).split("|") if name != "NONE"],
        "mask_size": (header.mask_width, header.mask_height),
        "camera_size": (header.camera_width, header.camera_height),
        "scale": (header.scale_x, header.scale_y),
        "offset": (header.offset_x, header.offset_y),
        "shares": dict(zip(CATEGORY_NAMES, header.shares, strict=True)),
    }


def pack_frame(
    about: dict[str, Any], mask: U8 | None, preview: U8 | None, jpeg: bytes = b""
) -> bytes:
    """Head, JSON, mask as index PNG, preview ``(h, w, 3)`` RGB as JPEG; each may be nothing.

    ``jpeg`` is a preview that is one already.
    """
    text = json.dumps(about).encode()
    picture = b"" if mask is None else png(mask)
    if preview is not None:
        bgr = cv2.cvtColor(preview, cv2.COLOR_RGB2BGR)
        jpeg = encode_picture(".jpg", bgr, _JPEG_QUALITY)
    head = _HEAD.pack(MAGIC, len(text), len(picture), len(jpeg))
    return b"".join((head, text, picture, jpeg))


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
