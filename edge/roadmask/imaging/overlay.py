"""A mask in its categories' colours over the frame that it belongs to."""

from __future__ import annotations

import numpy as np

from roadmask import _native
from roadmask.arrays import U8
from roadmask.imaging.nearest import nearest
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, VOID


def _palette_bgr() -> U8:
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(CATEGORY_COLORS_RGB)] = CATEGORY_COLORS_RGB[:, ::-1]
    return palette


PALETTE_BGR: U8 = _palette_bgr()


def overlay(image_bgr: U8, mask: U8, alpha: float = 0.5, out: U8 | None = None) -> U8:
    """Draw ``mask`` over ``image_bgr``.

    Args:
        image_bgr: ``(H, W, 3) uint8``; its rows may be apart.
        mask: ``(h, w) uint8`` categories, brought to the frame's size (nearest) where it differs.
        alpha: weight of the colours, 0–1.
        out: where to draw; may be ``image_bgr`` itself. A new picture by default.

    Returns:
        ``out``, ``(H, W, 3) uint8`` BGR.
    """
    height, width = image_bgr.shape[:2]
    mask = nearest(mask, (width, height))
    if out is None:
        out = np.empty((height, width, 3), np.uint8)
    _native.overlay(image_bgr, mask, PALETTE_BGR, round(255 * alpha), out)
    return out


def colours(mask: U8) -> U8:
    """The mask itself as a BGR picture ``(H, W, 3)``; void is black."""
    picture: U8 = PALETTE_BGR[np.where(mask < len(CATEGORY_COLORS_RGB), mask, VOID)]
    return picture
