"""A PNG of class ids: the numbers that stand in the file, or a refusal by what it really is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.imaging.headers import PNG

_GREY, _PALETTE = 0, 3
_KINDS = {_GREY: "greyscale", 2: "RGB", _PALETTE: "palette", 4: "greyscale and alpha", 6: "RGBA"}
_EXPECTED = (
    "expected one byte per pixel holding the class index; export it as an 8-bit greyscale or "
    "palette PNG"
)
Chunk = tuple[bytes, bytes]


def png_kind(data: bytes | bytearray) -> tuple[int, int] | None:
    """Bits a sample and colour type of a PNG, None of any other file."""
    if data[:8] != PNG or len(data) < 26:
        return None
    return data[24], data[25]


def decode_index_png(data: bytes | bytearray) -> U8:
    """The class ids ``(H, W) uint8`` of a whole PNG.

    Of a palette picture these are the places in the palette, as annotation tools write them.

    Raises:
        DataError: not a PNG, or one whose numbers are no ids for certain.
    """
    kind = png_kind(data)
    if kind is None:
        raise DataError(f"is no PNG, and other formats change ids: {_EXPECTED}")
    bits, color = kind
    if color == _PALETTE:
        return _places(bytes(data), bits)
    if (bits, color) != (8, _GREY):
        name = _KINDS.get(color, f"colour type {color}")
        raise DataError(f"is a {bits}-bit {name} PNG: {_EXPECTED}")
    return _decoded(bytes(data))


def _places(data: bytes, bits: int) -> U8:
    """Decoded as grey, for a decoder answers a palette picture with its colours."""
    chunks = list(_chunks(data))
    header = bytearray(chunks[0][1])
    header[9] = _GREY
    kept = [(b"IHDR", bytes(header)), *(c for c in chunks[1:] if c[0] not in (b"PLTE", b"tRNS"))]
    # Grey of fewer bits is stretched to 0-255, an exact factor of 255, 85 or 17.
    places: U8 = _decoded(PNG + b"".join(map(_packed, kept))) // np.uint8(255 // (2**bits - 1))
    palette = next((content for name, content in chunks if name == b"PLTE"), b"")
    colors = np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)
    used = colors[: int(places.max()) + 1]
    greys = (used == used[:, :1]).all()
    if greys and len(used) > 1 and (used[:, 0] != np.arange(len(used))).any():
        raise DataError(
            f"is a palette PNG of greys that are not their places in it, which may be ids or "
            f"brightness: {_EXPECTED}"
        )
    return places


def _decoded(data: bytes) -> U8:
    try:
        ids = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        ids = None
    if ids is None or ids.ndim != 2 or ids.dtype != np.uint8:
        raise DataError("is not a readable PNG: its data is damaged; copy it again")
    return np.asarray(ids, np.uint8)


def _chunks(data: bytes) -> Iterator[Chunk]:
    at = len(PNG)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _packed(chunk: Chunk) -> bytes:
    name, content = chunk
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
