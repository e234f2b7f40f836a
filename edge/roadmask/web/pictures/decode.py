"""An uploaded picture: its header is read before anything is decoded, then OpenCV decodes it.

The pixels are those that the daemon's own readers see: OpenCV, 8 bit, BGR, turned as EXIF says,
alpha left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.web.problems import TooManyPixelsError

_PNG = b"\x89PNG\r\n\x1a\n"
# Start-of-frame markers that carry a size: all of C0-CF but DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class Header:
    """What the first bytes of a picture say: its kind, its size as stored, and what is off."""

    kind: str
    width: int
    height: int
    animated: bool = False
    truncated: bool = False


def read_header(data: bytes | bytearray) -> Header:
    """The header of a PNG, JPEG or WebP file.

    Raises:
        DataError: another kind of file, or a header that ends early.
    """
    try:
        if data[:8] == _PNG:
            return _png(data)
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        raise DataError("the picture is truncated: its header ends early; send it again") from None
    raise DataError("the file is not a PNG, JPEG or WebP picture: send one of those")


def decode_picture(data: bytes | bytearray, max_pixels: int) -> U8:
    """The pixels ``(H, W, 3) uint8`` BGR.

    Raises:
        DataError: not a whole, single picture.
        TooManyPixelsError: larger than ``max_pixels``.
    """
    return _decode(data, max_pixels, cv2.IMREAD_COLOR)


def decode_index_picture(data: bytes | bytearray, max_pixels: int) -> npt.NDArray[Any]:
    """The pixels as stored: ``(H, W)`` or ``(H, W, C)``, ``uint8`` or ``uint16``; as above."""
    return _decode(data, max_pixels, cv2.IMREAD_UNCHANGED)


def _decode(data: bytes | bytearray, max_pixels: int, flags: int) -> U8:
    header = read_header(data)
    if not header.width or not header.height:
        raise DataError(f"the {header.kind} says {header.width}x{header.height} px: nothing to see")
    if header.width * header.height > max_pixels:
        raise TooManyPixelsError(
            f"the picture has {header.width}x{header.height} px: at most {max_pixels} are taken; "
            "send it smaller"
        )
    if header.animated:
        raise DataError(f"the {header.kind} is animated: send a single frame of it")
    if header.truncated:
        raise DataError(f"the {header.kind} is truncated ({len(data)} bytes): send it again")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        picture = None
    if picture is None:
        raise DataError(f"the {header.kind} cannot be decoded: its data is damaged; send it again")
    return picture  # type: ignore[return-value]


def _png(data: bytes | bytearray) -> Header:
    if data[12:16] != b"IHDR":
        raise DataError("the PNG does not begin with its header: it is damaged; send it again")
    width, height = struct.unpack_from(">II", data, 16)
    at, animated, ended = 8, False, False
    while not ended and at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        animated = animated or kind == b"acTL"
        at += 12 + size
        ended = kind == b"IEND" and at <= len(data)
    return Header("PNG", width, height, animated, truncated=not ended)


def _jpeg(data: bytes | bytearray) -> Header:
    at, size = 2, (0, 0)
    while True:
        if data[at] != 0xFF:
            raise DataError("the JPEG has no marker where one is due: it is damaged; send it again")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        if marker == 0xDA:  # the scan begins; an end mark before it belongs to a thumbnail
            return Header("JPEG", *size, truncated=data.find(_JPEG_END, at) < 0)
        at += 2 + length


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
