"""Whether the compressed pixels of a PNG are whole, seen before libpng says it in its own way.

A chunk's checksum may be right over a stream that cannot be unpacked: who made the file meant it
so, or wrote it wrong. libpng then writes a line of its own to standard error.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

_PIECE = 1 << 16  # bytes that are given, and unpacked, at once
_FILTERS = 5  # kinds, the first byte of a row
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a colour type
_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# Adam7: first column and row of each pass, and the steps to the next ones.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip


def is_zlib(head: bytes | bytearray) -> bool:
    """Whether a stream that begins so is one that libpng takes."""
    if len(head) < 2:
        return False
    method, window, dictionary = head[0] & 15, head[0] >> 4, head[1] & 32
    return method == 8 and window <= 7 and not dictionary and (head[0] << 8 | head[1]) % 31 == 0


def is_whole(data: bytes | bytearray) -> bool:
    """Whether the stream of a PNG, whose checksums are right, gives all of its rows.

    It is unpacked once more for that, a piece at a time, and no further than its last row; what
    lies behind harms nothing.
    """
    rows = _rows(data)
    if rows is None:
        return False
    total, made, unpack = sum(count * size for count, size in rows), 0, zlib.decompressobj()
    try:
        for content in _contents(data):
            given = content
            while not unpack.eof:
                piece = unpack.decompress(given, _PIECE)
                given = unpack.unconsumed_tail
                if not _known_filters(piece, made, rows):
                    return False
                made += len(piece)
                if made > total:
                    return True
                if not given and len(piece) < _PIECE:
                    break
    except zlib.error:
        return False
    return made == total and unpack.eof


def _rows(data: bytes | bytearray) -> list[tuple[int, int]] | None:
    """Number and bytes of the rows, a pair a pass; None of a header that no decoder takes."""
    width, height, bits, color, *methods, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if bits not in _BITS.get(color, ()) or any(methods) or interlaced > 1:
        return None
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in passes)
    return [(h, 1 + -(-w * bits * _CHANNELS[color] // 8)) for w, h in sizes if w > 0 and h > 0]


def _contents(data: bytes | bytearray) -> Iterator[bytes]:
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            for start in range(at + 8, at + 8 + size, _PIECE):  # zlib copies what it leaves
                yield bytes(data[start : min(start + _PIECE, at + 8 + size)])
        at += 12 + size


def _known_filters(piece: bytes, start: int, rows: list[tuple[int, int]]) -> bool:
    """Whether the rows that begin within the piece, at ``start`` of the stream, say a filter."""
    values, begin = np.frombuffer(piece, np.uint8), 0
    for count, size in rows:
        end = begin + count * size
        first = begin if start <= begin else start + (begin - start) % size
        last = min(end, start + len(piece))
        if (values[max(first - start, 0) : max(last - start, 0) : size] >= _FILTERS).any():
            return False
        begin = end
    return True
