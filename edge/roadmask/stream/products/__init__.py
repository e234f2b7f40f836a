"""The road in metres: pure functions of a mask and the camera's place in the vehicle."""

from __future__ import annotations

from roadmask.stream.products.contours import Contour, Contours, contours
from roadmask.stream.products.corridor import Corridor, corridor
from roadmask.stream.products.free_distance import FreeDistance, free_distance
from roadmask.stream.products.geometry import CameraGeometry, End, Fault, Measurable
from roadmask.stream.products.occupancy import Occupancy, occupancy

__all__ = [
    "CameraGeometry",
    "Contour",
    "Contours",
    "Corridor",
    "End",
    "Fault",
    "FreeDistance",
    "Measurable",
    "Occupancy",
    "contours",
    "corridor",
    "free_distance",
    "occupancy",
]
