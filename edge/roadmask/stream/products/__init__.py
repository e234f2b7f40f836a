"""The road in metres: pure functions of a mask and the camera's place in the vehicle."""

from __future__ import annotations

from roadmask.stream.products.free_distance import FreeDistance, free_distance
from roadmask.stream.products.geometry import CameraGeometry, End, Fault, Measurable

__all__ = ["CameraGeometry", "End", "Fault", "FreeDistance", "Measurable", "free_distance"]
