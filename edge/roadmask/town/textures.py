"""Textures of one town, made once from its seed: facades, crowns, ground grain, skies, noise.

``numpy.random.RandomState`` is used on purpose: its stream is frozen across NumPy versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from roadmask.arrays import F32, U8
from roadmask.town.canvas import BUILDING, GLOW, SKY, VEGETATION, WHITE_MAX, Color

FACADE_PX_PER_M = 24
FACADE_W_M, FACADE_H_M, FLOOR_M = 24.0, 19.0, 3.1
GROUND_TILE_M = 16.0  # the ground grain repeats after this, both ways
GROUND_PX = 1024

WALL_COLORS: tuple[Color, ...] = (
    (150, 185, 205), (175, 200, 215), (120, 150, 190), (95, 120, 165), (70, 85, 140),
    (190, 200, 205), (150, 165, 170), (120, 130, 135), (165, 180, 150), (190, 175, 150),
    (110, 135, 160), (205, 215, 220), (85, 100, 120), (140, 170, 215),
)  # fmt: skip


def noise(rs: np.random.RandomState, h: int, w: int, cells: tuple[int, ...]) -> F32:
    """Fractal noise ``(h, w) float32``, zero mean, about unit deviation, coarse to fine."""
    out = np.zeros((h, w), np.float32)
    for i, n in enumerate(cells):
        grid = rs.randn(max(2, h // n + 2), max(2, w // n + 2)).astype(np.float32)
        out += cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC) * 0.75**i
    scaled: F32 = (out - out.mean()) / (out.std() + 1e-6)
    return scaled


def tile_noise(rs: np.random.RandomState, n: int, cells: tuple[int, ...]) -> F32:
    """Square noise ``(n, n) float32`` that repeats without a seam."""
    out = np.zeros((n, n), np.float32)
    for i, c in enumerate(cells):
        k = n // c
        grid = np.pad(rs.randn(k, k).astype(np.float32), 2, mode="wrap")
        big = cv2.resize(grid, None, fx=c, fy=c, interpolation=cv2.INTER_CUBIC)
        out += big[2 * c : 2 * c + n, 2 * c : 2 * c + n] * 0.8**i
    scaled: F32 = (out - out.mean()) / (out.std() + 1e-6)
    return scaled


def pyramid(image: U8, levels: int) -> list[U8]:
    """The image and ``levels - 1`` halvings: sampling those keeps far walls from sparkling."""
    out = [image]
    for _ in range(levels - 1):
        h, w = out[-1].shape[:2]
        half = (max(1, w // 2), max(1, h // 2))
        out.append(cv2.resize(out[-1], half, interpolation=cv2.INTER_AREA).astype(np.uint8))
    return out


def facade(rs: np.random.RandomState, color: Color) -> U8:
    """A house front ``(h, w, 4)``, ground floor at the bottom; the last channel is BUILDING."""
    px = FACADE_PX_PER_M
    w, h = int(FACADE_W_M * px), int(FACADE_H_M * px)
    img = np.empty((h, w, 3), np.float32)
    img[:] = color
    kind = rs.randint(4)
    gain = 1 + 0.07 * noise(rs, h, w, (96, 24, 6)) + 0.05 * noise(rs, h, w, (2,))
    if kind == 0:  # brick: courses with offset joints, each brick with its own tone
        rows, cols = h // 3, w // 8
        tone = 1 + 0.11 * rs.randn(rows + 1, cols + 2)
        yy, xx = np.mgrid[:h, :w]
        row = yy // 3
        col = (xx + (row % 2) * 4) // 8
        gain *= tone[row, col].astype(np.float32)
        gain[(yy % 3) == 0] *= 1.1
    elif kind == 1:  # panels
        step = int(px * rs.uniform(1.5, 3.0))
        gain[:, ::step] *= 0.72
        gain[:: int(px * FLOOR_M)] *= 0.72
    img *= gain[..., None]
    # Streaks of dirt run down from the eaves.
    streak = cv2.GaussianBlur(rs.rand(1, w).astype(np.float32), (9, 1), 0)
    fade = np.linspace(1, 0.2, h, dtype=np.float32)[:, None]
    img *= (1 - 0.3 * np.clip(streak - 0.5, 0, 1) * fade)[..., None]
    np.minimum(img, WHITE_MAX - 4, out=img)  # only panes may reach GLOW
    period = int(px * rs.uniform(1.9, 3.3))
    ww = int(period * rs.uniform(0.38, 0.68))
    wh = int(px * rs.uniform(1.3, 2.0))
    floor = int(px * FLOOR_M)
    frame = np.array((215, 220, 222) if rs.rand() < 0.6 else (60, 70, 80), np.float32)
    trim = np.clip(np.array(color, np.float32) * rs.uniform(0.7, 1.3), 0, 235)
    shop = rs.rand() < 0.5
    for storey in range(0, int(h / floor) + 1):
        base = h - storey * floor
        if storey > 0:
            img[max(base - 2, 0) : base + 2] = trim
        for x in range(period // 4, w - ww - 2, period):
            if storey == 0 and shop:
                continue
            door = storey == 0 and rs.rand() < 0.3
            y1 = base - (3 if door else int(0.9 * px))
            y0 = base - int(2.3 * px) if door else max(y1 - wh, 0)
            if y1 - y0 < 6:
                continue
            img[y0 - 1 if y0 else 0 : y1 + 1, x - 1 : x + ww + 1] = frame
            if door:
                tone = rs.uniform(20, 130, 3)
                img[y0 + 1 : y1, x + 1 : x + ww - 1] = tone
                img[y0 + 1 : y0 + 9, x + 2 : x + ww - 2] = 50
                continue
            _pane(rs, img, x + 1, y0 + 1, x + ww - 1, y1 - 1)
            mid = x + ww // 2
            img[y0:y1, mid : mid + 1] = frame
            img[y1 : y1 + 3, x - 3 : x + ww + 3] = trim
            if rs.rand() < 0.08 and storey > 0:  # balcony
                img[y1 - 10 : y1 + 4, x - 8 : x + ww + 8] *= 0.45
    if shop:
        base, x = h, 4
        while x < w - 30:
            sw = int(px * rs.uniform(2.5, 5))
            x1 = min(x + sw, w - 3)
            img[base - int(2.9 * px) : base - int(2.3 * px), x:x1] = rs.uniform(15, 225, 3)
            for k in range(x + 8, x1 - 10, 7):  # lettering
                y = base - int(2.6 * px)
                img[y - 3 : y + 3, k : k + rs.randint(2, 6)] = rs.choice((30, 230))
            img[base - int(2.3 * px) : base, x:x1] = rs.uniform(40, 120)
            _pane(rs, img, x + 2, base - int(2.25 * px), x1 - 2, base - 12, lit=0.6)
            if rs.rand() < 0.4:  # awning
                stripes = rs.uniform(30, 230, 3)
                img[base - int(2.35 * px) : base - int(1.8 * px), x:x1] = stripes
                img[base - int(2.35 * px) : base - int(1.8 * px), x:x1:6] = 210
            x = x1 + rs.randint(4, 20)
    out = np.empty((h, w, 4), np.uint8)
    out[..., :3] = np.clip(img, 0, 255)
    out[..., 3] = BUILDING
    return out


def _pane(
    rs: np.random.RandomState,
    img: F32,
    x0: int,
    y0: int,
    x1: int,
    y1: int,
    lit: float = 0.33,
) -> None:
    """Glass: a reflection that grows upwards, perhaps a curtain; lit panes carry GLOW values."""
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    if rs.rand() < lit:
        # Three channels over GLOW: dull by day, warm light at dusk, by the tone curve.
        img[y0:y1, x0:x1] = np.array((GLOW + 1, GLOW + 4, GLOW + 8), np.float32)
        return
    tone = rs.uniform(28, 75)
    slope = np.linspace(rs.uniform(1.2, 2.4), 0.7, y1 - y0)[:, None, None]
    img[y0:y1, x0:x1] = np.clip(tone * slope * np.array((1.15, 1.0, 0.88)), 0, 200)
    if rs.rand() < 0.35:
        cut = y0 + int((y1 - y0) * rs.uniform(0.2, 0.9))
        img[y0:cut, x0:x1] = img[y0:cut, x0:x1] * 0.4 + rs.uniform(80, 130)


def crown(rs: np.random.RandomState, size: int = 256) -> U8:
    """A crown ``(size, size, 4)``: lit and shaded leaf clumps with holes; alpha 0 or 255."""
    yy, xx = np.mgrid[:size, :size].astype(np.float32) / (size / 2) - 1
    narrow = rs.uniform(0.9, 1.25)
    shape = 1 - np.sqrt((xx * narrow) ** 2 + (yy * rs.uniform(0.98, 1.1)) ** 2)
    body = noise(rs, size, size, (52, 26, 12))
    leaves = noise(rs, size, size, (5, 3))
    solid = shape + 0.16 * body + 0.06 * leaves > 0.14
    holes = (0.7 * body + 0.75 * leaves) < -1.75
    solid &= ~(holes & (shape < 0.75))
    clump = noise(rs, size, size, (30, 15))
    light = 0.72 - 0.24 * yy + 0.17 * clump + 0.17 * leaves + 0.1 * body
    hue = np.array(
        ((40, 92, 66), (34, 84, 84), (50, 104, 82), (36, 74, 58), (38, 106, 118))[rs.randint(5)],
        np.float32,
    )
    img = hue * np.clip(light, 0.15, 1.9)[..., None]
    img += (np.clip(leaves - 1.1, 0, 1.2) * 34)[..., None]
    out = np.zeros((size, size, 4), np.uint8)
    out[..., :3] = np.clip(img, 0, 235)
    out[..., 3] = solid * np.uint8(255)
    return out


def foliage(rs: np.random.RandomState) -> U8:
    """A leafy wall ``(128, 768, 4)`` for hedges: 24 m by 4 m at 32 px/m."""
    leaves, body = noise(rs, 128, 768, (4, 2)), noise(rs, 128, 768, (40, 16))
    shade = np.linspace(1.2, 0.6, 128, dtype=np.float32)[:, None]
    img = (
        np.array((36, 88, 62), np.float32)
        * np.clip((1 + 0.25 * leaves + 0.14 * body) * shade, 0.1, 2)[..., None]
    )
    out = np.empty((128, 768, 4), np.uint8)
    out[..., :3] = np.clip(img, 0, 235)
    out[..., 3] = VEGETATION
    return out


def masonry(rs: np.random.RandomState) -> U8:
    """A stone or plaster wall ``(128, 768, 4)``, 24 m by 4 m."""
    gain = 1 + 0.1 * noise(rs, 128, 768, (30, 8)) + 0.08 * noise(rs, 128, 768, (2,))
    gain[::10] *= 0.75
    img = np.array((130, 145, 155), np.float32) * gain[..., None]
    out = np.empty((128, 768, 4), np.uint8)
    out[..., :3] = np.clip(img, 0, 235)
    out[..., 3] = BUILDING
    return out


def ground_grain(rs: np.random.RandomState, kerb_m: float) -> U8:
    """Gain of the ground ``(n, n) uint8``, 128 = neutral; columns are ``d``, rows are ``s``.

    Asphalt grain and worn wheel tracks inside the kerbs, paving joints outside.
    """
    n, px = GROUND_PX, GROUND_PX / GROUND_TILE_M
    fine = tile_noise(rs, n, (1, 2, 4))
    patchy = tile_noise(rs, n, (128, 64, 16))
    gain = 1 + 0.085 * fine + 0.05 * patchy
    d = (np.arange(n) / px + GROUND_TILE_M / 2) % GROUND_TILE_M - GROUND_TILE_M / 2
    track = 0.05 * np.cos(d * 2 * np.pi / 1.7)
    paving = np.abs(d) > kerb_m
    gain += np.where(paving, 0, track)[None]
    slab = int(px * 0.5)
    slabs = 1 + 0.06 * rs.randn(n // slab, n // slab)
    rows, cols = np.minimum(np.arange(n) // slab, n // slab - 1), np.arange(n) // slab
    tone = slabs[np.ix_(rows, np.minimum(cols, n // slab - 1))]
    tone[::slab] *= 0.72
    tone[1::slab] *= 0.8
    tone[:, ::slab] *= 0.75
    gain = np.where(paving[None], gain * tone, gain)
    for _ in range(26):  # cracks and tar seams
        x, y = rs.randint(n), rs.randint(n)
        steps = np.cumsum(rs.randint(-9, 10, (9, 2)), 0) + np.arange(9)[:, None] * (2, 14)
        line = (steps + np.array((x, y))).astype(np.int32)
        canvas = np.zeros((n, n), np.uint8)
        cv2.polylines(canvas, [line], False, (1,), 1)
        gain[canvas > 0] *= 0.72
    out: U8 = np.clip(gain * 128, 30, 158).astype(np.uint8)
    return out


def sky(rs: np.random.RandomState, w: int, h: int, top: Color, low: Color, cloud: float) -> U8:
    """A panorama ``(h, w, 4)`` from zenith to horizon; ``cloud`` is the share covered."""
    round_w, seam = w, w // 6
    w += seam
    t = np.linspace(0, 1, h, dtype=np.float32)[:, None, None] ** 1.3
    img = np.array(top, np.float32) * (1 - t) + np.array(low, np.float32) * t
    img = np.repeat(img, w, 1)
    n = max(8, w // 6)
    # Clouds lie flat: the noise is stretched sideways.
    field = cv2.resize(noise(rs, h, w // 2, (n, n // 2, n // 5, max(2, n // 12))), (w, h))
    cover = np.clip((field + 2 * cloud - 1.0) * 0.9, 0, 1)[..., None]
    shade = noise(rs, h, w, (n, n // 3))[..., None]
    white = np.array(low, np.float32) * 0.35 + 152 + 9 * shade
    img = img * (1 - 0.8 * cover) + white * 0.8 * cover
    # The left end fades out of what follows the right one, so that it goes round without a seam.
    ramp = np.linspace(0, 1, seam, dtype=np.float32)[None, :, None]
    img[:, :seam] = img[:, :seam] * ramp + img[:, round_w:] * (1 - ramp)
    w, img = round_w, img[:, :round_w]
    out = np.empty((h, w, 4), np.uint8)
    out[..., :3] = np.clip(img + rs.uniform(-1.5, 1.5, (h, w, 1)), 0, 237)
    out[..., 3] = SKY
    return out


def _paved(tile: U8) -> list[U8]:
    """The tile laid 2, 4 and 8 times each way, each half as fine: wide enough not to wrap."""
    return [np.tile(level, (2 << i, 2 << i)) for i, level in enumerate(pyramid(tile, 3))]


@dataclass(frozen=True)
class Textures:
    """All textures of a town; each facade and crown comes with its halvings."""

    facades: list[list[U8]]
    crowns: list[list[U8]]
    hedge: list[U8]
    masonry: list[U8]
    ground: list[U8]

    @staticmethod
    def make(seed: int, kerb_m: float) -> Textures:
        """Paint them; about 0.4 s."""
        rs = np.random.RandomState((seed * 7919 + 17) % (1 << 32))
        order = rs.permutation(len(WALL_COLORS))
        facades = []
        for i in range(12):
            color = np.array(WALL_COLORS[order[i % len(order)]]) * rs.uniform(0.8, 1.1)
            facades.append(pyramid(facade(rs, (color[0], color[1], color[2])), 4))
        return Textures(
            facades,
            [pyramid(crown(rs), 4) for _ in range(9)],
            pyramid(foliage(rs), 3),
            pyramid(masonry(rs), 3),
            _paved(ground_grain(rs, kerb_m)),
        )
