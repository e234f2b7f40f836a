"""Flicker: how much a network changes its mind between two frames about the same place.

The mask of the frame before is moved to this one by optical flow (DIS; Kroeger et al., "Fast
Optical Flow using Dense Inverse Search", 2016) and compared where the flow can be trusted: there
and back again must meet (Sundaram et al., "Dense Point Trajectories", 2010). Two numbers:

- ``flicker``: share of those pixels whose category changed.
- ``consistency``: mean IoU of the moved mask and this one (temporal consistency of Liu et al.,
  "Efficient Semantic Video Segmentation with Per-frame Inference", 2020).

Where the truth is known, as in the town, only pixels count whose truth, moved by the same flow,
stays what it was: what remains is the network's own doing. Without truth a part of the flicker is
the flow's, along the edges of things; compare networks on one video, not one network with zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import F32, U8
from roadmask.errors import DataError
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.nearest import nearest
from roadmask.inference.engine import Engine
from roadmask.inference.predictor import Predictor
from roadmask.labels.label_set import VOID
from roadmask.sources import open_source
from roadmask.sources.town import TownSource
from roadmask.system.progress import part


@dataclass(frozen=True)
class Step:
    """How the picture moved from one frame to the next.

    Attributes:
        where: ``(h, w, 2)``: where each pixel was in the frame before, px.
        trusted: ``(h, w)``: whether to believe it.
    """

    where: F32
    trusted: npt.NDArray[np.bool_]


class Motion:
    """Follows the pixels of one drive from frame to frame, whatever masks are compared along it."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: tuple[U8, U8 | None] | None = None

    def update(self, image: U8, size: tuple[int, int], truth: U8 | None = None) -> Step | None:
        """The step to the next frame, None to the first.

        Args:
            image: ``(H, W, 3) uint8`` BGR, of any size.
            size: width and height of the masks.
            truth: ``(H', W') uint8`` categories, where they are known.
        """
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        if truth is not None:
            truth = nearest(truth, size)
        last, self._last = self._last, (grey, truth)
        return None if last is None else self._step(*last, grey, truth)

    def _step(self, grey0: U8, truth0: U8 | None, grey: U8, truth: U8 | None) -> Step:
        where, trusted = self._follow(grey0, grey)
        if truth0 is not None and truth is not None:
            trusted &= (_move(truth0, where) == truth) & (truth != VOID)
        return Step(where, trusted)

    def _follow(self, grey0: U8, grey: U8) -> tuple[F32, npt.NDArray[np.bool_]]:
        height, width = grey.shape
        back = np.asarray(self._flow.calc(grey, grey0, None), np.float32)  # type: ignore[call-overload]
        forth = np.asarray(self._flow.calc(grey0, grey, None), np.float32)  # type: ignore[call-overload]
        rows, columns = np.indices((height, width), np.float32)
        where = np.stack([columns, rows], axis=-1) + back
        returned = cv2.remap(forth, where, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        gap = np.square(back + returned).sum(axis=-1)
        length = np.square(back).sum(axis=-1) + np.square(returned).sum(axis=-1)
        inside = (where >= 0).all(axis=-1) & (where <= (width - 1, height - 1)).all(axis=-1)
        return where, inside & (gap < 0.01 * length + 0.5)


class FlickerMeter:
    """Accumulates consecutive masks of one drive, all of one size."""

    def __init__(self) -> None:
        self.pairs = 0
        self.pixels = 0  # of all pairs
        self._between = ConfusionMatrix()
        self._last: U8 | None = None

    def update(self, mask: U8, step: Step | None) -> None:
        """Add the next mask, ``(h, w) uint8`` categories; void is no claim and is left out."""
        last, self._last = self._last, mask.copy()
        if last is None or step is None:
            return
        before = _move(last, step.where)
        # A mask that claims nothing can neither keep nor change its mind.
        counted = step.trusted & (before != VOID) & (mask != VOID)
        self._between.update(np.where(counted, before, VOID).astype(np.uint8), mask)
        self.pairs += 1
        self.pixels += mask.size

    def report(self) -> dict[str, Any]:
        """``flicker``, ``consistency``, ``compared`` (share of all pixels), ``pairs``."""
        counts = self._between.counts()
        compared = float(counts.hits.sum() + counts.missed.sum())
        return {
            "flicker": float(counts.missed.sum()) / compared if compared else float("nan"),
            "consistency": self._between.mean_iou(),
            "compared": compared / self.pixels if self.pixels else 0.0,
            "pairs": self.pairs,
        }


def _move(mask: U8, where: F32) -> U8:
    moved = cv2.remap(mask, where, None, cv2.INTER_NEAREST)  # type: ignore[call-overload]
    return np.asarray(moved, np.uint8)


def measure_flicker(
    engine: Engine, uri: str, frames: int, *, progress: bool = True
) -> dict[str, Any]:
    """Flicker of the masks that the daemon would publish for a source's first frames.

    Raises:
        DataError: fewer than two frames.
    """
    return compare_flicker([engine], uri, frames, progress=progress)[0]


def compare_flicker(
    engines: Sequence[Engine], uri: str, frames: int, *, progress: bool = True
) -> list[dict[str, Any]]:
    """The same of several networks of one input size: every frame is taken and followed once.

    Raises:
        DataError: fewer than two frames.
    """
    pace = ""
    if "realtime=" not in uri and (uri.startswith("synthetic:") or ":" not in uri):
        pace = ("&" if "?" in uri else "?") + "realtime=0"  # every frame, as fast as it is taken
    motion, meters = Motion(), [FlickerMeter() for _ in engines]
    predictors = [Predictor(engine) for engine in engines]
    with (
        open_source(uri + pace) as source,
        part("flicker", frames, show=progress) as bar,
    ):
        town = source if isinstance(source, TownSource) else None
        for count, frame in enumerate(source, 1):
            truth = town.truth(frame.frame_id) if town else None
            step = motion.update(frame.image, engines[0].input_size, truth)
            for meter, predictor in zip(meters, predictors, strict=True):
                meter.update(predictor.published(frame.image), step)
            bar.update()
            if count == frames:
                break
    if not meters[0].pairs:
        raise DataError(f"video {uri}: flicker needs two frames or more")
    source_of = {"source": source.name.removesuffix(pace), "truth_known": town is not None}
    return [source_of | meter.report() for meter in meters]
