"""Pictures as PNG and JPEG: whoever encodes one does it here.

OpenCV answers nothing, and writes to standard error, where a picture does not fit a format; that
nothing must never pass for a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.errors import DataError

# px a side, as libpng, libjpeg and OpenCV take them.
_LIMITS = {".png": ("PNG", 1_000_000), ".jpg": ("JPEG", 65_500), ".bmp": ("BMP", 1_000_000)}


def encode_picture(
    suffix: str, image: npt.NDArray[np.uint8] | npt.NDArray[Any], options: Sequence[int] = ()
) -> bytes:
    """``(H, W)`` or ``(H, W, 3)`` BGR as a file's bytes.

    Args:
        suffix: ``.png``, ``.jpg`` or ``.bmp``.
        image: ``uint8``; for PNG ``uint16`` too.
        options: OpenCV's, a key and a value each.

    Raises:
        DataError: it has no pixel, or does not fit the format.
    """
    kind, most = _LIMITS[suffix]
    size = f"{image.shape[1]}x{image.shape[0]} px"
    if not image.size or max(image.shape[:2]) > most:
        raise DataError(
            f"a picture of {size} does not fit a {kind}: 1 to {most} px a side are possible; "
            "make it smaller, or cut it into parts"
        )
    done, data = cv2.imencode(suffix, image, options)
    if not done:
        raise DataError(f"a picture of {size} cannot be written as {kind}: make it smaller")
    return data.tobytes()
