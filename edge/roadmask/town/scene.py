"""Paints one moment of the street: ground, backdrop, then all things from far to near."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import cv2
import numpy as np

from roadmask.arrays import F64, U8
from roadmask.town import people, vehicles
from roadmask.town.canvas import (
    BUILDING,
    FENCE,
    GLOW,
    VEGETATION,
    WALL,
    Camera,
    Canvas,
    Color,
    Point,
)
from roadmask.town.furniture import draw_post
from roadmask.town.ground import FAR_M, GroundPainter
from roadmask.town.layout import Plan
from roadmask.town.textures import (
    FACADE_H_M,
    FACADE_PX_PER_M,
    Textures,
)
from roadmask.town.things import Block, Building, Human, Item, Post, Strip, Tree, Vehicle
from roadmask.town.weather import State, haze_color

_CACHE_BYTES = 48 << 20


class Scene:
    """Painter of one town's street."""

    def __init__(self, plan: Plan, textures: Textures, skies: list[U8], canvas: Canvas) -> None:
        self._plan, self._tex, self._skies, self._canvas = plan, textures, skies, canvas
        rs = np.random.RandomState((plan.seed * 65537 + 11) % (1 << 32))
        n = 512
        rise = np.repeat(rs.uniform(4, 13, n // 8), 8) * np.repeat(rs.rand(n // 8) > 0.3, 8)
        wood = 5 + 2.5 * np.sin(np.arange(n) / 9.0) + rs.uniform(0, 1.6, n)
        self._skyline, self._skyline_is_house = np.maximum(rise, wood), rise > wood
        self._cache: OrderedDict[tuple[object, ...], U8] = OrderedDict()
        self._cached_bytes = 0
        self._ground = GroundPainter(plan, textures.ground, canvas, rs)

    def paint(
        self, camera: Camera, now: State, blocks: list[Block], movers: list[Item], t: float
    ) -> None:
        """Paint the whole frame into the canvas."""
        self._canvas.begin()
        self._now, self._camera, self._time = now, camera, t
        items = [i for b in blocks for i in b.items if _end(i) > camera.s + 0.5]
        items += movers
        items = [i for i in items if camera.s + 0.3 < _end(i) and i.s < camera.s + FAR_M]
        # Far to near; of things that end together, the one further from the street goes first.
        items.sort(key=lambda i: (-_end(i), -_reach(i)))
        self._paint_sky()
        self._ground.paint(camera, now, blocks, items)
        self._paint_backdrop()
        for item in items:
            if isinstance(item, Building):
                self._building(item)
            elif isinstance(item, Tree):
                self._tree(item)
            elif isinstance(item, Strip):
                self._strip(item)
            else:
                haze = self._haze(item.s - camera.s)
                if isinstance(item, Vehicle):
                    vehicles.draw(self._canvas, camera, item, now.light, now.dusk, haze)
                elif isinstance(item, Human):
                    people.draw(self._canvas, camera, item, now.light, now.dusk, haze)
                elif isinstance(item, Post):
                    draw_post(self._canvas, camera, item, t, now.dusk, haze)

    def _haze(self, z: float) -> F64:
        out = np.empty(4)
        out[:3] = self._now.haze_color
        out[3] = 1 - math.exp(-max(z, 0.0) / self._now.haze_m)
        return out

    def _hazed(self, color: Sequence[float], z: float, gain: float = 1.0) -> Color:
        """A plain colour as it looks from ``z`` metres away."""
        h = self._now.haze_color
        a = 1 - math.exp(-max(z, 0.0) / self._now.haze_m)
        b, g, r = (min(c * gain, 235.0) * (1 - a) for c in color)
        return (b + float(h[0]) * a, g + float(h[1]) * a, r + float(h[2]) * a)

    def _tinted(
        self, kind: str, which: int, level: int, tint: Color, gain: float, z: float, slot: int
    ) -> U8:
        """A texture recoloured for tint, light and haze; kept, for the next frame needs it too.

        Light and haze come in steps, so that a kept texture serves many frames and a frame looks
        the same whatever was painted before it.
        """
        now = self._now
        share = 1 - math.exp(-max(z, 0.0) / now.haze_m)
        weather = (round(now.cloud * 12), round(now.dusk * 12))
        key = (kind, which, level, tint, round(gain * 16), round(share * 16), *weather, slot)
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        haze = haze_color(weather[0] / 12, weather[1] / 12)
        share = round(share * 16) / 16
        v = np.arange(256, dtype=np.float64)[:, None] * (np.array(tint) * (round(gain * 16) / 16))
        lut = np.empty((1, 256, 4), np.uint8)
        lut[0, :, :3] = v.clip(0, 238) * (1 - share) + haze * share
        lut[0, GLOW:, :3] = np.arange(GLOW, 256)[:, None]  # lit panes stay lit
        lut[0, :, 3] = np.arange(256) if kind == "crown" else slot
        source = {
            "facade": self._tex.facades, "crown": self._tex.crowns,
            "hedge": [self._tex.hedge], "masonry": [self._tex.masonry],
        }[kind][which][level]  # fmt: skip
        # Channel by channel: OpenCV's one-channel table look-up is many times quicker.
        channels = [
            cv2.LUT(c, np.ascontiguousarray(lut[0, :, i])) for i, c in enumerate(cv2.split(source))
        ]
        image: U8 = np.asarray(cv2.merge(channels), np.uint8)
        self._cache[key] = image
        self._cached_bytes += image.nbytes
        while self._cached_bytes > _CACHE_BYTES:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return image

    def _paint_sky(self) -> None:
        canvas, camera, now = self._canvas, self._camera, self._now
        bottom = min(max(round(camera.horizon_px) + 2, 1), canvas.height)
        span = self._skies[0].shape[1]
        # The panorama turns with the car and drifts with the wind.
        turn = camera.curve.slope(camera.s) * camera.focal_px + 1.2 * self._time
        x = round(turn) % span
        rows = slice(max(self._skies[0].shape[0] - bottom, 0), self._skies[0].shape[0])
        view = canvas.plane[: rows.stop - rows.start]
        cloud = min(max((now.cloud - 0.3) / 0.6, 0.0), 1.0)
        shares = ((1 - cloud) * (1 - now.dusk), cloud * (1 - now.dusk), now.dusk)
        seen = [(self._skies[i][rows], share) for i, share in enumerate(shares) if share > 0.004]
        self._window(seen[0][0], x, view)
        total = seen[0][1]
        for panorama, share in seen[1:]:
            total += share
            other = self._window(panorama, x, np.empty_like(view))
            cv2.addWeighted(view, 1 - share / total, other, share / total, 0, view)

    def _window(self, panorama: U8, x: int, out: U8) -> U8:
        w = self._canvas.width
        first = min(panorama.shape[1] - x, w)
        out[:, :first] = panorama[:, x : x + first]
        if first < w:
            out[:, first:] = panorama[:, : w - first]
        return out

    def _paint_backdrop(self) -> None:
        """The town beyond the street: a hazy line of roofs and woods on the horizon."""
        camera, canvas = self._camera, self._canvas
        haze = self._haze(FAR_M + 60)
        n = len(self._skyline)
        step = camera.width / 90
        turn = camera.curve.slope(camera.s) * camera.focal_px / step
        first, part = math.floor(turn), turn % 1
        up = camera.focal_px / (FAR_M + 60)
        base = camera.horizon_px + camera.height_m * up + 1
        index = (first + np.arange(93)) % n
        x = (np.arange(93) - part - 1) * step
        y = camera.horizon_px - self._skyline[index] * up
        house: list[bool] = self._skyline_is_house[index].tolist()
        wall = (np.array((128.0, 132.0, 140.0)) * (1 - haze[3]) + haze[:3] * haze[3]).tolist()
        wood = (np.array((52.0, 84.0, 70.0)) * (1 - haze[3]) + haze[:3] * haze[3]).tolist()
        i = 0
        while i < 92:
            j = i
            while j < 92 and house[j] == house[i]:
                j += 1
            xs, ys = x[i : j + 1], y[i : j + 1]
            if house[i]:
                xs, ys = np.repeat(x[i : j + 1], 2)[1:-1], np.repeat(y[i:j], 2)
            points = np.stack(
                (np.concatenate(([xs[0]], xs, [xs[-1]])), np.concatenate(([base], ys, [base]))), 1
            )
            canvas.polygon(points, wall if house[i] else wood, BUILDING if house[i] else VEGETATION)
            i = j

    def _building(self, b: Building) -> None:
        camera, canvas = self._camera, self._canvas
        z0, z1 = b.s - camera.s, b.s_end - camera.s
        light = self._now.light
        front, back = b.side * b.front, b.side * (b.front + b.depth)
        under_roof = min(b.depth, 13.0)
        middle = b.side * (b.front + under_roof / 2)
        eaves, ridge = b.height - 0.1, b.height + b.roof
        if z0 > 2.0 and b.bare:
            gain = 0.8 + 0.25 * max(0.0, -float(light[1]))
            if b.roof > 0:
                gable = [
                    camera.point(b.s, front, eaves),
                    camera.point(b.s, b.side * (b.front + under_roof), eaves),
                    camera.point(b.s, middle, ridge),
                ]
                tone = self._hazed([130 * c for c in b.tint], z0, gain)
                canvas.polygon(gable, tone, BUILDING)
            self._wall(b, gain, (b.s, b.s), (front, back), min(b.depth, 23.9), z0, 0.0)
        start = max(b.s, camera.s + 2.5)
        if z1 < 3.0:
            return
        near = max(z0, 4.0)
        z = math.sqrt(near * max(z1, near))
        gain = 0.84 + 0.3 * max(0.0, -b.side * float(light[0]))
        if b.roof > 0:
            over = b.side * (b.front - 0.4)
            roof = [
                camera.point(start, front, b.height),
                camera.point(b.s_end, front, b.height),
                camera.point(b.s_end, middle, ridge),
                camera.point(start, middle, ridge),
            ]
            tone = self._hazed(b.roof_color, z, 0.8 + 0.4 * float(light[2]))
            canvas.polygon(roof, tone, BUILDING)
        self._wall(b, gain, (start, b.s_end), (front, front), b.s_end - start, z, start - b.s)
        if b.roof > 0:  # the underside of the eaves, a dark line over the wall
            soffit = [
                camera.point(start, front, b.height),
                camera.point(b.s_end, front, b.height),
                camera.point(b.s_end, over, eaves),
                camera.point(start, over, eaves),
            ]
            canvas.polygon(soffit, self._hazed(b.roof_color, z, 0.5), BUILDING)

    def _wall(
        self, b: Building, gain: float, s: Point, d: Point, length: float, z: float, skip: float
    ) -> None:
        """Paint a wall from ``(s, d)[0]`` to ``(s, d)[1]``, ``length`` metres of facade."""
        point = self._camera.point
        corners = np.array(
            (
                point(s[0], d[0], 0.0),
                point(s[1], d[1], 0.0),
                point(s[1], d[1], b.height),
                point(s[0], d[0], b.height),
            )
        )
        if max(corners[0, 0], corners[1, 0]) < 0 or (
            min(corners[0, 0], corners[1, 0]) > self._canvas.width
        ):
            return
        level = min(max(int(math.log2(FACADE_PX_PER_M * z / self._camera.focal_px) + 0.4), 0), 3)
        texture = self._tinted("facade", b.style, level, b.tint, gain, z, BUILDING)
        px = FACADE_PX_PER_M / (1 << level)
        height = min(b.height, FACADE_H_M)
        x0 = min(b.column + skip, 24.0 - length) * px
        x1 = x0 + length * px - 1
        y0, y1 = (FACADE_H_M - height) * px, FACADE_H_M * px - 1
        source = np.array(((x0, y1), (x1, y1), (x1, y0), (x0, y0)))
        smooth = px * z < 0.6 * self._camera.focal_px
        self._canvas.quad(corners, texture, source, smooth)

    def _strip(self, b: Strip) -> None:
        camera = self._camera
        start = max(b.s, camera.s + 2.2)
        if b.s_end - start < 0.3:
            return
        z = math.sqrt(max(b.s - camera.s, 4.0) * max(b.s_end - camera.s, 4.0))
        level = min(max(int(math.log2(32 * z / camera.focal_px) + 0.4), 0), 2)
        px = 32 / (1 << level)
        slot = {"hedge": VEGETATION, "wall": WALL, "fence": FENCE}[b.kind]
        tint = b.tint if b.kind != "fence" else (b.tint[0] * 0.5, b.tint[1] * 0.62, b.tint[2] * 0.8)
        kind = "hedge" if b.kind == "hedge" else "masonry"
        texture = self._tinted(kind, 0, level, tint, 1.0, z, slot)
        d = b.side * b.front
        ends = [((start, b.s_end), (d, d), min(b.s_end - start, 23.9))]
        if b.s > camera.s + 2.2:  # the end that faces us gives it thickness
            ends.insert(0, ((b.s, b.s), (d, d + b.side * 0.6), 0.6))
        y0, y1 = (4 - b.height) * px - 1, 4 * px - 1
        for s, dd, length in ends:
            corners = np.array(
                (
                    camera.point(s[0], dd[0], 0.0),
                    camera.point(s[1], dd[1], 0.0),
                    camera.point(s[1], dd[1], b.height),
                    camera.point(s[0], dd[0], b.height),
                )
            )
            source = np.array(((0, y1), (length * px, y1), (length * px, y0), (0, y0)))
            self._canvas.quad(corners, texture, source, px * z < 0.6 * camera.focal_px)

    def _tree(self, t: Tree) -> None:
        camera, canvas = self._camera, self._canvas
        z = t.s - camera.s
        if z < 2.5:
            return
        scale = camera.focal_px / z
        x, foot = camera.point(t.s, t.d, 0.0)
        if x < -t.spread * scale or x > camera.width + t.spread * scale:
            return
        if t.trunk > 0:
            r = 0.035 * t.spread * scale
            top = foot - (t.trunk + (t.height - t.trunk) * 0.45) * scale
            for a, gain in ((-1.0, 1.0), (0.1, 0.72)):
                trunk = [
                    (x + 1.25 * a * r, foot),
                    (x + 1.25 * r, foot),
                    (x + 0.6 * r, top),
                    (x + 0.6 * a * r, top),
                ]
                canvas.polygon(trunk, self._hazed((52.0, 66.0, 78.0), z, gain), VEGETATION)
        w, h = t.spread * scale, (t.height - t.trunk) * scale
        levels = len(self._tex.crowns[t.crown])
        level = min(max(int(math.log2(256 / max(w, 1.0)) + 0.3), 0), levels - 1)
        gain = 0.95 + 0.2 * float(self._now.light[2])
        image = self._tinted("crown", t.crown, level, t.tint, gain, z, VEGETATION)
        canvas.sprite(x - w / 2, foot - t.height * scale, w, h, image, VEGETATION)


def _end(item: Item) -> float:
    return item.s_end if isinstance(item, (Building, Strip)) else item.s


def _reach(item: Item) -> float:
    return item.front if isinstance(item, (Building, Strip)) else abs(item.d)
