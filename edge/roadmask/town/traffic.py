"""Who moves where: closed forms of time, so that any frame can be asked for alone."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import lru_cache

from roadmask.town.layout import (
    BLOCK_M,
    CAR_PAINTS,
    CROSSING_M,
    KIND_WEIGHTS,
    KINDS,
    SPEED_M_S,
    Plan,
    dice,
    sizes,
)
from roadmask.town.things import Human, Item, Vehicle

_EPISODE_S = 16.0  # the traffic ahead of us comes and goes in this time
_WALKERS_M = 60.0  # people further off are a few pixels


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


def _vehicle(r: random.Random, s: float, d: float, yaw: float) -> Vehicle | Human:
    """Somebody driving; ``s`` is counted from a moving mark."""
    if r.random() < 0.12:
        look = r.randrange(1 << 20)
        return Human(s, d, yaw, 0.0, 0.0, 1.75, look, "motorcycle")
    kind = r.choices(KINDS, KIND_WEIGHTS)[0]
    return Vehicle(s, d, yaw, kind, r.choice(CAR_PAINTS), sizes(r), moving=True)


@lru_cache(maxsize=256)
def _oncomer(plan: Plan, i: int) -> Vehicle | Human | None:
    r = dice(plan.seed, 11, i)
    if r.random() > 0.5:
        return None
    return _vehicle(r, r.uniform(0, 12), -plan.lane + r.uniform(-0.25, 0.2), math.pi)


def _oncoming(plan: Plan, t: float, near: float, far: float, out: list[Item]) -> None:
    shift, step = -9.0 * t, 27.0
    for i in _slots(near, far, shift, step):
        found = _oncomer(plan, i)
        if found is not None:
            out.append(replace(found, s=i * step + shift + found.s))


def _ahead(plan: Plan, t: float, out: list[Item]) -> None:
    # From out of sight, near, and out of sight again; one or two in a row.
    u = t / _EPISODE_S
    r = dice(plan.seed, 12, math.floor(u))
    x = 2 * (u % 1) - 1
    gap = r.uniform(8, 24)
    ahead = gap + (170 - gap) * abs(x) ** 2.4
    for _ in range(r.choice((0, 1, 1, 2))):
        found = _vehicle(r, position(t) + ahead, plan.lane + r.uniform(-0.2, 0.2), 0.0)
        if isinstance(found, Vehicle):
            found = replace(found, braking=x < 0 and ahead < 60)
        out.append(found)
        ahead += r.uniform(14, 26)


@lru_cache(maxsize=256)
def _cyclist(plan: Plan, way: int, i: int) -> Human | None:
    r = dice(plan.seed, 13, way, i)
    if r.random() > 0.5:
        return None
    # With parked cars at the kerb, cyclists ride between them and the lane.
    d = way * ((plan.kerb - 2.35) if plan.parking else (plan.kerb - 0.45))
    yaw = 0.0 if way > 0 else math.pi
    s, look = r.uniform(0, 20), r.randrange(1 << 20)
    return Human(
        s, d + way * r.uniform(0.1, 0.35), yaw, 0.0, 0.6, r.uniform(1.6, 1.85), look, "bicycle"
    )


def _cyclists(plan: Plan, t: float, near: float, far: float, out: list[Item]) -> None:
    for way, speed in ((1, 4.6), (-1, -4.3)):
        shift, step = speed * t, 34.0
        for i in _slots(near, far, shift, step):
            found = _cyclist(plan, way, i)
            if found is not None:
                out.append(replace(found, s=i * step + shift + found.s, phase=t * 6.5))


_STREAMS = ((-1, 1.35), (-1, -1.25), (1, 1.3), (1, -1.4), (1, 0.0), (-1, 0.0))  # side, m/s


@lru_cache(maxsize=1024)
def _walker(plan: Plan, stream: int, i: int) -> tuple[Human, ...]:
    """Nobody, one or a couple; ``s`` and ``phase`` are counted from their stream."""
    r = dice(plan.seed, 14, stream, i)
    if r.random() > 0.45:
        return ()
    side, speed = _STREAMS[stream]
    s = r.uniform(0, 6)
    height = r.gauss(1.71, 0.09) * (0.7 if r.random() < 0.08 else 1)
    yaw = r.uniform(-math.pi, math.pi) if not speed else 0.0 if speed > 0 else math.pi
    out = []
    for companion in range(1 if r.random() < 0.75 else 2):
        d = side * (plan.kerb + r.uniform(0.5, 2.2) + 0.6 * companion)
        phase, look = r.uniform(0, 6.28), r.randrange(1 << 20)
        pace = 1.0 if speed else 0.0
        out.append(Human(s + 0.2 * companion, d, yaw, phase, pace, height, look))
    return tuple(out)


def _walkers(plan: Plan, t: float, near: float, far: float, out: list[Item]) -> None:
    for stream, (_, speed) in enumerate(_STREAMS):
        shift, step = speed * t, 11.0 if speed else 19.0
        for i in _slots(near, min(far, near + _WALKERS_M), shift, step):
            for h in _walker(plan, stream, i):
                s, phase = i * step + shift + h.s, t * 5.6 * abs(speed) + h.phase
                out.append(replace(h, s=s, phase=phase))


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
