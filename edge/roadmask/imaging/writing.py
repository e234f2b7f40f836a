"""Save a mask: an 8-bit greyscale PNG of category ids for programs, a coloured one for eyes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from roadmask.imaging.encoding import encode_picture
from roadmask.labels.label_set import CATEGORY_COLORS_RGB
from roadmask.system.files import write_bytes


def write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write ``(H, W)`` or ``(H, W, 3)`` BGR ``uint8`` as PNG, whole or not at all.

    Raises:
        DataError: as ``encode_picture``.
    """
    write_bytes(path, encode_picture(".png", image))


def colored(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """``(H, W, 3) uint8`` BGR: each category in its colour."""
    return CATEGORY_COLORS_RGB[:, ::-1][mask]
