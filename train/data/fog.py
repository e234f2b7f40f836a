"""Fog by Koschmieder's law, for frames whose depth is not known.

A pixel at distance d keeps exp(-b d) of its own light and gets the sky's for the rest
(Koschmieder, 1924; used on Cityscapes with true depth by Sakaridis et al., "Semantic Foggy Scene
Understanding with Synthetic Data", 2018). Without depth, the road's stands for all: it goes as
1 / (row - horizon), and all above the horizon is far.
"""

from __future__ import annotations

from typing import Any

import albumentations as A
import numpy as np
import numpy.typing as npt

_AIR_RGB = (205.0, 210.0, 215.0)
_HORIZON = (0.38, 0.52)  # of the frame's height; driving cameras' horizons lie in between
_FAR_ROWS = 0.04  # of the frame's height: depth grows no more this close to the horizon


class Fog(A.ImageOnlyTransform):  # type: ignore[misc]
    """Fog whose ``density`` is the share of air light at the horizon.

    Args:
        density: range that it is drawn from, 0 to 1.
        p: chance that it is done.
    """

    def __init__(self, density: tuple[float, float], p: float = 1.0) -> None:
        super().__init__(p=p)
        self.density = density

    def get_params(self) -> dict[str, Any]:
        """What is drawn for a frame."""
        return {
            "density": self.py_random.uniform(*self.density),
            "horizon": self.py_random.uniform(*_HORIZON),
            "light": self.py_random.uniform(0.75, 1.0),
        }

    def apply(
        self,
        img: npt.NDArray[np.uint8],
        density: float,
        horizon: float,
        light: float,
        **params: Any,
    ) -> npt.NDArray[np.uint8]:
        """``(H, W, 3) uint8`` RGB → the same in fog."""
        height = img.shape[0]
        rows = (np.arange(height, dtype=np.float32) + 0.5) / height - horizon
        depth = _FAR_ROWS / np.maximum(rows, _FAR_ROWS)  # 1 at and above the horizon
        through = (1 - min(density, 0.999)) ** depth[:, None, None]
        air = np.array(_AIR_RGB, np.float32) * light
        foggy = img * through + air * (1 - through)
        return np.asarray(foggy + 0.5, np.uint8)
