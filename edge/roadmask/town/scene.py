"""Paints one moment of the street: ground, backdrop, then all things from far to near."""

from __future__ import annotations

import math

import cv2
import numpy as np

from roadmask.town import people, vehicles
from roadmask.town.canvas import (
    BUILDING,
    F64,
    FENCE,
    ROAD,
    SIDEWALK,
    TERRAIN,
    U8,
    VEGETATION,
    WALL,
    Camera,
    Canvas,
    Color,
)
from roadmask.town.furniture import draw_post
from roadmask.town.layout import (
    BLOCK_M,
    CROSSING_M,
    Block,
    Building,
    Human,
    Item,
    Plan,
    Post,
    Strip,
    Tree,
    Vehicle,
)
from roadmask.town.textures import (
    FACADE_H_M,
    FACADE_PX_PER_M,
    GROUND_PX,
    GROUND_TILE_M,
    Textures,
)
from roadmask.town.weather import State

FAR_M = 150.0
_ASPHALT = np.array((112.0, 108.0, 106.0))
_PAVING = np.array((150.0, 153.0, 156.0))
_GRASS = np.array((58.0, 112.0, 92.0))
_PAINT = np.array((190.0, 192.0, 192.0))  # times the brightest grain, still under GLOW


class Scene:
    """Painter of one town's street."""

    def __init__(self, plan: Plan, textures: Textures, skies: list[U8], canvas: Canvas) -> None:
        self._plan, self._tex, self._skies, self._canvas = plan, textures, skies, canvas
        rs = np.random.RandomState((plan.seed * 65537 + 11) % (1 << 32))
        n = 512
        rise = np.repeat(rs.uniform(4, 13, n // 8), 8) * np.repeat(rs.rand(n // 8) > 0.3, 8)
        wood = 5 + 2.5 * np.sin(np.arange(n) / 9.0) + rs.uniform(0, 1.6, n)
        self._skyline, self._skyline_is_house = np.maximum(rise, wood), rise > wood
        self._road_gain = rs.uniform(0.8, 1.15)
        self._pave_tint = rs.uniform(0.88, 1.08, 3)

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
        self._paint_ground(blocks)
        self._grain(items)
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
        return np.append(self._now.haze_color, 1 - math.exp(-max(z, 0.0) / self._now.haze_m))

    def _lut(self, z: float, tint: Color, gain: float, slot: int) -> U8:
        """Recolouring table ``(1, 256, 4)`` of a texture at distance ``z``."""
        haze = self._haze(z)
        v = np.arange(256, dtype=np.float64)[:, None] * (np.array(tint) * gain)
        v = np.clip(v, 0, 238) * (1 - haze[3]) + haze[:3] * haze[3]
        lut = np.empty((1, 256, 4), np.uint8)
        lut[0, :, :3] = v
        lut[0, 246:, :3] = np.arange(246, 256)[:, None]  # lit panes stay lit
        lut[0, :, 3] = slot
        return lut

    def _paint_sky(self) -> None:
        canvas, camera, now = self._canvas, self._camera, self._now
        bottom = min(max(round(camera.horizon_px) + 2, 1), canvas.height)
        span = self._skies[0].shape[1]
        # The panorama turns with the car and drifts with the wind.
        turn = camera.curve.slope(camera.s) * camera.focal_px + 1.2 * self._time
        x = round(turn) % span
        rows = slice(max(self._skies[0].shape[0] - bottom, 0), self._skies[0].shape[0])
        clear, grey, evening = (self._window(s[rows], x) for s in self._skies)
        view = canvas.plane[: clear.shape[0]]
        cloud = min(max((now.cloud - 0.3) / 0.6, 0.0), 1.0)
        if now.dusk >= 0.999:
            view[:] = evening
            return
        if cloud <= 0:
            view[:] = clear
        elif cloud >= 1:
            view[:] = grey
        else:
            cv2.addWeighted(clear, 1 - cloud, grey, cloud, 0, view)
        if now.dusk > 0:
            cv2.addWeighted(view, 1 - now.dusk, evening, now.dusk, 0, view)

    def _window(self, panorama: U8, x: int) -> U8:
        w = self._canvas.width
        if x + w <= panorama.shape[1]:
            return panorama[:, x : x + w]
        return np.concatenate((panorama[:, x:], panorama[:, : x + w - panorama.shape[1]]), 1)

    def _band(self, sa: float, sb: float, d0: float, d1: float, color: F64, slot: int) -> None:
        """A stretch of ground from ``sa`` to ``sb`` between two distances from the middle."""
        sa = max(sa, self._camera.s + 0.8)
        sb = min(sb, self._camera.s + FAR_M + 60)
        if sb - sa < 0.05:
            return
        s = np.linspace(sa, sb, 2 + int((sb - sa) / 7))
        edge = np.concatenate((np.full_like(s, d0), np.full_like(s, d1)))
        points = self._camera.project(np.concatenate((s, s[::-1])), edge, 0.0)
        self._canvas.polygon(points, color.tolist(), slot)

    def _quads(self, s0: F64, s1: F64, d0: F64, d1: F64, color: F64, slot: int) -> None:
        """Rectangles on the ground, arrays of one length."""
        s0 = np.maximum(s0, self._camera.s + 0.8)
        keep = s1 > s0 + 0.02
        if not keep.any():
            return
        s0, s1, d0, d1 = s0[keep], s1[keep], d0[keep], d1[keep]
        s = np.stack((s0, s1, s1, s0), 1)
        d = np.stack((d0, d0, d1, d1), 1)
        self._canvas.polygons(self._camera.project(s, d, 0.0), [color.tolist()] * len(s), slot)

    def _paint_ground(self, blocks: list[Block]) -> None:
        canvas, plan, camera = self._canvas, self._plan, self._camera
        top = max(round(camera.horizon_px), 0)
        canvas.plane[top:] = (*(_GRASS * 0.95).tolist(), TERRAIN)
        kerb, s_far = plan.kerb, camera.s + FAR_M + 60
        asphalt = _ASPHALT * self._road_gain
        paving = _PAVING * self._pave_tint
        for b in blocks:
            end = b.s + BLOCK_M
            for side, ground in ((-1, b.left), (1, b.right)):
                outer = kerb + ground.pavement
                self._band(b.s, end, side * kerb, side * outer, paving, SIDEWALK)
                if ground.strip > 0:
                    color = _GRASS if ground.strip_is_grass else paving * 0.93
                    slot = TERRAIN if ground.strip_is_grass else SIDEWALK
                    self._band(b.s, end, side * outer, side * (outer + ground.strip), color, slot)
                self._band(
                    b.s, end, side * (kerb - 0.02), side * (kerb + 0.16), paving * 1.13, SIDEWALK
                )
        self._band(camera.s, s_far, -kerb, kerb, asphalt, ROAD)
        for b in blocks:
            if b.crossing:
                near, far = b.s, b.s + CROSSING_M
                for side in (-1, 1):
                    self._band(near + 2, far - 2, side * kerb, side * 90, asphalt * 0.97, ROAD)
                    for s in (near, far - 2):
                        self._band(s, s + 2, side * (kerb + 2.5), side * 90, paving, SIDEWALK)
                        self._band(
                            s, s + 2, side * (kerb - 0.1), side * (kerb + 2.6), asphalt, ROAD
                        )
            patches = np.array(b.patches)
            for s, d, length, width, gain in patches.tolist():
                self._quads(
                    np.array((s,)), np.array((s + length,)), np.array((d - width / 2,)),
                    np.array((d + width / 2,)), np.clip(asphalt * gain, 0, 235), ROAD,
                )  # fmt: skip
            self._markings(b)

    def _markings(self, b: Block) -> None:
        plan, camera = self._plan, self._camera
        if b.s > camera.s + FAR_M:
            return
        paint = _PAINT
        first = b.s + (CROSSING_M + 5 if b.crossing else 0)
        last = b.s + BLOCK_M - 5
        dash = np.arange(first, last, 6.0)
        zero = np.zeros_like(dash)
        self._quads(dash, dash + 3.0, zero - 0.07, zero + 0.07, paint, ROAD)
        if plan.parking:
            for side in (-1, 1):
                d = zero + side * (plan.kerb - 2.25)
                self._quads(dash, dash + 1.2, d - 0.05, d + 0.05, paint, ROAD)
        else:
            for side in (-1, 1):
                d = side * (plan.kerb - 0.35)
                self._band(first, last + 3, d - 0.06, d + 0.06, paint, ROAD)
        if not b.crossing:
            return
        bars = np.arange(-plan.kerb + 0.3, plan.kerb - 0.3, 1.0)
        one = np.ones_like(bars)
        for s in (b.s - 3.6, b.s + CROSSING_M + 1.0):
            self._quads(one * s, one * (s + 2.8), bars, bars + 0.5, paint, ROAD)
        edge = plan.kerb - (2.3 if plan.parking else 0.4)
        self._quads(*(np.array((x,)) for x in (b.s - 5.2, b.s - 4.8, 0.1, edge)), paint, ROAD)
        # An arrow ahead of the stop line.
        s, d = b.s - 14.0, plan.lane
        self._quads(*(np.array((x,)) for x in (s, s + 2.2, d - 0.09, d + 0.09)), paint, ROAD)
        if s > camera.s + 1:
            head = camera.project(
                np.array((s + 2.2, s + 3.6, s + 2.2)), np.array((d - 0.38, d, d + 0.38)), 0.0
            )
            self._canvas.polygon(head, paint.tolist(), ROAD)

    def _grain(self, items: list[Item]) -> None:
        """Multiply the ground by its grain and by the shadows that fall on it, then by haze."""
        canvas, camera = self._canvas, self._camera
        top = max(int(camera.horizon_px) + 2, 0)
        rows = canvas.height - top
        if rows < 2:
            return
        f = camera.focal_px
        v = np.arange(top, canvas.height, dtype=np.float64) - camera.horizon_px
        z = f * camera.height_m / np.maximum(v, 0.6)
        shift = camera.lateral(camera.s + z)
        u = np.arange(canvas.width, dtype=np.float32) - (canvas.width - 1) / 2
        gain = np.empty((rows, canvas.width), np.uint8)
        bounds = (0.0, 11.0, 26.0, 60.0, 1e9)
        base = camera.s % GROUND_TILE_M
        for level in range(4):
            picked = np.nonzero((z > bounds[level]) & (z <= bounds[level + 1]))[0]
            if len(picked) == 0:
                continue
            a, b = int(picked[0]), int(picked[-1]) + 1
            texture = self._tex.ground[level]
            px = (GROUND_PX >> level) / GROUND_TILE_M
            zz = np.minimum(z[a:b], 400.0)
            map_x = np.multiply.outer((zz * (px / f)).astype(np.float32), u)
            map_x += (-shift[a:b] * px).astype(np.float32)[:, None]
            map_y = np.repeat(((base + zz) * px).astype(np.float32)[:, None], canvas.width, 1)
            cv2.remap(texture, map_x, map_y, cv2.INTER_LINEAR, gain[a:b], cv2.BORDER_WRAP)
        shade = self._shadows(items, top, rows)
        cv2.multiply(gain, shade, gain, 1 / 255)
        ground = canvas.plane[top:]
        four = cv2.merge((gain, gain, gain, np.full_like(gain, 128)))
        cv2.multiply(ground, four, ground, 1 / 128)
        far = int(np.count_nonzero(z > 25))
        if far:
            mix = (1 - np.exp(-z[:far] / self._now.haze_m)).astype(np.float32)[:, None, None]
            part = ground[:far, :, :3]
            part[:] = part + (self._now.haze_color.astype(np.float32) - part) * mix

    def _shadows(self, items: list[Item], top: int, rows: int) -> U8:
        """Light that reaches the ground ``(rows, W) uint8``, 255 = all; soft at the edges."""
        camera, now = self._camera, self._now
        w, h = max(2, self._canvas.width // 4), max(2, rows // 4)
        shade = np.full((h, w), 255, np.uint8)
        cast = round(255 * (1 - now.shadow))
        contact = 110 + round(30 * now.dusk)
        reach = 1.0 / math.tan(now.elevation)
        ds, dd = -math.cos(now.azimuth) * reach, -math.sin(now.azimuth) * reach

        def fill(s: F64, d: F64, value: int) -> None:
            if s.max() < camera.s + 1:
                return
            uv = camera.project(np.maximum(s, camera.s + 1.0), d, 0.0) - (0, top)
            hull = cv2.convexHull((np.clip(uv / 4, -8000, 8000)).astype(np.int32))
            cv2.fillConvexPoly(shade, hull, (value,))

        if now.shadow > 0.05:
            ring = np.arange(8) * (math.pi / 4)
            for i in items:
                if isinstance(i, Building) and i.side * dd < 0:
                    a, b, front = i.s, i.s_end, i.side * i.front
                    up = i.height + i.roof * 0.5
                    fill(
                        np.array((a, b, b + ds * up, a + ds * up)),
                        np.array((front, front, front + dd * up, front + dd * up)),
                        cast,
                    )
                elif isinstance(i, Tree):
                    up = (i.height + i.trunk) / 2
                    radius = i.spread * 0.42
                    fill(
                        i.s + ds * up + radius * np.cos(ring) * 1.2,
                        i.d + dd * up + radius * np.sin(ring),
                        cast + 8,
                    )
                elif isinstance(i, Vehicle):
                    box = np.array(((-2.1, -0.9), (2.1, -0.9), (2.1, 0.9), (-2.1, 0.9)))
                    s, d = i.s + box[:, 0], i.d + box[:, 1]
                    fill(np.concatenate((s, s + ds * 1.4)), np.concatenate((d, d + dd * 1.4)), cast)
                elif isinstance(i, Human):
                    s, d = (
                        i.s + np.array((0, 0.2, 0, 0.2)),
                        i.d + np.array((-0.15, 0.15, -0.15, 0.15)),
                    )
                    fill(np.concatenate((s, s + ds * 1.7)), np.concatenate((d, d + dd * 1.7)), cast)
        for i in items:
            if isinstance(i, Vehicle):
                half = vehicles.solid(i.kind).length / 2 * i.size[1]
                fill(
                    i.s + np.array((-half, half, half, -half)),
                    i.d + np.array((-0.9, -0.9, 0.9, 0.9)),
                    contact,
                )
            elif isinstance(i, Human) and i.s < camera.s + 40:
                fill(
                    i.s + np.array((-0.2, 0.2, 0.2, -0.2)),
                    i.d + np.array((-0.2, -0.2, 0.2, 0.2)),
                    165,
                )
        cv2.GaussianBlur(shade, (5, 5), 0, shade)
        return cv2.resize(shade, (self._canvas.width, rows), interpolation=cv2.INTER_LINEAR)

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
        house = self._skyline_is_house[index]
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
        if z0 > 2.0:
            lut = self._lut(z0, b.tint, 0.8 + 0.25 * max(0.0, -float(light[1])), BUILDING)
            if b.roof > 0:
                mid = (front + back) / 2
                gable = camera.project(
                    np.array((b.s, b.s, b.s)),
                    np.array((front, back, mid)),
                    np.array((b.height - 0.1, b.height - 0.1, b.height + b.roof)),
                )
                tone = lut[0, 130, :3].tolist()
                canvas.polygon(gable, tone, BUILDING)
            self._wall(b, lut, np.full(2, b.s), np.array((front, back)), min(b.depth, 23.9), z0)
        start = max(b.s, camera.s + 2.5)
        if z1 < 3.0:
            return
        span = np.array((start, b.s_end))
        near = max(z0, 4.0)
        z = math.sqrt(near * max(z1, near))
        gain = 0.84 + 0.3 * max(0.0, -b.side * float(light[0]))
        if b.roof > 0:
            color = np.array(b.roof_color) * (0.8 + 0.4 * float(light[2]))
            haze = self._haze(z)
            color = np.clip(color * (1 - haze[3]) + haze[:3] * haze[3], 0, 235)
            mid = b.side * (b.front + min(b.depth, 10) / 2)
            over = b.side * (b.front - 0.4)
            roof = camera.project(
                np.array((start, b.s_end, b.s_end, start)),
                np.array((over, over, mid, mid)),
                np.array((b.height - 0.1, b.height - 0.1, b.height + b.roof, b.height + b.roof)),
            )
            canvas.polygon(roof, color.tolist(), BUILDING)
        lut = self._lut(z, b.tint, gain, BUILDING)
        self._wall(b, lut, span, np.full(2, front), b.s_end - start, z, start - b.s)

    def _wall(
        self, b: Building, lut: U8, s: F64, d: F64, length: float, z: float, skip: float = 0.0
    ) -> None:
        """Paint a wall from ``(s, d)[0]`` to ``(s, d)[1]``, ``length`` metres of facade."""
        level = min(max(int(math.log2(FACADE_PX_PER_M * z / self._camera.focal_px) + 0.4), 0), 3)
        texture = self._tex.facades[b.style][level]
        px = FACADE_PX_PER_M / (1 << level)
        height = min(b.height, FACADE_H_M)
        x0 = min(b.column + skip, 24.0 - length) * px if length < 24 else 0.0
        x1 = x0 + length * px - 1
        y0, y1 = (FACADE_H_M - height) * px, FACADE_H_M * px - 1
        corners = self._camera.project(
            np.array((s[0], s[1], s[1], s[0])),
            np.array((d[0], d[1], d[1], d[0])),
            np.array((0.0, 0.0, b.height, b.height)),
        )
        source = np.array(((x0, y1), (x1, y1), (x1, y0), (x0, y0)))
        self._canvas.quad(corners, texture, source, lut)

    def _strip(self, b: Strip) -> None:
        camera = self._camera
        start = max(b.s, camera.s + 2.2)
        if b.s_end - start < 0.3:
            return
        z = math.sqrt(max(b.s - camera.s, 4.0) * max(b.s_end - camera.s, 4.0))
        level = min(max(int(math.log2(32 * z / camera.focal_px) + 0.4), 0), 2)
        px = 32 / (1 << level)
        texture = (self._tex.hedge if b.kind == "hedge" else self._tex.masonry)[level]
        slot = {"hedge": VEGETATION, "wall": WALL, "fence": FENCE}[b.kind]
        tint = b.tint if b.kind != "fence" else (b.tint[0] * 0.5, b.tint[1] * 0.62, b.tint[2] * 0.8)
        lut = self._lut(z, tint, 1.0, slot)
        d = b.side * b.front
        for near_end in (True, False):
            if near_end:  # the end that faces us gives it thickness
                if b.s < camera.s + 2.2:
                    continue
                s, dd, length = (b.s, b.s), (d, d + b.side * 0.6), 0.6
            else:
                s, dd, length = (start, b.s_end), (d, d), min(b.s_end - start, 23.9)
            corners = camera.project(
                np.array((s[0], s[1], s[1], s[0])),
                np.array((dd[0], dd[1], dd[1], dd[0])),
                np.array((0.0, 0.0, b.height, b.height)),
            )
            y1 = 4 * px - 1
            source = np.array(
                (
                    (0, y1),
                    (length * px, y1),
                    (length * px, y1 - b.height * px),
                    (0, y1 - b.height * px),
                )
            )
            self._canvas.quad(corners, texture, source, lut)

    def _tree(self, t: Tree) -> None:
        camera, canvas = self._camera, self._canvas
        z = t.s - camera.s
        if z < 2.5:
            return
        scale = camera.focal_px / z
        x = (camera.width - 1) / 2 + (t.d + camera.lateral_at(t.s)) * scale
        if x < -t.spread * scale or x > camera.width + t.spread * scale:
            return
        foot = camera.horizon_px + camera.height_m * scale
        haze = self._haze(z)
        if t.trunk > 0:
            r = 0.035 * t.spread
            bark = np.array((52.0, 66.0, 78.0)) * (1 - haze[3]) + haze[:3] * haze[3]
            top = foot - (t.trunk + (t.height - t.trunk) * 0.45) * scale
            for a, b, g in ((-1.0, 1.0, 1.0), (0.1, 1.0, 0.72)):
                trunk = np.array(
                    (
                        (x + 1.25 * a * r * scale, foot),
                        (x + 1.25 * b * r * scale, foot),
                        (x + 0.6 * b * r * scale, top),
                        (x + 0.6 * a * r * scale, top),
                    )
                )
                canvas.polygon(trunk, (bark * g).tolist(), VEGETATION)
        lut = self._lut(z, t.tint, 0.95 + 0.2 * float(self._now.light[2]), VEGETATION)
        w, h = t.spread * scale, (t.height - t.trunk) * scale
        levels = self._tex.crowns[t.crown]
        level = min(max(int(math.log2(256 / max(w, 1.0)) + 0.3), 0), len(levels) - 1)
        canvas.sprite(x - w / 2, foot - t.height * scale, w, h, levels[level], lut)


def _end(item: Item) -> float:
    return item.s_end if isinstance(item, (Building, Strip)) else item.s


def _reach(item: Item) -> float:
    return item.front if isinstance(item, (Building, Strip)) else abs(item.d)
