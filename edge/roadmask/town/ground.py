"""The ground: road, pavements, markings, their grain, and the shadows that fall on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from roadmask.arrays import F64, U8
from roadmask.town import vehicles
from roadmask.town.canvas import ROAD, SIDEWALK, TERRAIN, Camera, Canvas, Color, Point
from roadmask.town.layout import BLOCK_M, CROSSING_M, Plan
from roadmask.town.textures import GROUND_PX, GROUND_TILE_M
from roadmask.town.things import Block, Building, Human, Item, Tree, Vehicle
from roadmask.town.weather import State

FAR_M = 115.0  # nothing that stands further off is painted
# Times the brightest grain this is still under GLOW.
_PAINT: Color = (190.0, 192.0, 192.0)
_FOOTPRINT: tuple[Point, ...] = ((-2.1, -0.9), (2.1, -0.9), (2.1, 0.9), (-2.1, 0.9))
_OCTAGON: tuple[Point, ...] = tuple(
    (math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)
)


class GroundPainter:
    """Painter of one street's ground."""

    def __init__(
        self, plan: Plan, grain: list[U8], canvas: Canvas, rs: np.random.RandomState
    ) -> None:
        self._plan, self._grains, self._canvas = plan, grain, canvas
        # Kept from frame to frame: fresh memory of this size costs more than the work in it.
        self._gain: U8 = np.empty((canvas.height, canvas.width), np.uint8)
        self._shade: U8 = np.empty_like(self._gain)
        # Its fourth channel stays neutral, so that slots survive the multiplication.
        self._four: U8 = np.full((canvas.height, canvas.width, 4), 128, np.uint8)
        gain = rs.uniform(0.9, 1.2)
        self._asphalt: Color = (112 * gain, 108 * gain, 106 * gain)
        b, g, r = (rs.uniform(0.88, 1.08, 3) * (150, 153, 156)).tolist()
        self._paving: Color = (b, g, r)
        self._kerbstone: Color = (b * 1.13, g * 1.13, r * 1.13)

    def paint(self, camera: Camera, now: State, blocks: list[Block], items: list[Item]) -> None:
        """Paint all that lies under the horizon, for other things to stand on."""
        self._camera, self._now = camera, now
        self._paint_ground(blocks)
        self._grain(items)

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
            s = min(s + 4.0 + (s - camera.s) * 0.25, sb)
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
        gain, four = self._gain[:rows], self._four[:rows]
        gain[: int(np.count_nonzero(z > 60.0))] = 128
        bounds = (0.0, 10.0, 24.0, 60.0)
        base = camera.s % GROUND_TILE_M
        hc = camera.height_m
        for level, texture in enumerate(self._grains):
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
        cv2.mixChannels([gain], [four], (0, 0, 0, 1, 0, 2))
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
        out = self._shade[:rows]
        cv2.resize(shade, (self._canvas.width, rows), out, interpolation=cv2.INTER_LINEAR)
        return out
