"""Read pictures and index masks, from files and from memory, with errors that name what is wrong.

Every reader of the project comes through here: data sets, calibration, the folder source and
uploads see the same pixels and refuse the same files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.imaging.headers import Header, read_header
from roadmask.imaging.index_png import decode_index_png
from roadmask.system.bounded import read_bounded

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_BYTES = 1 << 30  # of a file: 16 bits a pixel and three channels of the largest, uncompressed
_DEEP = 4095  # the largest value of 12 bits


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names, hidden ones left out."""
    return [p for p in visible(folder.iterdir()) if p.suffix.lower() in IMAGE_SUFFIXES]


def pictures_under(root: Path) -> list[Path]:
    """The same of a folder and all below it, by path."""
    inside = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    return sorted([*picture_files(root), *(p for folder in inside for p in pictures_under(folder))])


def visible(paths: Iterable[Path]) -> list[Path]:
    """Sorted, without hidden files such as those that macOS leaves beside each (``._a.png``)."""
    return sorted(path for path in paths if not path.name.startswith("."))


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """The picture as ``(H, W, 3) uint8`` BGR, its pixels as stored: EXIF turns nothing.

    Raises:
        DataError: missing, truncated or no image.
    """
    data, header = _read(Path(path), "image")
    picture = decode_color(data, upright=False)
    if picture is None:
        raise DataError(f"image {path} is not a readable {header.kind}: copy it again")
    return picture


def read_mask(path: str | Path) -> npt.NDArray[np.uint8]:
    """An index image as ``(H, W) uint8``.

    Raises:
        DataError: missing, truncated, or no PNG of one byte a pixel.
    """
    data, _ = _read(Path(path), "mask")
    try:
        return decode_index_png(data)
    except DataError as error:
        raise DataError(f"mask {path} {error}") from None


def read_instances(path: str | Path) -> npt.NDArray[np.uint16]:
    """A Cityscapes ``instanceIds`` image as ``(H, W) uint16``.

    Raises:
        DataError: missing, truncated, or not one number a pixel.
    """
    data, _ = _read(Path(path), "instance file")
    ids = _decode(data, cv2.IMREAD_UNCHANGED)
    if ids is None:
        raise DataError(f"instance file {path} is not a readable PNG: copy it again")
    if ids.ndim != 2:
        raise DataError(f"instance file {path} has shape {ids.shape}: expected (H, W) uint16")
    return ids.astype(np.uint16, copy=False)


def decode_color(data: bytes | bytearray, *, upright: bool) -> U8 | None:
    """The pixels ``(H, W, 3) uint8`` BGR without alpha, None where they are damaged.

    Args:
        data: a whole picture.
        upright: turn it as its EXIF block says, as a browser shows it.
    """
    turn = 0 if upright else cv2.IMREAD_IGNORE_ORIENTATION
    picture = _decode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | turn)
    if picture is None or picture.ndim != 3 or picture.dtype not in (np.uint8, np.uint16):
        return None
    return picture if picture.dtype == np.uint8 else _eight_bits(picture)


def _eight_bits(picture: npt.NDArray[np.uint16]) -> U8:
    """The upper eight bits; of a sensor's 12, which 16 would show as black, their upper eight."""
    shift = 4 if int(picture.max()) <= _DEEP else 8
    return (picture >> shift).astype(np.uint8)


def _read(path: Path, what: str) -> tuple[bytes, Header]:
    """The bytes of a whole, single picture and its header."""
    try:
        data = read_bounded(path, _BYTES)
    except OSError as error:
        raise DataError(f"{what} {path} cannot be read: {error.strerror}") from error
    try:
        header = read_header(data)
    except DataError as error:
        raise DataError(
            f"{what} {path} is not a readable PNG, JPEG, WebP or BMP file: {error}"
        ) from None
    # A truncated picture decodes to one that is grey below the cut.
    if header.truncated:
        raise DataError(f"{what} {path} is truncated ({len(data)} bytes): copy it again")
    if header.damaged:
        raise DataError(f"{what} {path} is not a readable {header.kind}: copy it again")
    if header.animated:
        raise DataError(f"{what} {path} is animated: give a single frame of it")
    return data, header


def _decode(data: bytes | bytearray, flags: int) -> npt.NDArray[Any] | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # larger than OpenCV takes
        return None
