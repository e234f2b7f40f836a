"""What the first bytes of a picture say, read before anything is decoded."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from roadmask.errors import DataError
from roadmask.imaging.jpeg import jpeg_header, too_many_scans
from roadmask.imaging.png_stream import is_zlib

PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT"})  # what libpng ends at, if it is damaged
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class Header:
    """A picture's kind, its size as stored, and what is off.

    Attributes:
        kind: PNG, JPEG, WebP or BMP.
        width, height: px.
        animated: more than one frame.
        truncated: it ends early.
        damaged: what holds the pixels is not what its checksums say, or does not begin as such.
    """

    kind: str
    width: int
    height: int
    animated: bool = False
    truncated: bool = False
    damaged: bool = False


def read_header(data: bytes | bytearray) -> Header:
    """The header of a PNG, JPEG, WebP or BMP file.

    Raises:
        DataError: another kind of file, a header that ends early, or a JPEG of too many scans.
    """
    try:
        if data[:8] == PNG:
            return _png(data)
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:2] == b"BM":
            width, height = struct.unpack_from("<ii", data, 18)
            return Header("BMP", abs(width), abs(height))
    except (struct.error, IndexError):
        raise DataError("the picture is truncated: its header ends early; send it again") from None
    raise DataError("the file is not a PNG, JPEG or WebP picture: send one of those")


def _png(data: bytes | bytearray) -> Header:
    if data[12:16] != b"IHDR":
        raise DataError("the PNG does not begin with its header: it is damaged; send it again")
    width, height = struct.unpack_from(">II", data, 16)
    at, animated, ended, damaged, begun = 8, False, False, False, b""
    while not ended and at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = bytes(data[at + 4 : at + 8])
        animated = animated or kind == b"acTL"
        # libpng says a line of its own to standard error for each such file; see it first.
        if kind in _PIXELS and at + 12 + size <= len(data):
            (told,) = struct.unpack_from(">I", data, at + 8 + size)
            damaged = damaged or _crc32(data, at + 4, size + 4) != told
            if kind == b"IDAT" and len(begun) < 2:
                begun += bytes(data[at + 8 : at + 8 + min(size, 2)])
        at += 12 + size
        ended = kind == b"IEND" and at <= len(data)
    damaged = damaged or (ended and not is_zlib(begun))
    return Header("PNG", width, height, animated, truncated=not ended, damaged=damaged)


def _crc32(data: bytes | bytearray, start: int, size: int) -> int:
    # Released at once: an upload's memory cannot be freed while somebody looks at it.
    with memoryview(data) as view, view[start : start + size] as part:
        return zlib.crc32(part)


def _jpeg(data: bytes | bytearray) -> Header:
    header = jpeg_header(data)
    if header is None:
        raise DataError(
            "the JPEG has no frame and scan behind its header: it is truncated or damaged; send it "
            "again"
        )
    if scans := too_many_scans(data, header):
        raise DataError(
            f"the JPEG has {scans} scans, each a pass over the whole picture: save it anew as a "
            "baseline JPEG"
        )
    # An end mark before the scan belongs to a thumbnail.
    ended = data.find(_JPEG_END, header.scan) >= 0
    return Header("JPEG", header.width, header.height, truncated=not ended)


def _webp(data: bytes | bytearray) -> Header:
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    truncated = riff_bytes + 8 > len(data)
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        return Header("WebP", width, height, bool(data[20] & 0x02), truncated)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return Header("WebP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), False, truncated)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", width & 0x3FFF, height & 0x3FFF, False, truncated)
    raise DataError("the WebP holds no picture that is known: send a still PNG, JPEG or WebP")
