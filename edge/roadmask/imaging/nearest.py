"""Another size for a picture of ids: nearest at pixel centres, the one way to resize a mask.

OpenCV's INTER_NEAREST takes corners, which moves every edge by up to half a pixel.
"""

from __future__ import annotations

import numpy as np

from roadmask.arrays import I64, Mask


def nearest(ids: Mask, size: tuple[int, int]) -> Mask:
    """``(h, w) uint8`` ids at ``size`` (width, height) px, the same array where it fits.

    The same pixels as the kernel takes of an id map, for ids of any kind.
    """
    width, height = size
    if ids.shape == (height, width):
        return ids
    rows, columns = _under_centres(ids.shape[0], height), _under_centres(ids.shape[1], width)
    resized: Mask = ids.take(columns, axis=1)[rows]
    return resized


def _under_centres(source: int, target: int) -> I64:
    pixels: I64 = (2 * np.arange(target, dtype=np.int64) + 1) * source // (2 * target)
    return pixels
