"""The plane that everything is painted on, and the camera that says where.

Colour and label share one BGRA plane: the fourth byte is a *slot*, so that a polygon, a sprite or a
textured wall can never put its colour on one pixel and its label on another. Slots under 64 are
Cityscapes label ids; each thing that has an instance takes one of the slots from 64 up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64, U8

Color = tuple[float, float, float]
Point = tuple[float, float]

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE = 7, 8, 11, 12, 13, 17
LIGHT, SIGN, VEGETATION, TERRAIN, SKY = 19, 20, 21, 22, 23
PERSON, RIDER, CAR, TRUCK, BUS, MOTORCYCLE, BICYCLE = 24, 25, 26, 27, 28, 32, 33

FIRST_INSTANCE_SLOT = 64
# From this value up a channel shines by itself: the dusk tone curve leaves it bright.
GLOW = 246
WHITE_MAX = 239  # the brightest value of a surface that only reflects
_SHIFT = 3  # fractional bits of polygon coordinates
_LIMIT = 16000.0


@dataclass(frozen=True)
class Curve:
    """The centre line: its sideways shift in metres as a sum of sines of the distance driven."""

    terms: tuple[tuple[float, float, float], ...]  # amplitude m, wavelength / 2 pi m, phase

    def at(self, s: F64) -> F64:
        """Shift in metres at each position."""
        out = np.zeros_like(s)
        for amplitude, length, phase in self.terms:
            out += amplitude * np.sin(s / length + phase)
        return out

    def value(self, s: float) -> float:
        """Shift in metres at one position."""
        return sum(a * math.sin(s / n + p) for a, n, p in self.terms)

    def slope(self, s: float) -> float:
        """Metres sideways per metre along."""
        return sum(a / n * math.cos(s / n + p) for a, n, p in self.terms)


class Camera:
    """A pinhole camera on the street.

    Street coordinates are metres: ``s`` along, ``d`` to the right of the centre line, ``h`` up.
    """

    def __init__(
        self,
        size: tuple[int, int],
        focal_px: float,
        horizon_px: float,
        height_m: float,
        s: float,
        d: float,
        curve: Curve,
    ) -> None:
        (self.width, self.height), self.focal_px = size, focal_px
        self.horizon_px, self.height_m, self.s, self.d, self.curve = (
            horizon_px, height_m, s, d, curve,
        )  # fmt: skip
        self.middle_px = (self.width - 1) / 2
        self.turn = curve.slope(s)
        # The bend once a metre; between, a line is right to less than a millimetre.
        self._first = s - 8.0
        at = self._first + np.arange(300.0)
        self._bend = curve.at(at) - curve.value(s) - self.turn * (at - s) - d
        self._bends: list[float] = self._bend.tolist()

    def lateral(self, s: F64) -> F64:
        """How far the street at ``s`` lies right of the camera's line of sight, metres."""
        return np.interp(s - self._first, np.arange(300.0), self._bend)

    def lateral_at(self, s: float) -> float:
        """``lateral`` of one position."""
        at = min(max(s - self._first, 0.0), 298.0)
        i = int(at)
        a = self._bends[i]
        return a + (self._bends[i + 1] - a) * (at - i)

    def heading(self, s: float) -> float:
        """Angle of the street at ``s`` against the line of sight, radians."""
        return self.curve.slope(s) - self.turn

    def point(self, s: float, d: float, h: float) -> Point:
        """Pixel coordinates of one position; plain numbers are quicker than small arrays."""
        scale = self.focal_px / max(s - self.s, 0.7)
        return (
            self.middle_px + (d + self.lateral_at(s)) * scale,
            self.horizon_px + (self.height_m - h) * scale,
        )

    def project(self, s: F64, d: F64, h: F64 | float) -> F64:
        """Pixel coordinates ``(..., 2)``; what lies behind is drawn from the near plane."""
        scale = self.focal_px / np.maximum(s - self.s, 0.7)
        out = np.empty((*s.shape, 2))
        out[..., 0] = self.middle_px + (d + self.lateral(s)) * scale
        out[..., 1] = self.horizon_px + (self.height_m - h) * scale
        return out

    def project_local(self, x: F64, z: F64, h: F64) -> F64:
        """As ``project`` for camera coordinates: ``x`` right, ``z`` ahead, ``h`` up, metres."""
        scale = self.focal_px / np.maximum(z, 0.7)
        out = np.empty((*x.shape, 2))
        out[..., 0] = self.middle_px + x * scale
        out[..., 1] = self.horizon_px + (self.height_m - h) * scale
        return out


def fixed_point(points: npt.NDArray[np.floating[Any]] | Sequence[Point]) -> npt.NDArray[np.int32]:
    """Pixel coordinates as OpenCV's fractional integers, kept within its range."""
    a = np.asarray(points, np.float64)
    return (a.clip(-_LIMIT, _LIMIT) * (1 << _SHIFT)).astype(np.int32)


class Canvas:
    """A frame being painted."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.plane: U8 = np.zeros((height, width, 4), np.uint8)
        self._scratch: U8 = np.zeros((height, width, 4), np.uint8)
        self._mask: U8 = np.zeros((height, width), np.uint8)
        self.slot_labels: list[int] = []

    def begin(self) -> None:
        """Forget the instances of the last frame."""
        self.slot_labels = []

    def instance(self, label: int) -> int:
        """A fresh slot for one thing of class ``label``."""
        if len(self.slot_labels) < 256 - FIRST_INSTANCE_SLOT:
            self.slot_labels.append(label)
            return FIRST_INSTANCE_SLOT + len(self.slot_labels) - 1
        # Full: share the newest slot of the class, or fall back to the class without instance.
        for i in range(len(self.slot_labels) - 1, -1, -1):
            if self.slot_labels[i] == label:
                return FIRST_INSTANCE_SLOT + i
        return label

    def polygons(self, points: F64, colors: Sequence[Sequence[float]], slot: int) -> None:
        """Fill convex polygons ``(N, K, 2)`` px; shorter ones repeat their last point."""
        fixed = fixed_point(points)
        for polygon, color in zip(fixed, colors, strict=True):
            cv2.fillConvexPoly(
                self.plane, polygon, (color[0], color[1], color[2], slot), cv2.LINE_8, _SHIFT
            )

    def polygon(self, points: F64 | Sequence[Point], color: Sequence[float], slot: int) -> None:
        """Fill one polygon ``(K, 2)`` px of any shape."""
        fixed = fixed_point(points)
        cv2.fillPoly(self.plane, [fixed], (color[0], color[1], color[2], slot), cv2.LINE_8, _SHIFT)

    def lines(
        self,
        points: F64 | Sequence[Point],
        color: Sequence[float],
        slot: int,
        px: float,
        closed: bool = False,
    ) -> None:
        """Draw a line through ``(K, 2)`` px, at least one pixel wide."""
        fixed = fixed_point(points)
        cv2.polylines(
            self.plane,
            [fixed],
            closed,
            (color[0], color[1], color[2], slot),
            max(1, round(px)),
            cv2.LINE_8,
            _SHIFT,
        )

    def _bounds(self, points: F64) -> tuple[int, int, int, int] | None:
        (x0, y0), (x1, y1) = points.min(0), points.max(0)
        left, top = max(int(x0), 0), max(int(y0), 0)
        right, bottom = min(int(x1) + 2, self.width), min(int(y1) + 2, self.height)
        return (left, top, right, bottom) if right > left and bottom > top else None

    def quad(self, corners: F64, texture: U8, source: F64, smooth: bool) -> None:
        """Paint the part ``source`` ``(4, 2)`` of a texture on the convex quad ``corners``.

        The texture's fourth channel is one slot all over. ``smooth`` interpolates, which only
        enlarged textures need.
        """
        box = self._bounds(corners)
        if box is None:
            return
        left, top, right, bottom = box
        shape = (bottom - top, right - left)
        offset = np.array((left, top), np.float64)
        local = (corners - offset).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(local, source.astype(np.float32))
        patch = self._scratch.reshape(-1)[: shape[0] * shape[1] * 4].reshape(*shape, 4)
        mask = self._mask.reshape(-1)[: shape[0] * shape[1]].reshape(shape)
        cv2.warpPerspective(
            texture,
            matrix,
            (shape[1], shape[0]),
            patch,
            (cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP,
            cv2.BORDER_REPLICATE,
        )
        mask[:] = 0
        fixed = fixed_point(local)
        cv2.fillConvexPoly(mask, fixed, (255,), cv2.LINE_8, _SHIFT)
        cv2.copyTo(patch, mask, self.plane[top:bottom, left:right])

    def sprite(self, x: float, y: float, w: float, h: float, image: U8, slot: int) -> None:
        """Paint a BGRA sprite, fourth byte > 127 where it is solid, into a box given in px."""
        left, top, right, bottom = round(x), round(y), round(x + w), round(y + h)
        if right - left < 2 or bottom - top < 2 or right <= 0 or bottom <= 0:
            return
        if left >= self.width or top >= self.height:
            return
        # Only the part inside the frame is resized: near crowns are larger than the picture.
        fx, fy = image.shape[1] / (right - left), image.shape[0] / (bottom - top)
        cl, ct = max(left, 0), max(top, 0)
        cr, cb = min(right, self.width), min(bottom, self.height)
        matrix = np.array(
            ((fx, 0, (cl - left + 0.5) * fx - 0.5), (0, fy, (ct - top + 0.5) * fy - 0.5))
        )
        size = (cr - cl, cb - ct)
        patch = self._scratch.reshape(-1)[: size[0] * size[1] * 4].reshape(size[1], size[0], 4)
        mask = self._mask.reshape(-1)[: size[0] * size[1]].reshape(size[1], size[0])
        cv2.warpAffine(
            image,
            matrix,
            size,
            patch,
            (cv2.INTER_LINEAR if fx < 0.8 else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP,
            cv2.BORDER_CONSTANT,
            (0, 0, 0, 0),
        )
        cv2.extractChannel(patch, 3, mask)
        cv2.threshold(mask, 127, 255, cv2.THRESH_BINARY, mask)
        cv2.insertChannel(cv2.threshold(mask, 0, slot, cv2.THRESH_BINARY)[1], patch, 3)
        cv2.copyTo(patch, mask, self.plane[ct:cb, cl:cr])
