"""What is measured, and why it may say nothing."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from roadmask.arrays import U8
from roadmask.stream.camera_geometry import CameraGeometry

__all__ = ["CameraGeometry", "End", "Fault", "Measurable", "geometry_for", "transform_of"]


class Fault(IntEnum):
    """Why nothing can be measured; ``products.hpp`` has the same."""

    NONE = 0
    NOT_FINITE = 1
    SIZE = 2
    FOCAL = 3
    CENTRE = 4
    DISTORTION = 5
    HEIGHT = 6
    UPSIDE_DOWN = 7
    ANGLE = 8
    UNCERTAINTY = 9
    HORIZON = 10
    LIMITS = 11
    CAMERA_SIZE = 12
    TRANSFORM = 13
    MASK_SIZE = 14
    UNKNOWN_GEOMETRY = 15
    TOO_MUCH_VOID = 16
    GRID = 17
    LENS = 18
    EGO = 19


class End(IntEnum):
    """Why a column's free distance ends where it does; NOT_SEEN has no distance."""

    NOT_SEEN = 0
    OBSTACLE = 1
    NEAR = 2
    RANGE = 3
    CORRIDOR = 4
    HORIZON = 5
    PICTURE = 6


class Measurable(Protocol):
    """What is measured: a ``Mask``, or anything that says as much."""

    @property
    def pixels(self) -> U8:
        """``(H, W) uint8`` category ids."""

    @property
    def camera_size(self) -> tuple[int, int]:
        """(width, height) px of the camera's picture."""

    @property
    def scale(self) -> tuple[float, float]:
        """Camera pixel = scale x mask pixel + offset, (x, y), both counted at pixel centres."""

    @property
    def offset(self) -> tuple[float, float]:
        """See ``scale``."""


def geometry_for(mask: Measurable, given: CameraGeometry | None) -> CameraGeometry | None:
    """The geometry given, else the one that the mask's stream tells, else None."""
    if given is not None:
        return given
    told = getattr(mask, "geometry", None)
    return told if isinstance(told, CameraGeometry) else None


def transform_of(mask: Measurable) -> tuple[float, ...]:
    """Camera size, scale and offset, as the kernel takes them."""
    return tuple(float(v) for v in (*mask.camera_size, *mask.scale, *mask.offset))
