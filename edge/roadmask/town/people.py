"""People on foot and on two wheels: articulated figures, flat to the camera."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from roadmask.arrays import F64
from roadmask.town.canvas import BICYCLE, MOTORCYCLE, PERSON, RIDER, Camera, Canvas, Color
from roadmask.town.layout import dice
from roadmask.town.things import Human

_SKIN: tuple[Color, ...] = (
    (150, 175, 215), (125, 155, 200), (90, 120, 165), (60, 80, 120), (40, 55, 85),
)  # fmt: skip
_CLOTH: tuple[Color, ...] = (
    (40, 38, 36), (70, 50, 40), (110, 70, 45), (60, 60, 62), (140, 140, 138), (205, 208, 208),
    (45, 45, 150), (60, 110, 70), (60, 130, 190), (130, 90, 120), (90, 100, 120), (35, 35, 80),
    (170, 130, 70), (95, 85, 70), (50, 175, 205),
)  # fmt: skip
_HAIR: tuple[Color, ...] = (
    (25, 25, 28),
    (35, 50, 75),
    (70, 110, 150),
    (120, 125, 130),
    (30, 35, 60),
)

_STEP = 16 / (2 * math.pi)  # poses a radian


def _limb(
    x0: float, y0: float, x1: float, y1: float, w0: float, w1: float
) -> list[tuple[float, float]]:
    """A tapered limb as an octagon-ended strip: eight points."""
    dx, dy = x1 - x0, y1 - y0
    n = math.hypot(dx, dy) or 1.0
    ux, uy = dx / n, dy / n
    px, py = -uy, ux
    a, b = w0 / 2, w1 / 2
    return [
        (x0 + px * a, y0 + py * a),
        (x0 - ux * a * 0.6 + px * a * 0.5, y0 - uy * a * 0.6 + py * a * 0.5),
        (x0 - ux * a * 0.6 - px * a * 0.5, y0 - uy * a * 0.6 - py * a * 0.5),
        (x0 - px * a, y0 - py * a),
        (x1 - px * b, y1 - py * b),
        (x1 + ux * b * 0.6 - px * b * 0.5, y1 + uy * b * 0.6 - py * b * 0.5),
        (x1 + ux * b * 0.6 + px * b * 0.5, y1 + uy * b * 0.6 + py * b * 0.5),
        (x1 + px * b, y1 + py * b),
    ]


def _round(x: float, y: float, rx: float, ry: float) -> list[tuple[float, float]]:
    return [
        (x + rx * math.cos(a), y + ry * math.sin(a))
        for a in (k * math.pi / 4 + math.pi / 8 for k in range(8))
    ]


def _shade(color: Color, gain: float) -> Color:
    return (color[0] * gain, color[1] * gain, color[2] * gain)


def figure(
    h: Human, view: float, seated: bool
) -> tuple[list[list[tuple[float, float]]], list[Color]]:
    """Polygons in metres (across, up) over the feet, far to near, and their colours.

    ``view``: direction of walk against the line of sight, radians.
    """
    r = dice(h.look, 3)
    skin, hair = r.choice(_SKIN), r.choice(_HAIR)
    top, legs = r.choice(_CLOTH), r.choice(_CLOTH[:5] + _CLOTH[10:14])
    k = h.height / 1.75
    wide = r.uniform(0.92, 1.22)
    across, along = math.sin(view), abs(math.cos(view))
    swing = 0.44 * h.stride * math.sin(h.phase)
    shapes: list[list[tuple[float, float]]] = []
    colors: list[Color] = []

    def add(shape: list[tuple[float, float]], color: Color) -> None:
        shapes.append([(x * k, y * k) for x, y in shape])
        colors.append(color)

    coat = r.random() < 0.3
    skirt = not coat and not seated and r.random() < 0.14
    bag, helmet = r.random(), r.random() < 0.6
    lean = 0.16 * across if seated else 0.02 * across
    hip, shoulder = (0.88, 1.36) if seated else (0.9, 1.44)
    half = (0.11 + 0.10 * along) * wide
    for foot in (-1, 1):
        angle = swing * foot
        x = foot * 0.085 * along * wide
        tone = _shade(legs, 0.75 if foot * across > 0 else 1.0)
        if seated:  # pedalling: the knee goes up and down
            lift = 0.16 * math.sin(h.phase + foot * math.pi / 2)
            knee = (x + 0.28 * across, 0.62 + lift)
            ankle = (x + 0.12 * across, 0.2 + lift)
        else:
            bend = max(0.0, math.cos(h.phase) * foot) * 0.3 * h.stride
            knee = (x + 0.44 * math.sin(angle) * across, hip - 0.43 * math.cos(angle))
            ankle = (
                knee[0] + 0.42 * math.sin(angle - bend) * across,
                max(0.06, knee[1] - 0.42 * math.cos(angle - bend)),
            )
        add(_limb(x, hip, *knee, 0.175 * wide, 0.13), tone)
        add(_limb(*knee, *ankle, 0.125, 0.085), skin if skirt else tone)
        toe = 0.11 * across if abs(across) > 0.3 else 0.0
        add(
            _limb(ankle[0], ankle[1] - 0.03, ankle[0] + toe, ankle[1] - 0.04, 0.085, 0.07),
            (30, 30, 34),
        )
    arms = []
    for hand in (-1, 1):
        angle = -swing * hand * 0.9
        x = hand * (half + 0.03) * (0.35 + 0.65 * along)
        if seated:
            elbow = (x + lean + 0.17 * across, shoulder - 0.26)
            wrist = (x * 0.9 + lean + 0.38 * across, shoulder - 0.36)
        else:
            elbow = (x * 1.12 + 0.27 * math.sin(angle) * across, shoulder - 0.3)
            wrist = (elbow[0] + 0.24 * math.sin(angle + 0.25) * across, elbow[1] - 0.25)
        arms.append((hand, x + lean, elbow, wrist))
    far_arm = arms[0] if across >= 0 else arms[1]
    for which in (far_arm, arms[1] if far_arm is arms[0] else arms[0]):
        hand, x, elbow, wrist = which
        tone = _shade(top, 0.72 if which is far_arm else 1.06)
        if which is not far_arm:
            base = 0.62 if coat else hip - 0.06
            torso = [
                (-half * 0.82, base), (half * 0.82, base), (half * 0.8 + lean * 0.5, 1.1),
                (half + lean, shoulder - 0.04), (half * 0.6 + lean, shoulder + 0.06),
                (-half * 0.6 + lean, shoulder + 0.06), (-half + lean, shoulder - 0.04),
                (-half * 0.8 + lean * 0.5, 1.1),
            ]  # fmt: skip
            add(torso, top)
            add(
                [
                    *torso[:1],
                    (0.0, base),
                    *[(lean * 0.7, 1.1)],
                    (lean, shoulder),
                    *torso[6:7],
                    *torso[7:8],
                    torso[7],
                    torso[7],
                ],
                _shade(top, 0.84),
            )
            if skirt:
                add(
                    [
                        (-half, hip),
                        (half, hip),
                        (half * 1.5, 0.5),
                        (-half * 1.5, 0.5),
                        *[(-half * 1.5, 0.5)] * 4,
                    ],
                    legs,
                )
            if bag < 0.22:
                add(
                    _round(-0.16 * across + lean, 1.2, 0.13 + 0.05 * along, 0.22), _shade(hair, 1.4)
                )
        add(_limb(x, shoulder - 0.03, *elbow, 0.115, 0.095), tone)
        add(_limb(*elbow, *wrist, 0.09, 0.07), tone)
        add(_round(*wrist, 0.045, 0.055), skin)
        if bag > 0.85 and which is not far_arm:
            add(
                [
                    (wrist[0] - 0.14, wrist[1]),
                    (wrist[0] + 0.14, wrist[1]),
                    (wrist[0] + 0.16, wrist[1] - 0.34),
                    (wrist[0] - 0.16, wrist[1] - 0.34),
                    *[(wrist[0] - 0.16, wrist[1] - 0.34)] * 4,
                ],
                _shade(top, 0.6),
            )
    add(_limb(lean, shoulder, lean, shoulder + 0.1, 0.1, 0.1), _shade(skin, 0.85))
    add(
        _round(lean * 1.3 + 0.01 * across, shoulder + 0.19, 0.085 + 0.015 * abs(across), 0.12), skin
    )
    away = math.cos(view) > 0.3
    cap = hair if not (seated and helmet) else r.choice(_CLOTH)
    low = -0.02 if away else 0.04
    add(
        [
            (lean * 1.3 + sx * 0.1 - 0.015 * across, shoulder + 0.19 + sy)
            for sx, sy in (
                (-1, low),
                (-1.02, 0.05),
                (-0.8, 0.11),
                (-0.3, 0.14),
                (0.3, 0.14),
                (0.8, 0.11),
                (1.02, 0.05),
                (1, low),
            )
        ],
        cap,
    )
    return shapes, colors


@lru_cache(maxsize=512)
def _distant_look(look: int) -> tuple[Color, Color, Color, Color]:
    """Skin, hair, top and legs, as ``figure`` draws them."""
    r = dice(look, 3)
    skin, hair = r.choice(_SKIN), r.choice(_HAIR)
    return skin, hair, r.choice(_CLOTH), r.choice(_CLOTH[:5] + _CLOTH[10:14])


def _distant(h: Human, view: float) -> tuple[list[list[tuple[float, float]]], list[Color]]:
    """A figure of a few pixels: legs, body and head are all that shows."""
    skin, hair, top, legs = _distant_look(h.look)
    k = h.height / 1.75
    spread = 0.3 * h.stride * math.sin(h.phase) * math.sin(view)
    shapes = [
        _limb(0.07, 0.9, 0.07 + spread, 0.04, 0.17, 0.1),
        _limb(-0.07, 0.9, -0.07 - spread, 0.04, 0.17, 0.1),
        _limb(0, 0.95, 0, 1.38, 0.36, 0.42),
        _round(0, 1.62, 0.095, 0.12),
    ]
    away = math.cos(view) > 0.3
    return [[(x * k, y * k) for x, y in s] for s in shapes], [
        legs,
        legs,
        top,
        hair if away else skin,
    ]


@lru_cache(maxsize=2048)
def _posed(
    look: int, height: float, phase: int, view: int, stride: float, seated: bool, distant: bool
) -> tuple[F64, F64]:
    """Polygons ``(N, 8, 2)`` metres and colours ``(N, 3)``; phase and view in 16ths of a turn.

    In steps, because the same few poses come back with every stride.
    """
    h = Human(0.0, 0.0, 0.0, phase / _STEP, stride, height, look)
    shapes, colors = _distant(h, view / _STEP) if distant else figure(h, view / _STEP, seated)
    return np.array(shapes), np.array(colors)


def draw(canvas: Canvas, camera: Camera, h: Human, light: F64, dusk: float, haze: F64) -> None:
    """Paint a pedestrian, or a rider with the machine; arguments as in vehicles.draw."""
    z = h.s - camera.s
    if z < 1.3:
        return
    scale = camera.focal_px / z
    x = (camera.width - 1) / 2 + (h.d + camera.lateral_at(h.s)) * scale
    foot = camera.horizon_px + camera.height_m * scale
    if x < -1.5 * scale or x > camera.width + 1.5 * scale:
        return
    if h.height * scale < 3:
        return
    view = h.yaw - math.atan2(h.d + camera.lateral_at(h.s), z) + camera.heading(h.s)
    gain = 0.9 + 0.22 * float(light[0]) * (0.5 if x < camera.width / 2 else -0.5) + 0.1
    if h.mount:
        _machine(canvas, camera, h, gain, dusk, haze)
    lift = 0.12 if h.mount else 0.0
    points, colors = _posed(
        h.look,
        h.height,
        round(h.phase * _STEP) % 16,
        round(view * _STEP) % 16,
        h.stride,
        bool(h.mount),
        h.height * scale < 40 and not h.mount,
    )
    uv = points * (scale, -scale)
    uv += (x, foot - lift * scale)
    tint = (colors * gain).clip(4, 236)
    tint += (haze[:3] - tint) * haze[3]
    slot = canvas.instance(RIDER if h.mount else PERSON)
    canvas.polygons(uv, tint.tolist(), slot)


def _machine(canvas: Canvas, camera: Camera, h: Human, gain: float, dusk: float, haze: F64) -> None:
    """The bicycle or motorcycle: two wheels in perspective, a frame, lamps."""
    motor = h.mount == "motorcycle"
    r = dice(h.look, 4)
    paint = np.clip(np.array(r.choice(_CLOTH)) * gain + 8, 4, 236)
    paint = (paint + (haze[:3] - paint) * haze[3]).tolist()
    dark = (np.array((28, 28, 30)) + (haze[:3] - 28) * haze[3]).tolist()
    slot = canvas.instance(MOTORCYCLE if motor else BICYCLE)
    radius, base, thick = (0.31, 0.7, 0.15) if motor else (0.34, 0.52, 0.045)
    yaw = h.yaw + camera.heading(h.s)
    c, s = math.cos(yaw), math.sin(yaw)
    z0, x0 = h.s - camera.s, h.d + camera.lateral_at(h.s)
    scale = camera.focal_px / z0

    def place(points: list[tuple[float, float, float]]) -> F64:
        p = np.array(points)
        return camera.project_local(
            x0 + p[:, 0] * c + p[:, 1] * s, z0 - p[:, 0] * s + p[:, 1] * c, p[:, 2]
        )

    for y in (-base, base):
        ring = [
            (0.0, y + radius * math.cos(a), radius + radius * math.sin(a))
            for a in (k * math.pi / 8 for k in range(16))
        ]
        if motor:
            canvas.polygon(place(ring), dark, slot)
        canvas.lines(place(ring), dark, slot, thick * scale, True)
    frame = [(0.0, -base, radius), (0.0, -0.15, 0.85), (0.0, base - 0.15, 0.8), (0.0, base, radius)]
    crank = [(0.0, -base, radius), (0.0, 0.0, 0.3), (0.0, base - 0.15, 0.78)]
    px = (0.2 if motor else 0.05) * scale
    canvas.lines(place(frame), paint, slot, px)
    canvas.lines(place(crank), paint, slot, px)
    bar = 0.36 if motor else 0.27
    canvas.lines(place([(-bar, base - 0.2, 1.0), (bar, base - 0.2, 1.0)]), dark, slot, 0.05 * scale)
    if motor:
        body = [
            (-0.14, 0, 0.5),
            (0.14, 0, 0.5),
            (0.2, 0, 0.8),
            (0.14, 0, 0.95),
            (-0.14, 0, 0.95),
            (-0.2, 0, 0.8),
        ]
        canvas.polygon(place([(a, b, d) for a, b, d in body]), paint, slot)
    front = math.cos(yaw) < 0
    lamp = place([(0.0, base if front else -base, 0.8 if motor else 0.72)])[0]
    glow = dusk > 0.3
    color = (
        ((252, 253, 254) if glow else (215, 220, 222)) if front else (30, 30, 252 if glow else 170)
    )
    size = (0.09 if motor else 0.05) * scale
    box = [(-size, -size), (size, -size), (size, size), (-size, size)]
    canvas.polygon(np.array(box) + lamp, color, slot)
