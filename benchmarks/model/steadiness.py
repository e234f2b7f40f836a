"""``python -m benchmarks.model.steadiness``: what ``steady`` brings, and what it costs.

One inference a frame; its logits become a mask alone and through the temporal filter. Of either:

- ``changed``: share of the pixels whose truth stays that change between two frames.
- ``flicker``: the same along the picture's motion (``benchmarks.model.flicker``).
- ``mean_iou`` of seven categories, ``human`` and ``vehicle`` IoU.
- ``came``: recall of pixels whose truth has just become human or vehicle.
- ``went``: recall of those whose truth has just ceased to be either.

``lost`` are pixels that the frame alone claims for human or vehicle and the filter does not:
none, or it is broken. Frames are in order; without truth ``flicker`` and ``lost`` remain.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.model.flicker import FlickerMeter, Motion, Step
from benchmarks.results import table
from roadmask.arrays import U8
from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.nearest import nearest
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.inference.predictor import Predictor
from roadmask.inference.steady import Steady
from roadmask.labels.label_set import VOID, Category
from roadmask.sources import open_source
from roadmask.sources.town import TownSource
from roadmask.system.command_line import EXIT_DONE, Parser, run_command
from roadmask.system.files import check_writable, write_json
from roadmask.system.hardware import read_device
from roadmask.system.ranges import STEADINESS, at_least

_MOVING = (Category.HUMAN, Category.VEHICLE)
_PERIOD_NS = 33_333_333


class Side:
    """Accumulates the masks of one way, in order."""

    def __init__(self) -> None:
        self._flicker, self._matrix = FlickerMeter(), ConfusionMatrix()
        self._last: tuple[U8, U8] | None = None  # mask and truth
        self._counts = dict.fromkeys(("changed", "came", "went"), np.zeros(2, np.int64))

    def update(self, mask: U8, step: Step | None, truth: U8 | None) -> None:
        """Add the next mask; ``truth`` is of its size."""
        self._flicker.update(mask, step)
        if truth is None:
            return
        self._matrix.update(truth, mask)
        if self._last is not None:
            mask0, truth0 = self._last
            known = (truth != VOID) & (truth0 != VOID)
            moving, moving0 = np.isin(truth, _MOVING), np.isin(truth0, _MOVING)
            self._count("changed", known & (truth == truth0), mask != mask0)
            self._count("came", known & moving & ~moving0, mask == truth)
            self._count("went", known & moving0 & ~moving, mask == truth)
        self._last = mask.copy(), truth

    def report(self) -> dict[str, float]:
        """Every number; NaN where nothing was to be counted."""
        shares = {name: hits / of if of else np.nan for name, (hits, of) in self._counts.items()}
        iou = self._matrix.iou()
        return {
            "flicker": self._flicker.report()["flicker"],
            **shares,
            "mean_iou": self._matrix.mean_iou(),
            "human": iou[Category.HUMAN - 1],
            "vehicle": iou[Category.VEHICLE - 1],
        }

    def _count(self, name: str, among: Any, hits: Any) -> None:
        found = np.array([(among & hits).sum(), among.sum()])
        self._counts[name] = self._counts[name] + found


def measure_steadiness(
    engine: Engine, frames: Iterator[tuple[U8, U8 | None]], strength: float
) -> dict[str, Any]:
    """Both sides of a drive.

    Args:
        engine: the network.
        frames: pictures ``(H, W, 3) uint8`` BGR and true categories, in order.
        strength: of ``Steady``.
    """
    predictor, steady = Predictor(engine), Steady(engine, strength)
    alone, steadied, motion = Side(), Side(), Motion()
    lost = count = 0
    for count, (image, whole) in enumerate(frames, 1):
        truth = None if whole is None else nearest(whole, engine.input_size)
        mask = predictor.published(image)
        logits = steady.of(engine.output, count, count * _PERIOD_NS)
        filtered = predictor.draw(logits, engine.input_size)
        lost += int((np.isin(mask, _MOVING) & (filtered != mask)).sum())
        step = motion.update(image, engine.input_size, truth)
        alone.update(mask, step, truth)
        steadied.update(filtered, step, truth)
    if count < 2:
        raise ConfigError(f"given {count} frames, steadiness needs two or more")
    return {"frames": count, "lost": lost, "off": alone.report(), "on": steadied.report()}


def _frames(options: argparse.Namespace) -> Iterator[tuple[U8, U8 | None]]:
    if options.dataset:
        for sample in islice(open_dataset(options.dataset, options.root, "val"), options.frames):
            yield sample.image, sample.mask
        return
    pace = "&realtime=0" if "?" in options.source else "?realtime=0"
    with open_source(options.source + pace) as source:
        town = source if isinstance(source, TownSource) else None
        for frame in islice(source, options.frames):
            yield frame.image, town.truth(frame.frame_id) if town else None


def main(arguments: list[str] | None = None) -> int:
    """The town by default."""
    parser = Parser(prog="python -m benchmarks.model.steadiness", description=__doc__)
    parser.add_argument("model", nargs="?", default=DEFAULT_MODEL)
    parser.add_argument("--steady", type=STEADINESS, default=0.8, help="default: 0.8")
    parser.add_argument("--source", default="synthetic:town?seed=1", help="a drive; default: town")
    parser.add_argument("--dataset", help="in place of a source: its frames of val, in order")
    parser.add_argument("--root", type=Path, help="the data set's folder")
    parser.add_argument("--frames", type=at_least(2), default=200, help="default: 200")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    return run_command(lambda: _run(options), verbose=False)


def _run(options: argparse.Namespace) -> int:
    check_writable(options.json)
    engine = Engine(options.model)
    found = measure_steadiness(engine, _frames(options), options.steady)
    report = {
        "kind": "steadiness",
        "device": read_device().to_json(),
        "model": engine.name,
        "source": options.dataset or options.source,
        "steady": options.steady,
        **found,
    }
    rows = [
        [name, *(f"{100 * found[side][name]:.2f}" for side in ("off", "on"))]
        for name in found["off"]
        if not np.isnan(found["off"][name])
    ]
    print(table(rows, ["%", "off", f"{options.steady:g}"]))
    print(f"{found['frames']} frames, {found['lost']} human or vehicle pixels lost")
    if options.json:
        write_json(options.json, report)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
