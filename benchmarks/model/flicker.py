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


class FlickerMeter:
    """Accumulates consecutive masks of one drive, all of one size."""

    def __init__(self) -> None:
        self.pairs = 0
        self.pixels = 0  # of all pairs
        self._between = ConfusionMatrix()
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._last: tuple[U8, U8, U8 | None] | None = None

    def update(self, image: U8, mask: U8, truth: U8 | None = None) -> None:
        """Add the next frame.

        Args:
            image: ``(H, W, 3) uint8`` BGR, of any size.
            mask: ``(h, w) uint8`` categories; void is no claim and is left out.
            truth: ``(H', W') uint8`` categories, where they are known.
        """
        height, width = mask.shape
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        if truth is not None:
            truth = nearest(truth, (width, height))
        if self._last is not None:
            self._compare(*self._last, grey, mask, truth)
        self._last = (grey, mask.copy(), truth)

    def _compare(
        self, grey0: U8, mask0: U8, truth0: U8 | None, grey: U8, mask: U8, truth: U8 | None
    ) -> None:
        where, trusted = self._motion(grey0, grey)
        before = _move(mask0, where)
        if truth0 is not None and truth is not None:
            trusted &= (_move(truth0, where) == truth) & (truth != VOID)
        # A mask that claims nothing can neither keep nor change its mind.
        trusted &= (before != VOID) & (mask != VOID)
        self._between.update(np.where(trusted, before, VOID).astype(np.uint8), mask)
        self.pairs += 1
        self.pixels += mask.size

    def _motion(self, grey0: U8, grey: U8) -> tuple[F32, npt.NDArray[np.bool_]]:
        """Where each pixel was in the frame before ``(h, w, 2)`` px, and whether to believe it."""
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
    pace = ""
    if "realtime=" not in uri and (uri.startswith("synthetic:") or ":" not in uri):
        pace = ("&" if "?" in uri else "?") + "realtime=0"  # every frame, as fast as it is taken
    meter, predictor = FlickerMeter(), Predictor(engine)
    with (
        open_source(uri + pace) as source,
        part("flicker", frames, show=progress) as bar,
    ):
        town = source if isinstance(source, TownSource) else None
        for count, frame in enumerate(source, 1):
            truth = town.truth(frame.frame_id) if town else None
            meter.update(frame.image, predictor.published(frame.image), truth)
            bar.update()
            if count == frames:
                break
    if not meter.pairs:
        raise DataError(f"video {uri}: flicker needs two frames or more")
    name = source.name.removesuffix(pace)
    return {"source": name, "truth_known": town is not None, **meter.report()}
