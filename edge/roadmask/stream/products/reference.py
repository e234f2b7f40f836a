"""What ``products.cpp`` computes, to the last bit; slow, for tests."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64, U8
from roadmask.stream.products.free_distance import COLUMN
from roadmask.stream.products.geometry import CameraGeometry, End

FLAT = 1
_RADIANS = math.pi / 180


class Edges(NamedTuple):
    """Where the rows' lower edges meet the road, each ``(H + 1, W)``; NaN: nowhere."""

    forward_m: F64
    low_m: F64
    high_m: F64
    inside: npt.NDArray[np.bool_]


def turning_point(k1: float, k2: float) -> float:
    """The squared radius from which the distortion has two answers."""
    if k2 == 0:
        return -1 / (3 * k1) if k1 < 0 else math.inf
    root = 9 * k1 * k1 - 20 * k2
    if root < 0:
        return math.inf
    ends = [(-3 * k1 + sign * math.sqrt(root)) / (10 * k2) for sign in (-1, 1)]
    return min((end for end in ends if end > 0), default=math.inf)


def straightened(radius: F64, k1: float, k2: float) -> F64:
    """Factor from a distorted radius to the true one, NaN where there is none."""
    r = radius
    for _ in range(12):
        u = r * r
        r = r - (r * (1 + u * (k1 + u * k2)) - radius) / (1 + u * (3 * k1 + u * (5 * k2)))
    u = r * r
    miss = r * (1 + u * (k1 + u * k2)) - radius
    good = (r >= 0) & (u < turning_point(k1, k2)) & (np.abs(miss) <= 1e-9)
    factor = np.where(radius > 0, r / radius, 1.0)
    return np.where(good, factor, np.nan)


def edges(
    geometry: CameraGeometry, transform: tuple[float, ...], size: tuple[int, int], corridor_m: float
) -> Edges:
    """The road under a mask of ``size`` (width, height)."""
    g, (scale_x, scale_y, offset_x, offset_y) = geometry, transform[2:]
    x_px = scale_x * np.arange(size[0], dtype=np.float64) + offset_x
    y_px = scale_y * (np.arange(size[1] + 1, dtype=np.float64) - 0.5) + offset_y
    xd, yd = np.meshgrid((x_px - g.cx) / g.fx, (y_px - g.cy) / g.fy)
    factor = straightened(np.sqrt(xd * xd + yd * yd), g.k1, g.k2)
    roll, yaw = g.roll_deg * _RADIANS, g.yaw_deg * _RADIANS
    x, y = xd * factor, yd * factor
    x1 = math.cos(roll) * x - math.sin(roll) * y
    y1 = math.sin(roll) * x + math.cos(roll) * y

    def ground(pitch_deg: float) -> tuple[F64, F64, F64]:
        pitch = pitch_deg * _RADIANS
        down = math.cos(pitch) * y1 + math.sin(pitch)
        z2 = math.cos(pitch) - math.sin(pitch) * y1
        depth = np.where(down > 0, g.height_m / down, np.nan)
        right = depth * (math.cos(yaw) * x1 + math.sin(yaw) * z2)
        z = depth * (math.cos(yaw) * z2 - math.sin(yaw) * x1)
        return np.where(z > 0, z, np.nan), right, depth

    forward, right, depth = ground(g.pitch_deg)
    inside = np.abs(right) <= corridor_m / 2 + depth * (scale_x / g.fx) / 2
    low = ground(g.pitch_deg + g.pitch_uncertainty_deg)[0]
    high = ground(g.pitch_deg - g.pitch_uncertainty_deg)[0]
    return Edges(forward, low, high, inside)


def free_distance(
    pixels: U8,
    geometry: CameraGeometry,
    transform: tuple[float, ...],
    farthest_m: float,
    corridor_m: float,
) -> npt.NDArray[np.void]:
    """The columns' records ``(W,)`` for a geometry and a transform without a fault."""
    height, width = pixels.shape
    columns = np.zeros(width, COLUMN)
    with np.errstate(all="ignore"):
        road = edges(geometry, transform, (width, height), corridor_m)
    for c in range(width):
        forward, low, high, inside = road
        one = Edges(forward[:, c], low[:, c], high[:, c], inside[:, c])
        columns[c] = _column(pixels[:, c], one, farthest_m)
    return columns


def _column(ids: U8, road: Edges, farthest_m: float) -> tuple[float, float, float, int, int]:
    seen = False
    row = len(ids) - 1
    while row >= 0 and road.forward_m[row + 1] <= farthest_m:
        if road.inside[row + 1]:
            if ids[row] != FLAT:
                found = _record(road, row, farthest_m)
                if not seen:
                    return 0.0, 0.0, found[2], int(ids[row]), int(End.NEAR)
                return (*found, int(ids[row]), int(End.OBSTACLE))
            seen = True
        elif seen:
            return (*_record(road, row, farthest_m), FLAT, int(End.CORRIDOR))
        row -= 1
    if not seen:
        return math.nan, math.nan, math.nan, 0, int(End.NOT_SEEN)
    if math.isnan(road.forward_m[row + 1]):
        return (*_record(road, row + 1, farthest_m), FLAT, int(End.HORIZON))
    end = End.RANGE if road.forward_m[row + 1] > farthest_m else End.PICTURE
    return (*_record(road, row, farthest_m), FLAT, int(end))


def _record(road: Edges, row: int, farthest_m: float) -> tuple[float, float, float]:
    low = float(road.low_m[min(row + 2, len(road.low_m) - 1)])
    high = float(road.high_m[row]) if row >= 0 else math.nan
    distance = min(float(road.forward_m[row + 1]), farthest_m)
    return (
        distance,
        0.0 if math.isnan(low) else min(low, distance),
        math.inf if math.isnan(high) else max(high, distance),
    )
