"""A JPEG's header by the standard (ITU-T T.81, annex B): its size, and how much work it is."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

Bytes = bytes | bytearray | memoryview

MAX_SCANS = 100  # of a picture: encoders write about ten, and each costs a pass over all of it
_MAX_SEGMENTS = 10_000
# The next marker, wherever fill bytes and what decoders pass over end (B.1.1.2, B.1.1.3).
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_SIZES = struct.Struct(">HHB")
_SCAN = b"\xff\xda"  # never by chance in a picture's data, where 0xFF is followed by 0
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
# Start-of-frame markers, which carry the size: all of C0-CF but DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_ALONE = frozenset((_TEM, *range(0xD0, 0xD8)))  # markers without a segment


class JpegHeader(NamedTuple):
    """What stands ahead of the first scan.

    Attributes:
        width, height: px, as stored.
        scan: where the first scan begins, in bytes.
        several: further scans follow, each a pass over the picture.
    """

    width: int
    height: int
    scan: int
    several: bool


def jpeg_header(data: Bytes) -> JpegHeader | None:
    """The header of a JPEG, None where no frame and scan begin or the size is 0."""
    at, end, frame = 2, len(data) - 4, None
    for _ in range(_MAX_SEGMENTS):
        if at > end:
            return None
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0, 0xFF):
            found = _MARKER.search(data, at)
            if found is None or found.start() > end:
                return None
            at = found.start()
            marker = data[at + 1]
        at += 2
        if marker in _ALONE:
            continue
        if marker == _SOS:
            return _begun(frame, data, at)
        if marker in (_SOI, _EOI):
            return None
        if marker in _FRAMES and at + 8 <= len(data):
            height, width, parts = _SIZES.unpack_from(data, at + 3)
            frame = width, height, parts, marker in _PROGRESSIVE
        at += max(2, data[at] << 8 | data[at + 1])
    return None


def _begun(frame: tuple[int, int, int, bool] | None, data: Bytes, at: int) -> JpegHeader | None:
    if frame is None or at + 3 > len(data):
        return None
    width, height, parts, progressive = frame
    if not width or not height:
        return None
    return JpegHeader(width, height, at - 2, progressive or data[at + 2] < parts)


def too_many_scans(data: Bytes, header: JpegHeader) -> int:
    """The number of scans where they are more than ``MAX_SCANS``, else 0."""
    if not header.several:
        return 0  # one scan holds all: decoders stop behind it
    scans = bytes(data[header.scan :]).count(_SCAN)
    return scans if scans > MAX_SCANS else 0
