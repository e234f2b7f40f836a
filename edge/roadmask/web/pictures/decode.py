"""An uploaded picture: its header is read before anything is decoded, and its size is limited.

The pixels are those that the project's other readers see, but turned as EXIF says, as the browser
shows the picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.imaging.headers import read_header
from roadmask.imaging.index_png import decode_index_png
from roadmask.imaging.png_stream import is_whole
from roadmask.imaging.reading import decode_color
from roadmask.inference.preprocess import LARGEST_SIDE_PX
from roadmask.web.problems import TooManyPixelsError

_DAMAGED = "the {} cannot be decoded: its data is damaged; send it again"


def decode_picture(data: bytes | bytearray, max_pixels: int) -> U8:
    """The pixels ``(H, W, 3) uint8`` BGR.

    Raises:
        DataError: not a whole, single picture.
        TooManyPixelsError: larger than ``max_pixels``.
    """
    kind = _check(data, max_pixels)
    if kind == "JPEG" and _ends_early(data):
        raise DataError("the JPEG is truncated: part of its picture is missing; send it again")
    picture = decode_color(data, upright=True)
    if picture is None:
        raise DataError(_DAMAGED.format(kind))
    return picture


def decode_index_picture(data: bytes | bytearray, max_pixels: int) -> U8:
    """The ids ``(H, W) uint8`` of a mask; as above."""
    _check(data, max_pixels)
    try:
        return decode_index_png(data)
    except DataError as error:
        raise DataError(f"the mask {error}") from None


def is_turned(data: bytes | bytearray) -> bool:
    """Whether EXIF turns a picture that ``decode_picture`` takes."""
    # At an eighth of the size: the pixels need not be held twice more to see it. OpenCV makes no
    # eighth of less than 8 px.
    header, encoded = read_header(data), np.frombuffer(data, np.uint8)
    eighth = min(header.width, header.height) >= 8
    small = cv2.IMREAD_REDUCED_GRAYSCALE_8 if eighth else cv2.IMREAD_GRAYSCALE
    shown, stored = (
        cv2.imdecode(encoded, flags) for flags in (small, small | cv2.IMREAD_IGNORE_ORIENTATION)
    )
    return not np.array_equal(shown, stored)  # type: ignore[arg-type]


def _ends_early(data: bytes | bytearray) -> bool:
    """Whether a JPEG's end mark comes before its last pixel: OpenCV fills the rest with grey."""
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(data, "GRAY", min_height=1, min_width=1, strict=True)
    except ValueError as error:  # of all that the library may say, this alone
        return "premature end" in str(error)
    return False


def _check(data: bytes | bytearray, max_pixels: int) -> str:
    """The kind of a whole, single picture within the limits."""
    header = read_header(data)
    if header.kind == "BMP":
        raise DataError("the file is not a PNG, JPEG or WebP picture: send one of those")
    if not header.width or not header.height:
        raise DataError(f"the {header.kind} says {header.width}x{header.height} px: nothing to see")
    if header.width * header.height > max_pixels:
        raise TooManyPixelsError(
            f"the picture has {header.width}x{header.height} px: at most {max_pixels} are taken; "
            "send it smaller"
        )
    if max(header.width, header.height) > LARGEST_SIDE_PX:
        raise DataError(
            f"the picture has {header.width}x{header.height} px: at most {LARGEST_SIDE_PX} a side "
            "are taken; send it smaller, or in parts"
        )
    if header.animated:
        raise DataError(f"the {header.kind} is animated: send a single frame of it")
    if header.truncated:
        raise DataError(f"the {header.kind} is truncated ({len(data)} bytes): send it again")
    if header.damaged or (header.kind == "PNG" and not is_whole(data)):
        raise DataError(_DAMAGED.format(header.kind))
    return header.kind
