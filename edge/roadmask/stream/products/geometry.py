"""The camera's place in the vehicle, and why it may say nothing."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Protocol

from roadmask.arrays import U8


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


@dataclass(frozen=True)
class CameraGeometry:
    """A pinhole with radial distortion over a flat road.

    Any value may be given; what cannot be measured with is a ``Fault`` of the product.

    Attributes:
        width, height: of the camera's picture, px.
        fx, fy, cx, cy: focal lengths and centre, px from the centre of the first pixel.
        k1, k2: radial distortion, 1 + k1 r^2 + k2 r^4, as in OpenCV.
        height_m: of the camera above the road, 0.1 to 20.
        pitch_deg: how far it looks down, -60 to 60; the horizon has to lie in the picture.
        roll_deg: how far it leans to the right, -45 to 45.
        yaw_deg: how far it looks to the right, -60 to 60.
        pitch_uncertainty_deg: the true pitch is no further off, 0 to 10.
    """

    width: float
    height: float
    fx: float
    fy: float
    cx: float
    cy: float
    k1: float = 0.0
    k2: float = 0.0
    height_m: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    pitch_uncertainty_deg: float = 0.0

    @classmethod
    def pinhole(
        cls,
        camera_size: tuple[int, int],
        field_of_view_deg: float,
        height_m: float,
        *,
        pitch_deg: float = 0.0,
        pitch_uncertainty_deg: float = 0.0,
    ) -> CameraGeometry:
        """Square pixels around the picture's middle; the field of view is the horizontal one."""
        width, height = camera_size
        half = math.tan(field_of_view_deg * (math.pi / 180) / 2)
        focal_px = width / 2 / half if half else math.nan
        return cls(
            width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2,
            height_m=height_m, pitch_deg=pitch_deg, pitch_uncertainty_deg=pitch_uncertainty_deg,
        )  # fmt: skip

    @property
    def values(self) -> tuple[float, ...]:
        """The fields in their order, as the kernel takes them."""
        return tuple(float(value) for value in astuple(self))


def transform_of(mask: Measurable) -> tuple[float, ...]:
    """Camera size, scale and offset, as the kernel takes them."""
    return tuple(float(v) for v in (*mask.camera_size, *mask.scale, *mask.offset))
