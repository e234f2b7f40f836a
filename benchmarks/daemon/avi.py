"""Motion JPEG in an AVI file: JPEGs as they are, which OpenCV's writer cannot take.

After Microsoft's "AVI RIFF File Reference": one video stream, an index at the end.
"""

from __future__ import annotations

import struct
from pathlib import Path

_HAS_INDEX, _KEY_FRAME = 0x10, 0x10


def write_avi(path: Path, jpegs: list[bytes], size: tuple[int, int], fps: int) -> None:
    """Write the JPEGs, all of one size (width, height) px, as frames of an AVI file."""
    frames, index, offset = [], [], 4
    for jpeg in jpegs:
        chunk = _chunk(b"00dc", jpeg)
        index.append(struct.pack("<4sIII", b"00dc", _KEY_FRAME, offset, len(jpeg)))
        frames.append(chunk)
        offset += len(chunk)
    lists = _header(len(jpegs), max(map(len, jpegs)), size, fps)
    lists += _chunk(b"LIST", b"movi" + b"".join(frames)) + _chunk(b"idx1", b"".join(index))
    path.write_bytes(_chunk(b"RIFF", b"AVI " + lists))


def _header(count: int, largest: int, size: tuple[int, int], fps: int) -> bytes:
    width, height = size
    main = struct.pack(
        "<14I",
        1_000_000 // fps,
        largest * fps,
        0,
        _HAS_INDEX,
        count,
        0,
        1,
        largest,
        width,
        height,
        *(0, 0, 0, 0),
    )
    stream = struct.pack(
        "<4s4sIHHIIIIIIII4H",
        b"vids",
        b"MJPG",
        *(0, 0, 0, 0),
        1,
        fps,
        0,
        count,
        largest,
        0xFFFFFFFF,
        0,
        *(0, 0, width, height),
    )
    picture = struct.pack(
        "<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", 3 * width * height, 0, 0, 0, 0
    )
    streams = _chunk(b"strh", stream) + _chunk(b"strf", picture)
    return _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + _chunk(b"LIST", b"strl" + streams))


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
