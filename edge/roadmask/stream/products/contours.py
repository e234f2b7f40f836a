"""Outlines of what a mask shows: polygons in mask and camera pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.stream.products.geometry import (
    CameraGeometry,
    Fault,
    Measurable,
    geometry_for,
    transform_of,
)

_NO_CAMERA = CameraGeometry(0, 0, 0, 0, 0, 0)  # it only tells of an ego mask, and this has none


@dataclass(frozen=True)
class Contour:
    """The border of a connected region, or of a hole in it.

    Attributes:
        hole: it runs around what is not of the region.
        mask_px: ``(N, 2) int32``, x and y of the corners of a polygon through the centres of the
            region's own pixels, of a hole those around it.
        camera_px: ``(N, 2) float64``, the same in the camera's picture.
    """

    hole: bool
    mask_px: npt.NDArray[np.int32]
    camera_px: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contours:
    """All outlines of one category.

    Attributes:
        fault: why there are none to tell, else ``Fault.NONE``.
        contours: by their topmost, then leftmost pixel.
        uncertainty_px: of a camera point, x and y: a true edge lies half a mask pixel outside,
            where the mask is right.
    """

    fault: Fault
    contours: tuple[Contour, ...]
    uncertainty_px: tuple[float, float]

    @property
    def known(self) -> bool:
        """Whether the mask could be read; there may be no outline in it."""
        return not self.fault

    @property
    def reason(self) -> str:
        """Why not, else NONE."""
        return self.fault.name


@lru_cache(maxsize=8)
def _kernel(values: tuple[float, ...], corners: tuple[int, ...]) -> _native.Contours:
    return _native.Contours(values, corners)


def contours(mask: Measurable, category: int, geometry: CameraGeometry | None = None) -> Contours:
    """Outlines of the regions of ``category``; pixels that touch at a corner belong together.

    Args:
        mask: as of ``free_distance``.
        category: 1 to 7, else LIMITS; see ``Category``.
        geometry: for its ego mask alone, which is left out; by default the stream's, if it tells
            one.
    """
    known = geometry_for(mask, geometry) or _NO_CAMERA
    asked = category if 0 < category < 8 else 0
    fault, which, points, camera = _kernel(known.values, known.corners).measure(
        mask.pixels, transform_of(mask), asked
    )
    mask_px = np.frombuffer(points, np.int32).reshape(-1, 2)
    camera_px = np.frombuffer(camera).reshape(-1, 2)
    found = tuple(
        Contour(hole, mask_px[first : first + count], camera_px[first : first + count])
        for hole, first, count in which
    )
    scale_x, scale_y = mask.scale
    return Contours(Fault(fault), found, (scale_x / 2, scale_y / 2))
