"""Paints one moment of the street: ground, backdrop, then all things from far to near."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import cv2
import numpy as np

from roadmask.town import people, vehicles
from roadmask.town.canvas import (
    BUILDING,
    F64,
    FENCE,
    GLOW,
    ROAD,
    SIDEWALK,
    TERRAIN,
    U8,
    VEGETATION,
    WALL,
    Camera,
    Canvas,
    Color,
    Point,
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
from roadmask.town.weather import State, haze_color

FAR_M = 130.0
_CACHE_BYTES = 48 << 20
# Times the brightest grain this is still under GLOW.
_PAINT: Color = (190.0, 192.0, 192.0)
_FOOTPRINT: tuple[Point, ...] = ((-2.1, -0.9), (2.1, -0.9), (2.1, 0.9), (-2.1, 0.9))
_OCTAGON: tuple[Point, ...] = tuple(
    (math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)
)


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
        self._neutral = np.full((canvas.height, canvas.width), 128, np.uint8)
        gain = rs.uniform(0.8, 1.15)
        self._asphalt: Color = (112 * gain, 108 * gain, 106 * gain)
        b, g, r = (rs.uniform(0.88, 1.08, 3) * (150, 153, 156)).tolist()
        self._paving: Color = (b, g, r)
        self._kerbstone: Color = (b * 1.13, g * 1.13, r * 1.13)

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
        key = (kind, which, level, tint, round(gain * 16), round(share * 24), *weather, slot)
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        haze = haze_color(weather[0] / 12, weather[1] / 12)
        share = round(share * 24) / 24
        v = np.arange(256, dtype=np.float64)[:, None] * (np.array(tint) * (round(gain * 16) / 16))
        lut = np.empty((1, 256, 4), np.uint8)
        lut[0, :, :3] = v.clip(0, 238) * (1 - share) + haze * share
        lut[0, GLOW:, :3] = np.arange(GLOW, 256)[:, None]  # lit panes stay lit
        lut[0, :, 3] = np.arange(256) if kind == "crown" else slot
        source = {
            "facade": self._tex.facades, "crown": self._tex.crowns,
            "hedge": [self._tex.hedge], "masonry": [self._tex.masonry],
        }[kind][which][level]  # fmt: skip
        image: U8 = np.empty_like(source)
        cv2.LUT(source, lut, image)
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

    def _band(
        self, sa: float, sb: float, d0: float, d1: float, color: Sequence[float], slot: int
    ) -> None:
        """A stretch of ground from ``sa`` to ``sb`` between two distances from the middle."""
        camera = self._camera
        sa = max(sa, camera.s + 0.8)
        sb = min(sb, camera.s + FAR_M + 60)
        if sb - sa < 0.05:
            return
        # Straight pieces, longer further away, where a bend shows less.
        at, s = [sa], sa
        while s < sb:
            s = min(s + 3.0 + (s - camera.s) * 0.15, sb)
            at.append(s)
        left = [camera.point(s, d0, 0.0) for s in at]
        right = [camera.point(s, d1, 0.0) for s in reversed(at)]
        self._canvas.polygon(left + right, color, slot)

    def _quads(self, rows: Sequence[tuple[float, float, float, float, Sequence[float]]]) -> None:
        """Rectangles of road: from s to s, from d to d, colour; all projected at once."""
        nearest = self._camera.s + 0.8
        kept = [r for r in rows if r[1] > nearest]
        if not kept:
            return
        q = np.array([r[:4] for r in kept])
        q[:, 0] = np.maximum(q[:, 0], nearest)
        points = self._camera.project(q[:, (0, 1, 1, 0)], q[:, (2, 2, 3, 3)], 0.0)
        seen = (points[..., 0].max(1) > 0) & (points[..., 0].min(1) < self._canvas.width)
        picked = np.nonzero(seen)[0].tolist()
        self._canvas.polygons(points[picked], [kept[i][4] for i in picked], ROAD)

    def _paint_ground(self, blocks: list[Block]) -> None:
        canvas, plan, camera = self._canvas, self._plan, self._camera
        top = max(round(camera.horizon_px), 0)
        grass: Color = (58.0, 112.0, 92.0)
        cv2.rectangle(
            canvas.plane, (0, top), (canvas.width, canvas.height), (*grass, TERRAIN), cv2.FILLED
        )
        kerb, s_far = plan.kerb, camera.s + FAR_M + 60
        asphalt, paving, bright = self._asphalt, self._paving, self._kerbstone
        for b in blocks:
            end = b.s + BLOCK_M
            for side, ground in ((-1, b.left), (1, b.right)):
                outer = kerb + ground.pavement
                if not ground.strip_is_grass:
                    outer += ground.strip
                elif ground.strip > 0:
                    near, far = side * outer, side * (outer + ground.strip)
                    self._band(b.s, end, near, far, grass, TERRAIN)
                self._band(b.s, end, side * kerb, side * outer, paving, SIDEWALK)
        for side in (-1, 1):
            self._band(camera.s, s_far, side * kerb, side * (kerb + 0.16), bright, SIDEWALK)
        self._band(camera.s, s_far, -kerb, kerb, asphalt, ROAD)
        marks: list[tuple[float, float, float, float, Sequence[float]]] = []
        for b in blocks:
            if b.crossing:
                near, far = b.s, b.s + CROSSING_M
                for side in (-1, 1):
                    self._band(near + 2, far - 2, side * kerb, side * 60, asphalt, ROAD)
                    for s in (near, far - 2):
                        self._band(s, s + 2, side * (kerb + 2.5), side * 60, paving, SIDEWALK)
                        self._band(s, s + 2, side * kerb, side * (kerb + 2.6), asphalt, ROAD)
            if b.s < camera.s + FAR_M:
                for s, d, length, width, gain in b.patches:
                    tone = tuple(c * gain for c in asphalt)
                    marks.append((s, s + length, d - width / 2, d + width / 2, tone))
                self._markings(b, marks)
        self._quads(marks)

    def _markings(
        self, b: Block, marks: list[tuple[float, float, float, float, Sequence[float]]]
    ) -> None:
        plan, camera = self._plan, self._camera
        first = b.s + (CROSSING_M + 5 if b.crossing else 0)
        last = b.s + BLOCK_M - 5
        s = first
        while s < last:
            marks.append((s, s + 3.0, -0.07, 0.07, _PAINT))
            if plan.parking and s < camera.s + 60:
                for d in (plan.kerb - 2.25, 2.25 - plan.kerb):
                    marks.append((s, s + 1.2, d - 0.05, d + 0.05, _PAINT))
            s += 6.0
        if not plan.parking:
            for d in (plan.kerb - 0.35, 0.35 - plan.kerb):
                self._band(first, last + 3, d - 0.06, d + 0.06, _PAINT, ROAD)
        if not b.crossing:
            return
        for s in (b.s - 3.6, b.s + CROSSING_M + 1.0):
            bar = 0.3 - plan.kerb
            while bar < plan.kerb - 0.5:
                marks.append((s, s + 2.8, bar, bar + 0.5, _PAINT))
                bar += 1.0
        edge = plan.kerb - (2.3 if plan.parking else 0.4)
        marks.append((b.s - 5.2, b.s - 4.8, 0.1, edge, _PAINT))
        # An arrow ahead of the stop line.
        s, d = b.s - 14.0, plan.lane
        marks.append((s, s + 2.2, d - 0.09, d + 0.09, _PAINT))
        if s > camera.s + 1:
            corners = ((s + 2.2, d - 0.38), (s + 3.6, d), (s + 2.2, d + 0.38))
            self._canvas.polygon([camera.point(a, c, 0.0) for a, c in corners], _PAINT, ROAD)

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
        gain = np.full((rows, canvas.width), 128, np.uint8)
        bounds = (0.0, 10.0, 24.0, 60.0)
        base = camera.s % GROUND_TILE_M
        hc = camera.height_m
        for level, texture in enumerate(self._tex.ground):
            near, far = bounds[level], bounds[level + 1]
            picked = np.nonzero((z > near) & (z <= far))[0]
            if len(picked) == 0:
                continue
            a, b = int(picked[0]), int(picked[-1]) + 1
            # Within one distance zone the street is straight enough for one plane: its shift is
            # c0 + c1 * z, and texture coordinates are linear in (u, v, 1) over v.
            z0, z1 = max(near, 2.0), far
            at0, at1 = camera.lateral_at(camera.s + z0), camera.lateral_at(camera.s + z1)
            c1 = (at1 - at0) / (z1 - z0)
            c0 = at0 - c1 * z0
            px = (GROUND_PX >> level) / GROUND_TILE_M
            middle = float(GROUND_TILE_M * (1 << level))
            to_uv = np.array(
                ((1, 0, -camera.middle_px), (0, 1, top + a - camera.horizon_px), (0, 0, 1.0))
            )
            plane = np.array(
                (
                    (hc * px, (middle - c0) * px, -c1 * f * hc * px),
                    (0.0, base * px, f * hc * px),
                    (0.0, 1.0, 0.0),
                )
            )
            cv2.warpPerspective(
                texture,
                plane @ to_uv,
                (canvas.width, b - a),
                gain[a:b],
                cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                cv2.BORDER_REPLICATE,
            )
        # Far rows: gain and shadow give way to haze, which is added with no slot of its own.
        far = int(np.count_nonzero(z > 25))
        mix = 1 - np.exp(-z[:far] / self._now.haze_m)
        shade = self._shadows(items, top, rows, mix)
        cv2.multiply(gain, shade, gain, 1 / 255)
        ground = canvas.plane[top:]
        four = cv2.merge((gain, gain, gain, self._neutral[:rows]))
        cv2.multiply(ground, four, ground, 1 / 128)
        if far:
            veil = np.zeros((far, 1, 4), np.uint8)
            veil[:, 0, :3] = mix[:, None] * self._now.haze_color
            cv2.add(ground[:far], np.repeat(veil, canvas.width, 1), ground[:far])

    def _shadows(self, items: list[Item], top: int, rows: int, mix: F64) -> U8:
        """Light that reaches the ground ``(rows, W) uint8``, 255 = all; soft at the edges.

        ``mix`` ``(far,)`` is the haze's share in the first rows: so much less of it reaches us.
        """
        camera, now = self._camera, self._now
        w, h = max(2, self._canvas.width // 4), max(2, rows // 4)
        shade = np.full((h, w), 255, np.uint8)
        cast = round(255 * (1 - now.shadow))
        contact = 110 + round(30 * now.dusk)
        reach = 1.0 / math.tan(now.elevation)
        ds, dd = -math.cos(now.azimuth) * reach, -math.sin(now.azimuth) * reach

        def fill(corners: list[Point], value: int, *, up: float = 0.0) -> None:
            """Darken the hull of ``(s, d)`` corners and of their shadows' tips ``up`` metres on."""
            if up:
                corners = corners + [(s + ds * up, d + dd * up) for s, d in corners]
            pixels = []
            for s, d in corners:
                u, v = camera.point(max(s, camera.s + 1.0), d, 0.0)
                pixels.append((int(u * 0.25), int((v - top) * 0.25)))
            hull = cv2.convexHull(np.array(pixels, np.int32))
            cv2.fillConvexPoly(shade, hull, (value,))

        far = camera.s + 80
        for i in items if now.shadow > 0.05 else ():
            if i.s > far and not isinstance(i, Building):
                continue
            if isinstance(i, Building):
                if i.side * dd < 0:
                    front = i.side * i.front
                    fill([(i.s, front), (i.s_end, front)], cast, up=i.height + i.roof * 0.5)
            elif isinstance(i, Tree):
                up, r = (i.height + i.trunk) / 2, i.spread * 0.42
                s, d = i.s + ds * up, i.d + dd * up
                fill([(s + r * a * 1.2, d + r * b) for a, b in _OCTAGON], cast + 8)
            elif isinstance(i, Vehicle) and i.s < camera.s + 60:
                fill([(i.s + a, i.d + b) for a, b in _FOOTPRINT], cast, up=1.4)
            elif isinstance(i, Human) and i.s < camera.s + 40:
                fill([(i.s - 0.1, i.d - 0.15), (i.s + 0.1, i.d + 0.15)], cast, up=1.7)
        for i in items:
            if isinstance(i, Vehicle) and i.s < far:
                half = vehicles.solid(i.kind).length / 2 * i.size[1] / 2.1
                fill([(i.s + a * half, i.d + b) for a, b in _FOOTPRINT], contact)
            elif isinstance(i, Human) and i.s < camera.s + 30:
                fill([(i.s + a * 0.1, i.d + b * 0.22) for a, b in _FOOTPRINT], 165)
        cv2.GaussianBlur(shade, (5, 5), 0, shade)
        n = min(len(mix) // 4, h)
        if n:
            shade[:n] = shade[:n] * (1 - mix[2 : 4 * n : 4][:n, None])
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
                camera.point(start, over, eaves),
                camera.point(b.s_end, over, eaves),
                camera.point(b.s_end, middle, ridge),
                camera.point(start, middle, ridge),
            ]
            tone = self._hazed(b.roof_color, z, 0.8 + 0.4 * float(light[2]))
            canvas.polygon(roof, tone, BUILDING)
        self._wall(b, gain, (start, b.s_end), (front, front), b.s_end - start, z, start - b.s)

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
        self._canvas.quad(corners, texture, source)

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
            self._canvas.quad(corners, texture, source)

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
