"""What stands on poles: lamps, signs, traffic lights; and bollards and boards."""

from __future__ import annotations

import math

from roadmask.arrays import F64
from roadmask.town.canvas import GLOW, LIGHT, POLE, SIGN, Camera, Canvas, Color
from roadmask.town.layout import dice
from roadmask.town.things import Post

_RED: Color = (40, 38, 200)
_WHITE: Color = (225, 228, 228)
_BLUE: Color = (165, 80, 25)
_YELLOW: Color = (40, 190, 225)
_Outline = list[tuple[float, float]]


def _polygon(n: int, radius: float, turn: float) -> _Outline:
    return [
        (
            radius * math.cos(turn + k * 2 * math.pi / n),
            radius * math.sin(turn + k * 2 * math.pi / n),
        )
        for k in range(n)
    ]


def _rect(w: float, h: float) -> _Outline:
    return [(-w, -h), (w, -h), (w, h), (-w, h)]


_UP = math.pi / 2
# Outline, rim, field, symbol: in the manner of European signs.
_SIGNS: tuple[tuple[_Outline, Color, Color, tuple[_Outline, Color] | None], ...] = (
    (_polygon(12, 0.31, 0), _RED, _WHITE, (_rect(0.12, 0.1), (40, 40, 40))),
    (_polygon(3, 0.4, _UP), _RED, _WHITE, (_rect(0.03, 0.1), (35, 35, 35))),
    (_polygon(3, 0.4, -_UP), _RED, _WHITE, None),
    (_polygon(8, 0.33, math.pi / 8), _WHITE, _RED, (_rect(0.22, 0.06), _WHITE)),
    (_polygon(4, 0.38, 0), _WHITE, _YELLOW, None),
    (_polygon(12, 0.3, 0), _WHITE, _BLUE, (_rect(0.04, 0.18), _WHITE)),
    (_rect(0.3, 0.3), _WHITE, _BLUE, (_rect(0.12, 0.18), _WHITE)),
    (_polygon(12, 0.31, 0), _RED, _BLUE, (_rect(0.05, 0.2), _RED)),
)


def draw_post(canvas: Canvas, camera: Camera, p: Post, t: float, dusk: float, haze: F64) -> None:
    """Paint one post; arguments as in vehicles.draw, ``t`` in seconds."""
    z = p.s - camera.s
    if z < 1.6 or (z > 70 and p.kind not in ("lamp", "lights")):
        return
    scale = camera.focal_px / z
    x = (camera.width - 1) / 2 + (p.d + camera.lateral_at(p.s)) * scale
    foot = camera.horizon_px + camera.height_m * scale
    if x < -4 * scale or x > camera.width + 4 * scale:
        return

    veil: list[float] = haze.tolist()
    far = scale < camera.focal_px / 45

    def put(outline: _Outline, dx: float, up: float, color: Color, slot: int) -> None:
        if max(color) < GLOW:
            color = (
                color[0] + (veil[0] - color[0]) * veil[3],
                color[1] + (veil[1] - color[1]) * veil[3],
                color[2] + (veil[2] - color[2]) * veil[3],
            )
        x0, y0 = x + dx * scale, foot - up * scale
        canvas.polygon([(x0 + a * scale, y0 - b * scale) for a, b in outline], color, slot)

    def pole(height: float, r: float) -> None:
        # Never thinner than a pixel: a pole that breaks up teaches nothing.
        r = max(r, 0.5 / scale)
        if far:
            return
        shade = (p.color[0] * 0.68, p.color[1] * 0.68, p.color[2] * 0.68)
        put([(-r, 0), (r, 0), (r * 0.8, height), (-r * 0.8, height)], 0, 0, p.color, POLE)
        put([(r * 0.1, 0), (r, 0), (r * 0.8, height), (r * 0.1, height)], 0, 0, shade, POLE)

    inward = -1 if p.d > 0 else 1
    if p.kind == "lamp":
        pole(p.height, 0.085)
        put(
            [(0, -0.05), (inward * 1.5, 0.2), (inward * 1.5, 0.3), (0, 0.06)],
            0,
            p.height - 0.1,
            p.color,
            POLE,
        )
        glow: Color = (GLOW + 6, GLOW + 8, GLOW + 9) if dusk > 0.3 else (205, 210, 212)
        put(_rect(0.36, 0.07), inward * 1.7, p.height + 0.2, p.color, POLE)
        if dusk > 0.3 or not far:
            put(_rect(0.26, 0.04), inward * 1.7, p.height + 0.12, glow, POLE)
    elif p.kind == "lantern":
        height = p.height * 0.62
        pole(height, 0.07)
        glow = (GLOW + 6, GLOW + 8, GLOW + 9) if dusk > 0.3 else (200, 206, 208)
        put([(-0.12, 0), (0.12, 0), (0.2, 0.4), (-0.2, 0.4)], 0, height, glow, POLE)
        put([(-0.24, 0), (0.24, 0), (0, 0.22)], 0, height + 0.4, (45, 46, 48), POLE)
    elif p.kind == "sign":
        pole(p.height, 0.035)
        outline, rim, field, symbol = _SIGNS[p.variant]
        grow = 1.25
        big = [(a * grow, b * grow) for a, b in outline]
        inner = [(a * grow * 0.76, b * grow * 0.76) for a, b in outline]
        if p.variant % 3 == 2 and z > 3:  # seen from behind: bare metal
            put(big, 0, p.height - 0.2, (138, 140, 142), SIGN)
            return
        put(big, 0, p.height - 0.2, rim, SIGN)
        put(inner, 0, p.height - 0.2, field, SIGN)
        if symbol is not None and not far:
            put(symbol[0], 0, p.height - 0.2, symbol[1], SIGN)
    elif p.kind == "lights":
        pole(p.height, 0.07)
        put(_rect(0.19, 0.5), 0, p.height - 0.35, (30, 32, 33), LIGHT)
        at = int(t / 7 + p.variant) % 3  # red, amber and red, green: by the clock
        for i, (on, off) in enumerate(
            (
                ((40, 40, 254), (25, 22, 70)),
                ((30, 190, 254), (20, 52, 70)),
                ((170, 252, 60), (28, 60, 28)),
            )
        ):
            lit = (i == 0 and at < 2) or (i == 1 and at == 1) or (i == 2 and at == 2)
            put(_polygon(8, 0.115, 0.4), 0, p.height - 0.05 - 0.3 * i, on if lit else off, LIGHT)
    elif p.kind == "bollard":
        pole(p.height, 0.06)
        put(_rect(0.07, 0.05), 0, p.height - 0.15, (215, 218, 220), POLE)
    else:
        r = dice(p.variant, 41)
        pole(p.height, 0.06)
        w, h = r.uniform(0.5, 0.95), r.uniform(0.3, 0.5)
        field = r.choice((_BLUE, _YELLOW, _WHITE, (70, 110, 40)))
        put(_rect(w, h), 0, p.height - 0.3, _WHITE, SIGN)
        put(_rect(w - 0.05, h - 0.05), 0, p.height - 0.3, field, SIGN)
        for i in range(2):
            put(
                _rect(w * 0.6, 0.05),
                0,
                p.height - 0.15 - 0.26 * i,
                _WHITE if field != _WHITE else (40, 40, 40),
                SIGN,
            )
