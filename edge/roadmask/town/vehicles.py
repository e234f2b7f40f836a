"""Cars, vans, trucks and buses as meshes of convex faces, seen in true perspective.

Local axes, metres: x right, y forward, z up. Faces are listed so that, with those turned away
left out, later ones lie in front: body, cabin, glass, wheels, lamps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from roadmask.arrays import F64
from roadmask.town.canvas import BUS, CAR, GLOW, TRUCK, Camera, Canvas
from roadmask.town.things import Vehicle

BODY, GLASS, TYRE, HUB, HEAD, TAIL, TRIM, PLATE, WHITE, GLOSS, SKIRT = range(11)
_K = 8  # points per face
_Points = list[tuple[float, float, float]]


@dataclass
class Mesh:
    """Faces of one kind of vehicle; see ``vehicles.mesh``."""

    points: list[tuple[float, float, float]] = field(default_factory=list)
    material: list[int] = field(default_factory=list)
    detail: list[bool] = field(default_factory=list)

    def face(self, points: _Points, material: int, detail: bool = False) -> None:
        """Add a convex face, counter-clockwise seen from outside."""
        self.points += points + [points[-1]] * (_K - len(points))
        self.material.append(material)
        self.detail.append(detail)


@dataclass(frozen=True)
class Solid:
    """A finished mesh as arrays."""

    points: F64  # (F, K, 3)
    normals: F64  # (F, 3)
    material: np.ndarray  # (F,)
    detail: np.ndarray  # (F,) small parts, left out far away
    length: float
    label: int


def _prism(
    m: Mesh, profile: list[tuple[float, float]], w0: float, w1: float, mats: list[int]
) -> None:
    """Extrude a convex side profile of (y, z), counter-clockwise seen from the right (-x to +x).

    Half width falls from ``w0`` at the lowest point to ``w1`` at the highest.
    """
    lo, hi = min(z for _, z in profile), max(z for _, z in profile)

    def half(z: float) -> float:
        return w0 + (w1 - w0) * (z - lo) / (hi - lo)

    n = len(profile)
    for i in range(n):
        (ya, za), (yb, zb) = profile[i], profile[(i + 1) % n]
        a, b = half(za), half(zb)
        m.face([(a, ya, za), (-a, ya, za), (-b, yb, zb), (b, yb, zb)], mats[i])
    m.face([(half(z), y, z) for y, z in profile], mats[n])
    m.face([(-half(z), y, z) for y, z in reversed(profile)], mats[n])


def _side_panel(
    m: Mesh, x0: float, x1: float, pts: list[tuple[float, float]], mat: int, detail: bool = False
) -> None:
    """A flat part on both sides; x runs from ``x0`` at its lowest point to ``x1`` at its top."""
    lo, hi = min(z for _, z in pts), max(z for _, z in pts)

    def half(z: float) -> float:
        return x0 + (x1 - x0) * (z - lo) / max(hi - lo, 1e-6) + 0.01

    m.face([(half(z), y, z) for y, z in pts], mat, detail)
    m.face([(-half(z), y, z) for y, z in reversed(pts)], mat, detail)


def _wheels(m: Mesh, x: float, ys: tuple[float, ...], radius: float, arch: int = SKIRT) -> None:
    for y in ys:
        top = radius * 0.6
        for side in (-1, 1):  # the tread, seen from the front and from behind
            o, i = side * x, side * (x - 0.22)
            a, b = max(o, i), min(o, i)
            for yy, f in ((y - radius * 0.5, 1), (y + radius * 0.5, -1)):
                quad = [(b, yy, 0.0), (a, yy, 0.0), (a, yy, top), (b, yy, top)]
                m.face(quad if f > 0 else quad[::-1], TYRE)
        for r, mat, out in (
            (radius * 1.13, arch, 0.0),
            (radius, TYRE, 0.01),
            (radius * 0.62, HUB, 0.02),
        ):
            ring = [
                (y + r * math.cos(a), max(radius + r * math.sin(a), 0.0))
                for a in (k * math.pi / 4 + math.pi / 8 for k in range(8))
            ]
            _side_panel(m, x + out, x + out, ring, mat, mat == HUB)


def _end(
    m: Mesh, y: float, x0: float, x1: float, z0: float, z1: float, mat: int, detail: bool = True
) -> None:
    """A flat part on the front (y > 0) or the back, mirrored when it is off the middle."""
    for a, b in ((x0, x1),) if x0 == -x1 else ((x0, x1), (-x1, -x0)):
        quad = [(a, y, z0), (b, y, z0), (b, y, z1), (a, y, z1)]
        m.face(quad if y < 0 else quad[::-1], mat, detail)


_CAR_SHAPES = {
    # half length, bonnet start, screen top, roof end, tail end, roof height, belt, half width
    "hatch": (1.95, 0.95, 0.25, -1.45, -1.85, 1.48, 0.92, 0.86),
    "sedan": (2.30, 1.10, 0.35, -1.00, -1.65, 1.43, 0.90, 0.90),
    "estate": (2.30, 1.10, 0.35, -1.80, -2.15, 1.47, 0.91, 0.90),
    "suv": (2.20, 1.05, 0.45, -1.75, -2.08, 1.68, 1.05, 0.93),
}


def _car(kind: str) -> Mesh:
    ln, bonnet, screen, roof, tail, top, belt, w = _CAR_SHAPES[kind]
    m = Mesh()
    _wheels(m, w - 0.03, (-ln * 0.62, ln * 0.64), 0.32 if kind != "suv" else 0.36)
    tyres = Mesh(m.points[:], m.material[:], m.detail[:])
    m = Mesh()
    lo = 0.24 if kind != "suv" else 0.3
    profile = [
        (-ln + 0.05, lo), (ln - 0.05, lo), (ln, 0.42), (ln - 0.04, 0.66), (ln - 0.22, 0.76),
        (bonnet, belt), (-ln + 0.1, belt + 0.03), (-ln, 0.6),
    ]  # fmt: skip
    _prism(m, profile, w - 0.02, w - 0.04, [TRIM, TRIM, BODY, BODY, GLOSS, BODY, BODY, BODY, BODY])
    cabin = [(tail, belt), (bonnet, belt - 0.01), (screen, top - 0.03), (roof, top)]
    _prism(m, cabin, w - 0.06, w - 0.23, [TRIM, GLASS, GLOSS, GLASS, BODY])
    _side_panel(
        m,
        w - 0.04,
        w - 0.03,
        [(-ln + 0.1, lo), (ln - 0.1, lo), (ln - 0.1, lo + 0.14), (-ln + 0.1, lo + 0.14)],
        SKIRT,
    )
    _side_panel(
        m,
        w - 0.04,
        w - 0.05,
        [
            (-ln + 0.12, belt - 0.16),
            (ln - 0.5, belt - 0.2),
            (bonnet, belt - 0.06),
            (-ln + 0.12, belt - 0.03),
        ],
        GLOSS,
    )
    za, zb = belt + 0.04, top - 0.07
    xa, xb = w - 0.065, w - 0.205

    def at(y0: float, y1: float) -> float:
        return y0 + (y1 - y0) * (zb - za) / (top - belt)

    mid = (screen + roof) / 2 + 0.05
    front, back = bonnet - 0.22, tail + 0.16
    _side_panel(
        m, xa, xb, [(mid + 0.05, za), (front, za), (at(front, screen), zb), (mid + 0.05, zb)], GLASS
    )
    _side_panel(
        m, xa, xb, [(back, za), (mid - 0.05, za), (mid - 0.05, zb), (at(back, roof), zb)], GLASS
    )
    _side_panel(
        m,
        w - 0.03,
        w - 0.03,
        [(mid - 0.02, lo + 0.1), (mid + 0.02, lo + 0.1), (mid + 0.02, belt), (mid - 0.02, belt)],
        SKIRT,
        True,
    )
    m.points += tyres.points
    m.material += tyres.material
    m.detail += tyres.detail
    _end(m, ln + 0.01, -0.5, 0.5, 0.36, 0.56, TRIM)
    _end(m, ln + 0.02, -0.26, 0.26, 0.4, 0.5, PLATE)
    _end(m, ln + 0.01, w - 0.36, w - 0.06, 0.52, 0.68, HEAD, False)
    _end(m, -ln - 0.01, w - 0.26, w - 0.04, 0.6, belt - 0.04, TAIL, False)
    _end(m, -ln - 0.02, -0.26, 0.26, 0.5, 0.62, PLATE)
    _end(m, -ln - 0.01, -w + 0.08, w - 0.08, 0.26, 0.4, TRIM)
    return m


def _box(kind: str) -> Mesh:
    m = Mesh()
    if kind == "van":
        ln, w, top, lo, r = 2.5, 0.96, 2.0, 0.28, 0.34
        nose = [(ln, 0.7), (ln - 0.25, 1.05), (ln - 0.75, 1.9)]
    elif kind == "bus":
        ln, w, top, lo, r = 5.6, 1.24, 3.05, 0.32, 0.48
        nose = [(ln, 1.0), (ln - 0.03, 1.2), (ln - 0.18, 2.8)]
    else:
        ln, w, top, lo, r = 3.9, 1.2, 2.5, 0.45, 0.48
        nose = [(ln, 1.0), (ln - 0.05, 1.3), (ln - 0.3, 2.45)]
    profile = [
        (-ln, lo),
        (ln, lo),
        *nose,
        (ln - nose_back(kind), top),
        (-ln + 0.06, top),
        (-ln, top - 0.1),
    ]
    if kind == "truck":  # cab, then the load box behind it
        cab = [(ln - 1.9, lo), (ln, lo), *nose, (ln - 1.9, top)]
        _prism(m, cab, w - 0.04, w - 0.12, [TRIM, BODY, BODY, GLASS, BODY, BODY, BODY])
        box = [(-ln, 0.85), (ln - 2.0, 0.85), (ln - 2.0, 3.3), (-ln, 3.3)]
        under = [(-ln + 0.2, 0.45), (ln - 2.0, 0.45), (ln - 2.0, 0.86), (-ln + 0.2, 0.86)]
        _prism(m, under, w - 0.2, w - 0.2, [TRIM] * 5)
        _prism(m, box, w, w, [TRIM, WHITE, WHITE, WHITE, WHITE])
    else:
        _prism(m, profile, w, w - 0.07, [TRIM, BODY, BODY, GLASS, BODY, BODY, BODY, BODY, BODY])
    if kind == "bus":
        y = -ln + 0.3
        while y < ln - 1.0:
            _side_panel(
                m,
                w - 0.02,
                w - 0.06,
                [(y, 1.25), (y + 1.3, 1.25), (y + 1.3, 2.45), (y, 2.45)],
                GLASS,
            )
            y += 1.4
        _end(m, -ln - 0.01, -0.95, 0.95, 1.5, 2.5, GLASS, False)
        _end(m, ln - 0.02, -0.7, 0.7, 2.72, 2.95, HEAD, True)
        _side_panel(
            m,
            w,
            w - 0.01,
            [(-ln + 0.1, 0.7), (ln - 0.3, 0.7), (ln - 0.3, 0.95), (-ln + 0.1, 0.95)],
            SKIRT,
        )
    elif kind == "van":
        _side_panel(
            m,
            w - 0.03,
            w - 0.06,
            [(ln - 1.7, 1.12), (ln - 0.55, 1.12), (ln - 0.95, 1.75), (ln - 1.7, 1.75)],
            GLASS,
        )
        _end(m, -ln - 0.01, 0.08, w - 0.2, 1.2, 1.8, GLASS, False)
    else:
        _side_panel(
            m,
            w - 0.07,
            w - 0.1,
            [(ln - 1.4, 1.35), (ln - 0.3, 1.35), (ln - 0.5, 2.1), (ln - 1.4, 2.1)],
            GLASS,
        )
        _end(m, -ln - 0.01, -0.02, 0.02, 0.9, 3.2, TRIM)
    _wheels(m, w - 0.02, (-ln * 0.6, ln * 0.66), r, TRIM if kind == "truck" else SKIRT)
    _end(m, ln + 0.01, w - 0.42, w - 0.1, 0.62, 0.82, HEAD, False)
    _end(m, ln + 0.01, -0.3, 0.3, 0.42, 0.55, PLATE)
    _end(m, -ln - 0.02, w - 0.22, w - 0.04, 0.75, 1.2, TAIL, False)
    _end(m, -ln - 0.01, -w + 0.06, w - 0.06, 0.3, 0.55, TRIM)
    _end(m, -ln - 0.02, -0.26, 0.26, 0.6, 0.72, PLATE)
    return m


def nose_back(kind: str) -> float:
    """How far the roof's front edge lies behind the bumper, metres."""
    return {"van": 1.0, "bus": 0.35}.get(kind, 0.5)


@lru_cache(maxsize=16)
def solid(kind: str) -> Solid:
    """The mesh of one kind."""
    m = _car(kind) if kind in _CAR_SHAPES else _box(kind)
    points = np.array(m.points, np.float64).reshape(-1, _K, 3)
    a, b = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    normals = np.cross(a, b)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    return Solid(
        points,
        normals,
        np.array(m.material),
        np.array(m.detail),
        float(np.ptp(points[..., 1])),
        {"bus": BUS, "truck": TRUCK}.get(kind, CAR),
    )


def draw(canvas: Canvas, camera: Camera, v: Vehicle, light: F64, dusk: float, haze: F64) -> None:
    """Paint one vehicle.

    Args:
        light: ``(3,)`` towards the sun in camera axes (right, ahead, up), length = its strength.
        dusk: 0–1; lamps shine from 0.3.
        haze: ``(4,)`` BGR of the haze and its share at this distance.
    """
    mesh = solid(v.kind)
    z0, x0 = v.s - camera.s, v.d + camera.lateral_at(v.s)
    yaw = v.yaw + camera.heading(v.s)
    c, s = math.cos(yaw), math.sin(yaw)
    p = mesh.points * v.size
    x = x0 + p[..., 0] * c + p[..., 1] * s
    z = z0 - p[..., 0] * s + p[..., 1] * c
    if z.max() < 1.2:
        return
    uv = camera.project_local(x, z, p[..., 2])
    # Screen y points down: a face turned to us has its corners the other way round.
    nxt = np.roll(uv, -1, 1)
    facing = (uv[..., 0] * nxt[..., 1] - nxt[..., 0] * uv[..., 1]).sum(1) < -0.3
    if camera.focal_px / max(z0, 1) < 14:
        facing &= ~mesh.detail
    if not facing.any() or uv[..., 0].max() < 0 or uv[..., 0].min() > camera.width:
        return
    n = mesh.normals
    lit = (n[:, 0] * c + n[:, 1] * s) * light[0] + (-n[:, 0] * s + n[:, 1] * c) * light[1]
    lit = 0.72 + 0.35 * np.clip(lit + n[:, 2] * light[2], -0.4, 1)
    paint = np.array(v.paint)
    table = np.array(
        (
            paint,
            (58, 50, 44),
            (26, 26, 27),
            (125, 125, 125),
            (222, 226, 226),
            (28, 22, 150),
            (34, 34, 36),
            (200, 205, 205),
            (205, 206, 204),
            np.minimum(paint * 1.12 + 22, 236),
            paint * 0.55,
        ),
        np.float64,
    )
    shines = v.moving and dusk > 0.3
    colors = table[mesh.material] * lit[:, None]
    glass = mesh.material == GLASS
    colors[glass] += np.clip(n[glass, 2:3], 0, 1) * np.array((86, 78, 72))  # the sky in the screens
    if v.braking:
        colors[mesh.material == TAIL] = (40, 40, 238)
    colors = np.clip(colors, 4, 238)
    colors += (haze[:3] - colors) * haze[3]
    if shines:
        colors[mesh.material == HEAD] = (GLOW + 6, GLOW + 8, GLOW + 9)
        colors[mesh.material == TAIL] = (30, 30, GLOW + (9 if v.braking else 2))
    slot = canvas.instance(mesh.label)
    canvas.polygons(uv[facing], colors[facing].tolist(), slot)
