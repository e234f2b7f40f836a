"""What the tests of products share: masks as a stream has them, geometries, the town's truth."""

from __future__ import annotations

import random
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from roadmask.arrays import U8
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.town.town import Town

FLAT, HUMAN, VEHICLE = 1, 6, 7
GEOMETRY = CameraGeometry.pinhole((1280, 720), 60.0, 1.4, pitch_deg=2.0)
FRAMES = [(seed, index) for seed in (1, 2, 3) for index in (40, 400, 900)]


class Picture(NamedTuple):
    pixels: U8
    camera_size: tuple[int, int] = (1280, 720)
    scale: tuple[float, float] = (1280 / 480, 720 / 352)
    offset: tuple[float, float] = ((1280 / 480 - 1) / 2, (720 / 352 - 1) / 2)


def road(size: tuple[int, int] = (480, 352)) -> Picture:
    """A mask of nothing but road."""
    return Picture(np.ones(size[::-1], np.uint8))


def any_geometry(r: random.Random) -> CameraGeometry:
    """One that may be: a pinhole or a fisheye, of any place, some with an ego mask."""
    fisheye = r.random() < 0.4
    strong = 0.05 if fisheye else 0.3
    k = [r.choice((0.0, r.uniform(-strong, strong))) for _ in range(4)]
    p = [0.0 if fisheye else r.choice((0.0, r.uniform(-0.003, 0.003))) for _ in range(2)]
    bonnet = ((0, 719), (r.randrange(300), 600), (900, 560 + r.randrange(100)), (1279, 719))
    return CameraGeometry(
        1280, 720, r.uniform(350, 1500), r.uniform(350, 1500), r.uniform(500, 800),
        r.uniform(300, 420), k[0], k[1], r.uniform(0.5, 3), r.uniform(-8, 8),
        r.choice((0.0, r.uniform(-20, 20))), r.choice((0.0, r.uniform(-30, 30))), r.uniform(0, 2),
        k[2], k[3] if fisheye else 0.0, *p, "fisheye" if fisheye else "pinhole",
        r.choice(((), bonnet)),
    )  # fmt: skip


def any_picture(r: random.Random, seed: int) -> Picture:
    """A small mask, some pixels of it anything, cut out anywhere."""
    w, h = r.randrange(2, 24), r.randrange(2, 24)
    share = r.choice((0.0, 0.02, 0.3))
    dice = np.random.default_rng(seed)
    ids = np.where(dice.random((h, w)) < share, dice.integers(0, 10, (h, w)), 1).astype(np.uint8)
    return Picture(ids, scale=(1280 / w, 720 / h), offset=(r.uniform(0, 60), r.uniform(-60, 60)))


@cache
def town(seed: int) -> Town:
    return Town(seed, 960, 704)


def seen_by(seed: int, index: int, **given: Any) -> tuple[Picture, CameraGeometry, float]:
    """A truth mask of 480 x 352 px, the geometry of its camera, and its horizon, px."""
    street = town(seed)
    camera = street._camera(index / street.fps)
    focal, middle = camera.focal_px, (street.height - 1) / 2
    # The town's camera is level and its picture shifted; the centre says the same.
    geometry = CameraGeometry(
        960, 704, focal, focal, camera.middle_px, camera.horizon_px, height_m=camera.height_m,
        **given,
    )  # fmt: skip
    assert abs(camera.horizon_px - middle) < middle
    mask = street.frame(index).category_mask[::2, ::2].copy()
    return Picture(mask, (960, 704), (2.0, 2.0), (0.0, 0.0)), geometry, camera.horizon_px
