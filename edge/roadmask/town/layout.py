"""What stands where: a pure function of the seed and the position along the street.

Positions are street coordinates in metres (see canvas.Camera); ``side`` is -1 left, +1 right.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from roadmask.town.canvas import Color, Curve
from roadmask.town.things import Block, Building, Ground, Item, Post, Strip, Tree, Vehicle

BLOCK_M = 72.0
CROSSING_M = 13.0  # width of a side street, at the start of a block that has one
SPEED_M_S = 10.0

CAR_PAINTS: tuple[Color, ...] = (
    (210, 212, 212), (168, 172, 175), (95, 98, 100), (38, 36, 36), (60, 45, 42), (120, 60, 30),
    (160, 100, 60), (30, 30, 150), (40, 45, 110), (60, 90, 60), (190, 205, 210), (40, 130, 190),
    (140, 150, 150), (90, 80, 70),
)  # fmt: skip


def dice(seed: int, *key: int) -> random.Random:
    """A generator for one thing; the mixing keeps neighbouring keys unrelated."""
    state = seed & 0xFFFFFFFF
    for k in key:
        state = (state ^ (k & 0xFFFFFFFF)) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 29
    return random.Random(state)


@dataclass(frozen=True)
class Plan:
    """What holds for the whole street of one seed."""

    seed: int
    kerb: float
    lane: float  # d of our lane's middle
    parking: bool
    curve: Curve
    fov_deg: float
    camera_m: float
    horizon: float  # share of the picture's height
    greenery: float
    old_town: float

    @staticmethod
    def make(seed: int) -> Plan:
        """Draw the street's character."""
        r = dice(seed, 1)
        parking = r.random() < 0.7
        half = r.uniform(3.2, 3.7)
        return Plan(
            seed=seed,
            kerb=half + (r.uniform(2.1, 2.5) if parking else r.uniform(0.4, 1.2)),
            lane=half / 2,
            parking=parking,
            curve=Curve(
                (
                    (r.uniform(2.0, 7.0), r.uniform(55, 80), r.uniform(0, 6.28)),
                    (r.uniform(0.4, 1.4), r.uniform(28, 40), r.uniform(0, 6.28)),
                )
            ),
            fov_deg=r.uniform(54, 66),
            camera_m=r.uniform(1.25, 1.6),
            horizon=r.uniform(0.42, 0.54),
            greenery=r.uniform(0.4, 0.95),
            old_town=r.random(),
        )


def block(plan: Plan, k: int) -> Block:
    """The ``k``-th block, negative ones included."""
    r = dice(plan.seed, 2, k)
    start = k * BLOCK_M
    crossing = r.random() < 0.6
    items: list[Item] = []
    grounds = []
    for side in (-1, 1):
        grounds.append(_side(plan, r, k, side, crossing, items))
    if crossing and r.random() < 0.75:
        for side in (-1, 1):
            items.append(
                Post(start - 1.2, side * (plan.kerb + 0.5), "lights", r.uniform(3.2, 3.9), k, _GREY)
            )
            items.append(
                Post(
                    start + CROSSING_M + 1.0, side * (plan.kerb + 0.6), "lights", 3.4, k + 1, _GREY
                )
            )
    patches = tuple(
        (
            start + r.uniform(0, BLOCK_M),
            r.uniform(-plan.kerb + 0.5, plan.kerb - 0.5),
            r.uniform(0.5, 6.0),
            r.uniform(0.4, 1.6),
            r.uniform(0.72, 1.22),
        )
        for _ in range(9)
    )
    return Block(start, crossing, grounds[0], grounds[1], tuple(items), patches)


_GREY: Color = (92, 95, 96)


def _side(
    plan: Plan, r: random.Random, k: int, side: int, crossing: bool, items: list[Item]
) -> Ground:
    first = k * BLOCK_M + (CROSSING_M + 1.5 if crossing else 0.0)
    last = (k + 1) * BLOCK_M
    green = r.random() < plan.greenery
    roll = r.random()
    character = "park" if roll < 0.2 else "villas" if roll < 0.26 + 0.3 * green else "row"
    pavement = r.uniform(2.4, 4.6)
    strip = {"park": 6.0, "villas": r.uniform(3.5, 6.0), "row": r.choice((0.0, 0.0, 1.6))}[
        character
    ]
    edge = plan.kerb + pavement + strip
    if character != "park":
        _houses(plan, r, side, first, last, edge, character == "villas", items)
    else:
        for _ in range(9):
            spread = r.uniform(4, 8)
            items.append(
                _tree(r, r.uniform(first, last), side * (edge + r.uniform(-3, 14)), spread)
            )
    if character == "villas" or (character == "park" and r.random() < 0.6):
        kind = r.choice(("hedge", "hedge", "wall", "fence"))
        gain = r.uniform(0.75, 1.15)
        s = first
        while s < last - 3:
            end = min(s + r.uniform(9, 24), last)
            if r.random() < 0.85:
                tint = (gain, gain * r.uniform(0.95, 1.05), gain * r.uniform(0.9, 1.1))
                front = plan.kerb + pavement + 0.3
                items.append(Strip(s, end, side, front, r.uniform(0.9, 1.9), kind, tint))
            s = end + r.uniform(1, 3)
        for _ in range(r.randint(2, 5)):
            spread = r.uniform(3, 6)
            items.append(
                _tree(r, r.uniform(first, last), side * (edge - r.uniform(0.5, 2.5)), spread)
            )
    if green and r.random() < 0.75:  # an avenue
        step = r.uniform(8, 14)
        s = first + r.uniform(2, 6)
        while s < last - 2:
            if r.random() < 0.85:
                items.append(_tree(r, s, side * (plan.kerb + 0.9), r.uniform(3.2, 5.6)))
            s += step
    elif r.random() < 0.5:
        items.append(
            _tree(r, r.uniform(first + 4, last), side * (plan.kerb + 1.0), r.uniform(3, 5))
        )
    for _ in range(r.randint(0, 3)):
        w = r.uniform(1.0, 2.2)
        h = r.uniform(0.8, 1.7)
        s, d = r.uniform(first, last), side * (edge - 0.4)
        items.append(Tree(s, d, h, w, 0.0, r.randrange(9), _leaf(r)))
    _furniture(plan, r, side, first, last, pavement, items)
    if plan.parking:
        s = first + 6
        density = r.uniform(0.25, 0.95)
        while s < last - 6:
            kind = r.choices(KINDS, KIND_WEIGHTS)[0]
            length = 4.6 if kind not in ("bus", "truck") else 8.0
            if r.random() < density and kind != "bus":
                yaw = 0.0 if side > 0 or r.random() < 0.2 else 3.14159
                items.append(
                    Vehicle(
                        s + length / 2,
                        side * (plan.kerb - 1.1),
                        yaw + r.gauss(0, 0.02),
                        kind,
                        r.choice(CAR_PAINTS),
                        sizes(r),
                    )
                )
            s += length + r.uniform(0.7, 2.2)
    return Ground(pavement, strip, character != "row" or r.random() < 0.7)


KINDS = ("hatch", "sedan", "estate", "suv", "van", "truck", "bus")
KIND_WEIGHTS = (30, 22, 18, 16, 10, 3, 2)


def sizes(r: random.Random) -> tuple[float, float, float]:
    """Factors of width, length and height of one vehicle."""
    return (r.uniform(0.95, 1.06), r.uniform(0.92, 1.1), r.uniform(0.94, 1.08))


_LEAVES: tuple[Color, ...] = (
    (0.75, 0.8, 0.75), (1.0, 1.0, 0.9), (0.8, 1.1, 1.2), (1.1, 1.25, 1.1), (0.7, 0.95, 1.0),
    (0.9, 0.75, 0.7), (0.85, 1.15, 1.35), (1.0, 0.9, 0.8),
)  # fmt: skip


def _leaf(r: random.Random) -> Color:
    # Few tints: the recoloured crowns are kept, and shared by trees of one tint.
    return r.choice(_LEAVES)


def _tree(r: random.Random, s: float, d: float, spread: float) -> Tree:
    height = spread * r.uniform(1.3, 1.9)
    return Tree(s, d, height, spread, r.uniform(1.7, 2.8), r.randrange(9), _leaf(r))


def _houses(
    plan: Plan,
    r: random.Random,
    side: int,
    first: float,
    last: float,
    edge: float,
    villas: bool,
    items: list[Item],
) -> None:
    s = first
    floors = r.randint(2, 5)
    before = (0.0, 0.0, 0.0)  # the last house's end, height and front
    while s < last - 4:
        width = r.uniform(9, 14) if villas else r.uniform(8, 22)
        end = min(s + width, last)
        if last - end < 5:
            end = last
        n = r.randint(1, 2) if villas else max(2, floors + r.randint(-1, 1))
        pitched = villas or r.random() < 0.35 + 0.5 * plan.old_town
        g = r.uniform(0.75, 1.2)
        height = n * 3.1 + 0.4 + r.uniform(0, 0.5)
        front = edge + (r.uniform(0, 2.5) if villas else r.choice((0.0, 0.0, 0.4)))
        roof = r.uniform(2.5, 4.5) if pitched else 0.0
        hidden = before[0] > s - 0.1 and before[1] >= height + roof and before[2] <= front
        before = (end, height, front)
        items.append(
            Building(
                s,
                min(end, s + 23.5),
                side,
                front,
                r.uniform(9, 14) if s > first + 1 else r.uniform(18, 30),
                height,
                roof,
                r.randrange(12),
                r.uniform(0, 24 - min(end - s, 23.5)),
                (g * r.uniform(0.9, 1.08), g * r.uniform(0.95, 1.05), g * r.uniform(0.95, 1.12)),
                r.choice(((55, 62, 105), (62, 62, 66), (48, 55, 85), (75, 80, 92))),
                not hidden,
            )
        )
        s = end + (r.uniform(3, 7) if villas else (r.uniform(2, 5) if r.random() < 0.12 else 0))


def _furniture(
    plan: Plan,
    r: random.Random,
    side: int,
    first: float,
    last: float,
    pavement: float,
    items: list[Item],
) -> None:
    lamp = first + r.uniform(1, 6)
    height = r.uniform(5.5, 8.5)
    kind = r.choice(("lamp", "lamp", "lantern"))
    shade = r.uniform(0.5, 1.5)
    grey = (_GREY[0] * shade, _GREY[1] * shade, _GREY[2] * shade)
    while lamp < last:
        items.append(Post(lamp, side * (plan.kerb + 0.45), kind, height, side, grey))
        lamp += r.uniform(22, 28)
    for _ in range(r.randint(2, 4)):
        items.append(
            Post(
                r.uniform(first, last),
                side * (plan.kerb + r.uniform(0.35, 0.7)),
                "sign",
                r.uniform(2.3, 3.2),
                r.randrange(8),
                (130, 134, 136),
            )
        )
    if r.random() < 0.4:
        at = r.uniform(first, last - 8)
        for i in range(r.randint(3, 6)):
            items.append(
                Post(at + 1.7 * i, side * (plan.kerb + 0.35), "bollard", 0.95, 0, (50, 52, 55))
            )
    if r.random() < 0.35:
        items.append(
            Post(
                r.uniform(first, last),
                side * (plan.kerb + 0.6),
                "board",
                3.2,
                r.randrange(99),
                grey,
            )
        )
