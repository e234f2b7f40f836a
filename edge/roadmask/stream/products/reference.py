"""What the kernels of ``edge/cpp/src`` compute, to the last bit; slow, for tests.

Sines, cosines and arc tangents are the standard library's, which are the kernels'.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64, U8
from roadmask.stream.products.free_distance import COLUMN
from roadmask.stream.products.geometry import CameraGeometry, End
from roadmask.stream.products.reference_lens import Lens

FLAT = 1
_RADIANS = math.pi / 180
_RANK = (0, 0, 3, 4, 2, 1, 6, 5)


class Ground(NamedTuple):
    """Where the rows' lower edges meet the road, each ``(H + 1, W)``; NaN: nowhere."""

    forward_m: F64
    right_m: F64
    nearer: F64
    farther: F64
    half_pixel_m: F64
    own: npt.NDArray[np.bool_]  # (H, W): one's own vehicle


class Road:
    """The geometry with its angles worked out; a pitch is (sine, cosine)."""

    def __init__(self, geometry: CameraGeometry) -> None:
        g = self.geometry = geometry
        self.lens = Lens(g)
        self.roll, self.yaw = turn(g.roll_deg), turn(g.yaw_deg)
        self.pitches = [
            turn(g.pitch_deg + off * g.pitch_uncertainty_deg) for off in (0.0, 1.0, -1.0)
        ]

    def meet(self, ray: tuple[F64, F64, F64], pitch: tuple[float, float]) -> tuple[F64, F64, F64]:
        """Forward, right and depth where rays meet the road."""
        (x, y, z), (sine, cosine) = ray, pitch
        x1 = self.roll[1] * x - self.roll[0] * y
        y1 = self.roll[0] * x + self.roll[1] * y
        down = cosine * y1 + sine * z
        z2 = cosine * z - sine * y1
        depth = np.where(down > 0, self.geometry.height_m / down, np.nan)
        right = depth * (self.yaw[1] * x1 + self.yaw[0] * z2)
        ahead = depth * (self.yaw[1] * z2 - self.yaw[0] * x1)
        return np.where(ahead > 0, ahead, np.nan), right, depth

    def spot(self, forward: float, right: float, pitch: tuple[float, float]) -> tuple[float, float]:
        """Pixel of a point on the road."""
        (sine, cosine), height = pitch, self.geometry.height_m
        x1 = self.yaw[1] * right - self.yaw[0] * forward
        z2 = self.yaw[0] * right + self.yaw[1] * forward
        y1 = cosine * height - sine * z2
        z = sine * height + cosine * z2
        x = self.roll[1] * x1 + self.roll[0] * y1
        return self.lens.spot(x, self.roll[1] * y1 - self.roll[0] * x1, z)


def turn(deg: float) -> tuple[float, float]:
    """Sine and cosine."""
    return math.sin(deg * _RADIANS), math.cos(deg * _RADIANS)


def ground(geometry: CameraGeometry, transform: tuple[float, ...], size: tuple[int, int]) -> Ground:
    """The road under a mask of ``size`` (width, height)."""
    g, (scale_x, scale_y, offset_x, offset_y) = geometry, transform[2:]
    x_px = scale_x * np.arange(size[0], dtype=np.float64) + offset_x
    rows = np.arange(size[1] + 1, dtype=np.float64)
    y_px = scale_y * (rows - 0.5) + offset_y
    road = Road(g)
    ray = road.lens.ray(*np.meshgrid(x_px, y_px))
    forward, right, depth = road.meet(ray, road.pitches[0])
    nearer, farther = (road.meet(ray, pitch)[0] / forward for pitch in road.pitches[1:])
    half_pixel = depth * (scale_x / g.fx) / 2
    middles = scale_y * (rows[1:] - 1.0) + offset_y
    own = np.zeros((size[1], size[0]), np.bool_)
    if len(g.ego) >= 3:
        own = np.array([[_within(g.ego, x, y) for x in x_px.tolist()] for y in middles.tolist()])
    own &= ~np.isnan(forward[1:])
    return Ground(forward, right, nearer, farther, half_pixel, own)


def free_distance(
    pixels: U8,
    geometry: CameraGeometry,
    transform: tuple[float, ...],
    farthest_m: float,
    corridor_m: float,
    heading_deg: float = 0.0,
) -> npt.NDArray[np.void]:
    """The columns' records ``(W,)`` for a geometry and a transform without a fault."""
    height, width = pixels.shape
    columns = np.zeros(width, COLUMN)
    sine, cosine = turn(heading_deg)
    with np.errstate(all="ignore"):
        road = ground(geometry, transform, (width, height))
        along = road.forward_m * cosine + road.right_m * sine
        across = road.right_m * cosine - road.forward_m * sine
        least = np.abs(across) * np.minimum(road.nearer, 1.0)
        inside = least <= corridor_m / 2 + road.half_pixel_m
        low, high = along * road.nearer, along * road.farther
    for c in range(width):
        one = _Column(along[:, c], low[:, c], high[:, c], inside[:, c], road.own[:, c])
        columns[c] = one.measure(pixels[:, c], farthest_m)
    return columns


class _Column(NamedTuple):
    along: F64
    low: F64
    high: F64
    inside: npt.NDArray[np.bool_]
    own: npt.NDArray[np.bool_]

    def measure(self, ids: U8, farthest_m: float) -> tuple[float, float, float, int, int]:
        seen = False
        row = len(ids) - 1
        while row >= 0 and self.along[row + 1] <= farthest_m:
            if self.inside[row + 1] and (seen or not self.own[row]):
                if ids[row] != FLAT and not self.own[row]:
                    found = self._record(row, farthest_m)
                    if not seen:
                        return 0.0, 0.0, found[2], int(ids[row]), int(End.NEAR)
                    return (*found, int(ids[row]), int(End.OBSTACLE))
                seen = True
            elif seen:
                return (*self._record(row, farthest_m), FLAT, int(End.CORRIDOR))
            row -= 1
        if not seen:
            return math.nan, math.nan, math.nan, 0, int(End.NOT_SEEN)
        if math.isnan(self.along[row + 1]):
            return (*self._record(row + 1, farthest_m), FLAT, int(End.HORIZON))
        end = End.RANGE if self.along[row + 1] > farthest_m else End.PICTURE
        return (*self._record(row, farthest_m), FLAT, int(end))

    def _record(self, row: int, farthest_m: float) -> tuple[float, float, float]:
        low = float(self.low[min(row + 2, len(self.low) - 1)])
        high = float(self.high[row]) if row >= 0 else math.nan
        distance = min(float(self.along[row + 1]), farthest_m)
        return (
            distance,
            0.0 if math.isnan(low) else min(low, distance),
            math.inf if math.isnan(high) else max(high, distance),
        )


def occupancy(
    pixels: U8,
    geometry: CameraGeometry,
    transform: tuple[float, ...],
    cell_m: float,
    ahead_m: float,
    aside_m: float,
) -> U8:
    """The grid ``(rows, columns)`` for a geometry and a transform without a fault."""
    height, width = pixels.shape
    with np.errstate(all="ignore"):
        under = ground(geometry, transform, (width, height))
    road = Road(geometry)
    seen = ~np.isnan(under.forward_m[1:])
    bottoms, hits, what = [], [], []
    for c in range(width):
        others = np.flatnonzero(~under.own[:, c])
        bottoms.append(int(others[-1]) if len(others) else -1)
        ends = (pixels[:, c] != FLAT) & seen[:, c] & ~under.own[:, c]
        rows = np.flatnonzero(ends)
        hits.append(int(rows[-1]) if len(rows) else -1)
        id_ = int(pixels[rows[-1], c]) if len(rows) else FLAT
        what.append(0 if id_ > 7 else id_)
    grid = np.zeros((math.ceil(ahead_m / cell_m), math.ceil(2 * aside_m / cell_m)), np.uint8)
    for row in range(grid.shape[0]):
        for column in range(grid.shape[1]):
            box = _box(road, transform, (width, height), (row, column), cell_m, aside_m)
            if box is None:
                continue
            left, right, top, bottom = box
            span = range(left, right + 1)
            free = all(hits[c] < top and bottoms[c] >= bottom for c in span)
            standing = [what[c] for c in span if top <= hits[c] <= bottom]
            best = max(standing, key=lambda id_: _RANK[id_], default=0)
            grid[row, column] = FLAT if free else best
    return grid


def _box(
    road: Road,
    transform: tuple[float, ...],
    size: tuple[int, int],
    cell: tuple[int, int],
    cell_m: float,
    aside_m: float,
) -> tuple[int, int, int, int] | None:
    scale_x, scale_y, offset_x, offset_y = transform[2:]
    xs, ys = [], []
    for corner in range(4):
        forward = (cell[0] + corner // 2) * cell_m
        aside = (cell[1] + corner % 2) * cell_m - aside_m
        for pitch in road.pitches:
            x_px, y_px = road.spot(forward, aside, pitch)
            xs.append((x_px - offset_x) / scale_x + 0.5)
            ys.append((y_px - offset_y) / scale_y + 0.5)
            if not (0 <= xs[-1] < size[0] and 0 <= ys[-1] < size[1]):
                return None
    return int(min(xs)), int(max(xs)), int(min(ys)), int(max(ys))


def _within(corners: tuple[tuple[int, int], ...], x: float, y: float) -> bool:
    odd, before = False, corners[-1]
    for corner in corners:
        (xi, yi), (xj, yj) = corner, before
        if (yi > y) != (yj > y) and x < (xj - xi) * (y - yi) / (yj - yi) + xi:
            odd = not odd
        before = corner
    return odd
