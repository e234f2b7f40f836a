"""One's own bonnet or dashboard at the bottom of a frame, with what mirrors in it.

No data set of ours labels it, and a camera behind a windscreen sees it in every frame. It is void
in the mask: nothing is learned of it, but of the road above it that it stays road.
"""

from __future__ import annotations

from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
_GREY = (10.0, 120.0)  # of most dashboards and bonnets; every sixth is as bright as paint can be
_BRIGHT = (120.0, 240.0)


class Bonnet(A.DualTransform):  # type: ignore[misc]
    """A curved, smooth, partly mirroring surface over the lowest part of the frame.

    Args:
        height: range of its share of the frame's height, in the middle.
        void: id that the mask gets there.
        p: chance that it is done.
    """

    def __init__(self, height: tuple[float, float], void: int, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.height, self.void = height, void

    def get_params(self) -> dict[str, Any]:
        """What is drawn for a frame."""
        draw = self.py_random.uniform
        return {
            "share": draw(*self.height),
            "bend": draw(-0.3, 0.6),  # of the share, lower at both sides
            "tilt": draw(-0.3, 0.3),
            "grey": draw(*(_BRIGHT if draw(0, 1) < 1 / 6 else _GREY)),
            "mirror": draw(0.0, 0.5),
            "tint": [draw(0.85, 1.15) for _ in range(3)],
        }

    def apply(
        self,
        img: U8,
        share: float,
        bend: float,
        tilt: float,
        grey: float,
        mirror: float,
        tint: list[float],
        **params: Any,
    ) -> U8:
        """``(H, W, 3) uint8`` RGB → the same behind a bonnet."""
        inside = _below(img.shape[:2], share, bend, tilt)
        reflected = cv2.blur(img[::-1], (9, 9)).astype(np.float32)
        fall = np.linspace(1.2, 0.8, img.shape[0], dtype=np.float32)[:, None, None]
        paint = grey * np.asarray(tint, np.float32) * fall
        surface = np.clip(paint * (1 - mirror) + reflected * mirror, 0, 255).astype(np.uint8)
        return np.where(inside[..., None], surface, img)

    def apply_to_mask(self, mask: U8, share: float, bend: float, tilt: float, **params: Any) -> U8:
        """``(H, W)`` or ``(H, W, C) uint8`` → void where the bonnet is."""
        inside = _below(mask.shape[:2], share, bend, tilt)
        if mask.ndim == 3:
            inside = inside[..., None]
        return np.where(inside, np.uint8(self.void), mask)


def _below(shape: tuple[int, ...], share: float, bend: float, tilt: float) -> npt.NDArray[np.bool_]:
    """``(H, W)``: where the bonnet is, under a parabola that may lean."""
    height, width = shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    edge = 1 - share * (1 - bend * x**2 + tilt * x)
    rows = (np.arange(height, dtype=np.float32) + 0.5) / height
    return rows[:, None] > edge[None, :]
