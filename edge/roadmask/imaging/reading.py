"""Read images and index masks from files, with errors that name the file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.errors import DataError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """The picture as ``(H, W, 3) uint8`` BGR.

    Raises:
        DataError: missing, truncated or no image.
    """
    return _decode(Path(path), cv2.IMREAD_COLOR)


def read_mask(path: str | Path) -> npt.NDArray[np.uint8]:
    """An index image as ``(H, W) uint8``.

    Raises:
        DataError: missing, truncated, no image, or not one byte a pixel.
    """
    mask = _decode(Path(path), cv2.IMREAD_UNCHANGED)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise DataError(
            f"mask {path} is {mask.dtype} with shape {mask.shape}: expected one byte per pixel "
            "holding the class index; export it as an 8-bit greyscale PNG"
        )
    return mask


def read_instances(path: str | Path) -> npt.NDArray[np.uint16]:
    """A Cityscapes ``instanceIds`` image as ``(H, W) uint16``.

    Raises:
        DataError: missing, truncated, or not one number a pixel.
    """
    ids = _decode(Path(path), cv2.IMREAD_UNCHANGED)
    if ids.ndim != 2:
        raise DataError(f"instance file {path} has shape {ids.shape}: expected (H, W) uint16")
    return ids.astype(np.uint16, copy=False)


def _decode(path: Path, flags: int) -> npt.NDArray[np.uint8]:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"image {path} cannot be read: {error.strerror}") from error
    # A truncated PNG decodes to a picture that is grey below the cut: the end mark tells.
    if data[:8].tobytes() == b"\x89PNG\r\n\x1a\n" and b"IEND" not in data[-16:].tobytes():
        raise DataError(f"image {path} is truncated ({data.size} bytes): copy it again")
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise DataError(f"image {path} is not a readable PNG, JPEG, WebP or BMP file")
    return image  # type: ignore[return-value]
