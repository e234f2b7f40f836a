"""What a client of protocol 1.1 makes of bytes: frozen when 1.2 was drafted, never changed since.

Nothing of today's codec is imported, so that no later change can make an old client look better
than it is. The order of the verdict is that of ``docs/protocol.md``, step 13, at minor version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_HEADER = struct.Struct("<4sHHHHI 7Q 5I 4B 4I 2Q 2I Q 2I 4f 2I 8H 4I")
_NAMES = [
    "magic",
    "type",
    "length",
    "major",
    "minor",
    "flags",
    "stream_id",
    "sequence",
    "capture_ns",
    "publish_ns",
    "sent_ns",
    "frame_id",
    "skipped_total",
    "skipped",
    "infer_us",
    "mode_bits",
    "max_age_ms",
    "slot",
    "model",
    "calibration",
    "camera",
    "labels",
    "mask_width",
    "mask_height",
    "mask_stride",
    "confidence_stride",
    "mask_offset",
    "confidence_offset",
    "preview_width",
    "preview_height",
    "preview_offset",
    "preview_stride",
    "crc32c",
    "scale_x",
    "scale_y",
    "offset_x",
    "offset_y",
    "camera_width",
    "camera_height",
]
_NOT_LIVE = 0b1110
SILENCE_NS = 200_000_000


def decode(data: bytes) -> dict[str, float]:
    """The fields of a FRAME or STATUS that 1.1 knows; raises where 1.1 hangs up."""
    values = dict(zip(_NAMES, _HEADER.unpack_from(data), strict=False))
    assert len(data) >= 256 and values["length"] == len(data)
    assert values["magic"] == b"RMSK" and values["major"] == 1 and values["type"] in (2, 3, 4)
    return values


def judge(
    frame: Mapping[str, float],
    status: Mapping[str, float],
    now_ns: int,
    limit_ns: int = 250_000_000,
    allow_not_live: bool = False,
) -> str:
    """The name of the reason for which 1.1 has no mask; ``NONE``: it hands it out."""
    if not 0 <= now_ns - status["sent_ns"] <= SILENCE_NS:
        return "SILENT"
    mode = int(status["mode_bits"]) & 3
    if mode >= 2:
        return "STALE" if mode == 2 else "FAULT"
    if not allow_not_live and int(frame["flags"]) & _NOT_LIVE:
        return "NOT_LIVE"
    if frame["capture_ns"] > frame["publish_ns"] or frame["publish_ns"] > now_ns:
        return "FUTURE"
    limit_ns = min(limit_ns, int(frame["max_age_ms"]) * 1_000_000)
    return "TOO_OLD" if now_ns - frame["capture_ns"] > limit_ns else "NONE"
