"""Pitch from a straight drive: all that stands still moves away from one point on the horizon."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from roadmask.arrays import F64
from roadmask.errors import DataError
from roadmask.sources import Frame
from roadmask.stream.camera_geometry import FISHEYE, CameraGeometry

_APART = 2  # frames between the two of a pair
_POINTS, _FEWEST_POINTS, _FEWEST_PAIRS = 400, 40, 60
_TOGETHER = 30  # pairs of one median: a single one is off by whole degrees when the body nods
_LEAST_PX, _MOST_PX = 1.5, 80.0
_TRIES, _ROUNDS = 60, 10
_NEAR = 0.004  # of a line to the point, in units of the focal length


@dataclass(frozen=True)
class Horizon:
    """Where the drive went, as the camera sees it.

    Attributes:
        pitch_deg, yaw_deg: medians over the drive.
        pitch_uncertainty_deg: 95 of 100 medians over 30 pairs lie within: the body's nodding and
            what a nod adds to the picture's motion.
        pairs: pairs of frames that told a direction.
        frames: how many pictures were looked at.
    """

    pitch_deg: float
    yaw_deg: float
    pitch_uncertainty_deg: float
    pairs: int
    frames: int


def find_horizon(frames: Iterable[Frame], geometry: CameraGeometry) -> Horizon:
    """The camera's pitch and yaw against the direction of travel.

    Args:
        frames: of a straight drive on a level road, faster than walking.
        geometry: the lens; its angles are not looked at. It has no roll.

    Raises:
        DataError: other sizes than the lens is for, or too few pairs that agree on a direction.
    """
    dice = np.random.default_rng(1)
    before: list[Any] = []
    found: list[tuple[float, float]] = []
    count = 0
    for count, frame in enumerate(frames, 1):
        height, width = frame.image.shape[:2]
        if (width, height) != (geometry.width, geometry.height):
            raise DataError(
                f"picture {count} is {width}x{height} px; the camera file is for "
                f"{geometry.width:g}x{geometry.height:g}"
            )
        grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        if len(before) == _APART:
            lines = _lines(before.pop(0), grey, geometry)
            point = _meeting_point(*lines, dice) if lines is not None else None
            if point is not None:
                found.append(point)
        before.append(grey)
    if len(found) < _FEWEST_PAIRS:
        raise DataError(
            f"{len(found)} of {count} pictures tell where the vehicle goes; expected "
            f"{_FEWEST_PAIRS} or more: a straight drive past things with an outline"
        )
    angles = np.degrees(np.arctan(-np.array(found)))
    yaw, pitch = np.median(angles, 0).tolist()
    medians = [np.median(angles[i : i + _TOGETHER, 1]) for i in range(len(angles) - _TOGETHER + 1)]
    spread = float(np.percentile(np.abs(np.array(medians) - pitch), 95))
    return Horizon(pitch, yaw, spread, len(found), count)


def _lines(first: Any, second: Any, geometry: CameraGeometry) -> tuple[F64, F64] | None:
    """Points ``(N, 2)`` in units of the focal length, and unit normals of where they move."""
    corners = cv2.goodFeaturesToTrack(first, _POINTS, 0.01, 8)
    if corners is None or len(corners) < _FEWEST_POINTS:
        return None
    flow: Any = cv2.calcOpticalFlowPyrLK  # whose last array may be None, says its manual
    moved, whole, _ = flow(first, second, corners, None)
    length = np.linalg.norm((moved - corners).reshape(-1, 2), axis=1)
    kept = (whole.ravel() == 1) & (length > _LEAST_PX) & (length < _MOST_PX)
    if kept.sum() < _FEWEST_POINTS:
        return None
    start, end = (_straight(points[kept], geometry) for points in (corners, moved))
    along = end - start
    normals = np.stack((-along[:, 1], along[:, 0]), 1)
    return start, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _straight(points: Any, g: CameraGeometry) -> F64:
    matrix: Any = np.array(((g.fx, 0, g.cx), (0, g.fy, g.cy), (0, 0, 1.0)))
    if g.lens == FISHEYE:
        four = np.array((g.k1, g.k2, g.k3, g.k4))
        straight: Any = cv2.fisheye.undistortPoints(points, matrix, four)
        return np.asarray(straight, np.float64).reshape(-1, 2)
    k: Any = np.array((g.k1, g.k2, g.p1, g.p2, g.k3))
    return np.asarray(cv2.undistortPoints(points, matrix, k), np.float64).reshape(-1, 2)


def _meeting_point(
    start: F64, normals: F64, dice: np.random.Generator
) -> tuple[float, float] | None:
    """Where most of the lines meet; None if too few do."""
    offsets = (normals * start).sum(1)
    best, most = None, 0
    for _ in range(_TRIES):
        pair = dice.choice(len(start), 2, replace=False)
        if abs(np.linalg.det(normals[pair])) < 0.05:
            continue
        point = np.linalg.solve(normals[pair], offsets[pair])
        near = int((np.abs(normals @ point - offsets) < _NEAR).sum())
        if near > most:
            best, most = point, near
    if best is None or most < _FEWEST_POINTS // 2:
        return None
    for _ in range(_ROUNDS):
        near_enough = np.abs(normals @ best - offsets) < _NEAR
        if near_enough.sum() < _FEWEST_POINTS // 2:
            return None
        best = np.linalg.lstsq(normals[near_enough], offsets[near_enough], rcond=None)[0]
    x, y = best.tolist()
    return (x, y) if math.hypot(x, y) < 1 else None
