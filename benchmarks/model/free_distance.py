"""What a network's masks do to the free distance: errors in metres by true distance, on the town.

    python -m benchmarks.model.free_distance roadlite-288x224 roadlite-384x256

The truth is the free distance of the truth mask, so that only the network's part is seen. Positive
is too far: the dangerous side.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from typing import NamedTuple

import numpy as np

from benchmarks.results import table
from roadmask.arrays import F64, U8
from roadmask.inference.predictor import load
from roadmask.stream import products
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.products import End
from roadmask.system.ranges import between
from roadmask.town.town import Town

SIZE, CAMERA = (480, 352), (960, 704)
EDGES_M = (0, 10, 20, 30, 40, 50, 60)
_FIRST_SEED = 3000  # of the town's test split


class Picture(NamedTuple):
    """A mask of the town, as products take one."""

    pixels: U8
    camera_size: tuple[int, int] = CAMERA
    scale: tuple[float, float] = (2.0, 2.0)
    offset: tuple[float, float] = (0.0, 0.0)


def errors_of(name: str, seeds: range, frames: range) -> tuple[F64, F64]:
    """True distances of the columns that an obstacle ends, and what the network's are off by."""
    network = load(name)
    true: list[F64] = []
    off: list[F64] = []
    for seed in seeds:
        town = Town(seed, *CAMERA)
        for index in frames:
            shown = town.frame(index)
            camera = town._camera(index / town.fps)
            # The town's camera is level and its picture shifted; the centre says the same.
            geometry = CameraGeometry(
                *CAMERA, camera.focal_px, camera.focal_px, camera.middle_px, camera.horizon_px,
                height_m=camera.height_m,
            )  # fmt: skip
            # A mask pixel's centre lies on a camera pixel, as every second of the truth.
            made = network(shown.image[..., ::-1]).mask[::2, ::2]
            truth, found = (
                products.free_distance(Picture(np.ascontiguousarray(mask)), geometry)
                for mask in (shown.category_mask[::2, ::2], made)
            )
            if not truth.known or not found.known:
                continue
            at = truth.columns["end"] == End.OBSTACLE
            at &= found.columns["end"] != End.NOT_SEEN
            true.append(truth.columns["distance_m"][at])
            off.append(found.columns["distance_m"][at] - true[-1])
    return np.concatenate(true), np.concatenate(off)


def errors_table(true: F64, off: F64) -> str:
    """A line for every ten metres."""
    rows = []
    for low, high in itertools.pairwise(EDGES_M):
        at = (low < true) & (true <= high)
        if not at.any():
            continue
        within = np.abs(off[at]) <= np.maximum(0.3, 0.05 * true[at])
        lower, middle, upper = np.percentile(off[at], (5, 50, 95))
        rows.append(
            (
                f"{low}–{high}",
                str(int(at.sum())),
                *(f"{value:+.2f}" for value in (lower, middle, upper)),
                f"{100 * within.mean():.0f} %",
                f"{100 * np.mean(off[at] > np.maximum(0.3, 0.05 * true[at])):.0f} %",
            )
        )
    return table(rows, ("m", "columns", "5 %", "median", "95 %", "within", "too far"))


def main() -> int:
    """Measure the networks given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--seeds", type=between(1, 1000), default=3, help="towns")
    parser.add_argument("--frames", type=between(1, 10_000), default=10, help="of each, 3 s apart")
    options = parser.parse_args()
    for name in options.models:
        true, off = errors_of(
            name,
            range(_FIRST_SEED, _FIRST_SEED + options.seeds),
            range(40, 90 * options.frames, 90),
        )
        print(f"{name}: {options.seeds * options.frames} frames, {len(true)} columns")
        print(errors_table(true, off), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
