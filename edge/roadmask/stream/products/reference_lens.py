"""What ``edge/cpp/src/lens.cpp`` computes: pixels to rays and back."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from roadmask.arrays import F64
from roadmask.stream.camera_geometry import FISHEYE, CameraGeometry

_NEWTON_STEPS = 12
_DOMAIN_STEPS = 1024
_WIDEST = {True: 1.75, False: 16.0}  # the angle of a fisheye, the radius of a pinhole
_MISS = 1e-9


class Lens:
    """One camera's lens."""

    def __init__(self, geometry: CameraGeometry) -> None:
        g = self._g = geometry
        self._is_fisheye = g.lens == FISHEYE
        self._straight = not self._is_fisheye and not any((g.k1, g.k2, g.k3, g.p1, g.p2))
        self._domain = self._end_of_domain()

    def ray(self, x_px: F64, y_px: F64) -> tuple[F64, F64, F64]:
        """Camera frame: x right, y down, z ahead; NaN: nothing is seen there."""
        g = self._g
        xd, yd = (x_px - g.cx) / g.fx, (y_px - g.cy) / g.fy
        if self._straight:
            return xd, yd, np.ones_like(xd)
        return self._fisheye(xd, yd) if self._is_fisheye else self._pinhole(xd, yd)

    def spot(self, x: float, y: float, z: float) -> tuple[float, float]:
        """The pixel of a point; NaN: not in any picture."""
        g, xd, yd = self._g, math.nan, math.nan
        if self._is_fisheye:
            away = math.sqrt(x * x + y * y)
            angle = math.atan2(away, z)
            u = angle * angle
            seen = angle * (1 + u * (g.k1 + u * (g.k2 + u * (g.k3 + u * g.k4))))
            factor = seen / away if away > 0 else 0.0
            if angle < self._domain:
                xd, yd = x * factor, y * factor
        elif z > 0:
            xn, yn = x / z, y / z
            u = xn * xn + yn * yn
            radial = 1 + u * (g.k1 + u * (g.k2 + u * g.k3))
            if self._straight or u < self._domain * self._domain:
                xd = xn * radial + 2 * g.p1 * xn * yn + g.p2 * (u + 2 * xn * xn)
                yd = yn * radial + g.p1 * (u + 2 * yn * yn) + 2 * g.p2 * xn * yn
        return g.cx + g.fx * xd, g.cy + g.fy * yd

    def _slope(self, at: F64 | float) -> F64 | float:
        g, u = self._g, at * at
        if self._is_fisheye:
            return 1 + u * (3 * g.k1 + u * (5 * g.k2 + u * (7 * g.k3 + u * (9 * g.k4))))
        return 1 + u * (3 * g.k1 + u * (5 * g.k2 + u * (7 * g.k3)))

    def _end_of_domain(self) -> float:
        widest = _WIDEST[self._is_fisheye]
        for i in range(1, _DOMAIN_STEPS + 1):
            if self._slope(widest * i / _DOMAIN_STEPS) > 0:
                continue
            low, high = widest * (i - 1) / _DOMAIN_STEPS, widest * i / _DOMAIN_STEPS
            for _ in range(40):
                middle = (low + high) / 2
                if self._slope(middle) > 0:
                    low = middle
                else:
                    high = middle
            return low
        return widest

    def _pinhole(self, xd: F64, yd: F64) -> tuple[F64, F64, F64]:
        g, x, y = self._g, xd, yd
        for i in range(_NEWTON_STEPS + 1):
            u = x * x + y * y
            radial = 1 + u * (g.k1 + u * (g.k2 + u * g.k3))
            steep = g.k1 + u * (2 * g.k2 + u * (3 * g.k3))
            ex = x * radial + 2 * g.p1 * x * y + g.p2 * (u + 2 * x * x) - xd
            ey = y * radial + g.p1 * (u + 2 * y * y) + 2 * g.p2 * x * y - yd
            a = radial + 2 * x * x * steep + 2 * g.p1 * y + 6 * g.p2 * x
            b = 2 * x * y * steep + 2 * g.p1 * x + 2 * g.p2 * y
            d = radial + 2 * y * y * steep + 6 * g.p1 * y + 2 * g.p2 * x
            determinant = a * d - b * b
            if i < _NEWTON_STEPS:
                x, y = x - (d * ex - b * ey) / determinant, y - (a * ey - b * ex) / determinant
        good = (u < self._domain * self._domain) & (determinant > 0)
        good &= (np.abs(ex) <= _MISS) & (np.abs(ey) <= _MISS)
        return np.where(good, x, np.nan), np.where(good, y, np.nan), np.where(good, 1.0, np.nan)

    def _fisheye(self, xd: F64, yd: F64) -> tuple[F64, F64, F64]:
        g = self._g
        seen = np.sqrt(xd * xd + yd * yd)
        angle = seen
        for i in range(_NEWTON_STEPS + 1):
            u = angle * angle
            miss = angle * (1 + u * (g.k1 + u * (g.k2 + u * (g.k3 + u * g.k4)))) - seen
            if i < _NEWTON_STEPS:
                angle = angle - miss / self._slope(angle)
        good = (angle >= 0) & (angle < self._domain) & (np.abs(miss) <= _MISS)
        angle = np.where(good, angle, np.nan)
        factor = np.where(seen > 0, _each(math.sin, angle) / seen, 1.0)
        lost = np.where(good, 0.0, np.nan)
        return xd * factor + lost, yd * factor + lost, _each(math.cos, angle)


def _each(function: Callable[[float], float], values: F64) -> F64:
    # NumPy's own sine is another one on some processors, in the last bit.
    return np.array([function(v) for v in values.ravel().tolist()]).reshape(values.shape)
