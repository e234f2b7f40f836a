"""Who moves where: closed forms of time, so that any frame can be asked for alone."""

from __future__ import annotations

import math

from roadmask.town.layout import (
    BLOCK_M,
    CAR_PAINTS,
    CROSSING_M,
    KIND_WEIGHTS,
    KINDS,
    SPEED_M_S,
    Human,
    Item,
    Plan,
    Vehicle,
    dice,
    sizes,
)

_EPISODE_S = 16.0  # one vehicle ahead of us comes and goes in this time


def position(t: float) -> float:
    """Our own place on the street, metres; the speed sways a little around SPEED_M_S."""
    return SPEED_M_S * t + 6.0 * math.sin(t / 5.0)


def movers(plan: Plan, t: float, near: float, far: float) -> list[Item]:
    """Everything that moves between the positions ``near`` and ``far`` at time ``t`` seconds."""
    out: list[Item] = []
    _oncoming(plan, t, near, far, out)
    _ahead(plan, t, out)
    _cyclists(plan, t, near, far, out)
    _walkers(plan, t, near, far, out)
    _crossers(plan, t, near, far, out)
    return out


def _slots(near: float, far: float, shift: float, step: float) -> range:
    return range(math.floor((near - shift) / step), math.ceil((far - shift) / step) + 1)


def _oncoming(plan: Plan, t: float, near: float, far: float, out: list[Item]) -> None:
    shift, step = -9.0 * t, 27.0
    for i in _slots(near, far, shift, step):
        r = dice(plan.seed, 11, i)
        if r.random() > 0.5:
            continue
        s = i * step + shift + r.uniform(0, 12)
        if r.random() < 0.12:
            out.append(
                Human(s, -plan.lane, math.pi, 0.0, 0.0, 1.75, r.randrange(1 << 20), "motorcycle")
            )
            continue
        out.append(
            Vehicle(
                s,
                -plan.lane + r.uniform(-0.25, 0.2),
                math.pi,
                r.choices(KINDS, KIND_WEIGHTS)[0],
                r.choice(CAR_PAINTS),
                sizes(r),
                moving=True,
            )
        )


def _ahead(plan: Plan, t: float, out: list[Item]) -> None:
    # Two interleaved series of episodes: from out of sight, near, and out of sight again.
    for lane in (0, 1):
        u = (t + lane * _EPISODE_S * 0.5) / _EPISODE_S
        k = math.floor(u)
        r = dice(plan.seed, 12, lane, k)
        if r.random() < 0.25:
            continue
        x = 2 * (u - k) - 1
        gap = r.uniform(9, 26) + lane * 18
        ahead = gap + (170 - gap) * abs(x) ** 2.2
        closing = x < 0
        s, d = position(t) + ahead, plan.lane + r.uniform(-0.2, 0.2)
        if r.random() < 0.14:
            look = r.randrange(1 << 20)
            out.append(Human(s, d, 0.0, 0.0, 0.0, 1.75, look, "motorcycle"))
            continue
        out.append(
            Vehicle(
                s,
                d,
                0.0,
                r.choices(KINDS, KIND_WEIGHTS)[0],
                r.choice(CAR_PAINTS),
                sizes(r),
                moving=True,
                braking=closing and ahead < 60,
            )
        )


def _cyclists(plan: Plan, t: float, near: float, far: float, out: list[Item]) -> None:
    for way, speed in ((1, 4.6), (-1, -4.3)):
        # With parked cars at the kerb, cyclists ride between them and the lane.
        d = way * ((plan.kerb - 2.35) if plan.parking else (plan.kerb - 0.45))
        shift, step = speed * t, 34.0
        for i in _slots(near, far, shift, step):
            r = dice(plan.seed, 13, way, i)
            if r.random() > 0.5:
                continue
            s = i * step + shift + r.uniform(0, 20)
            yaw = 0.0 if way > 0 else math.pi
            side = d + way * r.uniform(0.1, 0.35)
            look = r.randrange(1 << 20)
            out.append(Human(s, side, yaw, t * 6.5, 0.6, r.uniform(1.6, 1.85), look, "bicycle"))


def _walkers(plan: Plan, t: float, near: float, far: float, out: list[Item]) -> None:
    for stream, (side, speed) in enumerate(
        ((-1, 1.35), (-1, -1.25), (1, 1.3), (1, -1.4), (1, 0), (-1, 0))
    ):
        shift, step = speed * t, 11.0 if speed else 19.0
        for i in _slots(near, min(far, near + 90), shift, step):
            r = dice(plan.seed, 14, stream, i)
            if r.random() > 0.45:
                continue
            s = i * step + shift + r.uniform(0, 6)
            height = r.gauss(1.71, 0.09) * (0.7 if r.random() < 0.08 else 1)
            if speed:
                yaw, pace = (0.0 if speed > 0 else math.pi), 1.0
            else:
                yaw, pace = r.uniform(-math.pi, math.pi), 0.0
            for companion in range(1 if r.random() < 0.75 else 2):
                d = side * (plan.kerb + r.uniform(0.5, 2.2) + 0.6 * companion)
                phase = t * 5.6 * abs(speed) + r.uniform(0, 6.28)
                look = r.randrange(1 << 20)
                out.append(Human(s + 0.2 * companion, d, yaw, phase, pace, height, look))


def _crossers(plan: Plan, t: float, near: float, far: float, out: list[Item]) -> None:
    for k in range(math.floor(near / BLOCK_M), math.floor(far / BLOCK_M) + 1):
        if not dice(plan.seed, 2, k).random() < 0.6:  # the first draw of layout.block
            continue
        r = dice(plan.seed, 15, k)
        ours = k * BLOCK_M / SPEED_M_S  # when we reach the crossing, about
        for _ in range(r.randint(1, 5)):
            way = r.choice((-1, 1))
            clear = ours - r.uniform(2.0, 5.0)  # off the road before we come
            speed = r.uniform(1.1, 1.6)
            d = (t - clear) * speed + plan.kerb
            s = k * BLOCK_M + r.choice((-2.5, CROSSING_M + 2.5)) + r.uniform(-1, 1)
            height, look = r.gauss(1.71, 0.09), r.randrange(1 << 20)
            if abs(d) < plan.kerb + 9:
                out.append(Human(s, way * d, way * math.pi / 2, t * 7, 1.0, height, look))
