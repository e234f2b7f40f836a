"""Where the score comes from: by drive or city, how sure it is, and how it is at the edges."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.model.objects import ObjectBins
from benchmarks.results import points, table
from roadmask.arrays import Mask
from roadmask.data.datasets import Sample
from roadmask.errors import ConfigError
from roadmask.evaluation.split_scores import NAMES, SplitScores
from roadmask.labels.label_set import VOID

BY = ("drive", "city")
_BAND = 0.02  # of the picture's diagonal, as in Cheng et al., "Boundary IoU", 2021
GroupOf = Callable[[str], str]


def group_of(by: str) -> GroupOf:
    """Frame id → its drive or city, which stands before the first ``_``; else what a regular
    expression finds in it: its first group, or all of it.

    Raises:
        ConfigError: no regular expression.
    """
    if by in BY:
        return lambda frame_id: frame_id.split("_")[0]
    try:
        pattern = re.compile(by)
    except re.error as error:
        raise ConfigError(
            f"--by {by!r}: expected drive, city or a regular expression ({error})"
        ) from error

    def found(frame_id: str) -> str:
        match = pattern.search(frame_id)
        return "" if match is None else (match[1] or "") if pattern.groups else match[0]

    return found


class ByRoad:
    """Sees every frame with its mask.

    Args:
        group: of a frame's id.
    """

    def __init__(self, group: GroupOf) -> None:
        self._group, self._scores = group, SplitScores()
        self._objects = ObjectBins()
        self._edges = np.zeros((len(NAMES), 2), np.int64)  # of both bands: in both, in either

    def observe(self, sample: Sample, mask: Mask) -> None:
        """Count one frame."""
        frame = sample.frame_id, self._group(sample.frame_id)
        self._scores.add(frame, sample.mask, mask, None)
        self._objects.observe(sample, mask)
        width = max(1, round(_BAND * float(np.hypot(*mask.shape))))
        known = sample.mask != VOID
        for place in range(len(NAMES)):
            truth = sample.mask == place + 1
            made = (mask == place + 1) & known
            if truth.any() or made.any():
                a, b = _band(truth, width), _band(made, width)
                self._edges[place] += np.count_nonzero(a & b), np.count_nonzero(a | b)

    def report(self) -> dict[str, Any]:
        """The keys ``by_group``, ``interval``, ``miou_interval``, ``boundary_iou``, ``confusion``,
        ``objects`` and ``frames``.
        """
        found = self._scores.report()
        intervals = {each["name"]: each["interval"] for each in found["categories"]}
        edges = {
            name: float(both / either)
            for name, (both, either), there in zip(
                NAMES, self._edges, found["categories"], strict=True
            )
            if either and there["iou"] is not None
        }
        sure = found["interval"]
        return {
            "by_group": {
                each["group"]: {key: each[key] for key in ("miou", "iou", "images", "interval")}
                for each in found["groups"]
            },
            "interval": {"miou": sure, **intervals},
            "miou_interval": None if None in sure else sure,
            "boundary_iou": float(np.mean(list(edges.values()))) if edges else None,
            "boundary": {name: edges.get(name) for name in NAMES},
            "confusion": found["confusion"],
            "objects": self._objects.report(),
            "frames": self._scores.counts(),
        }


def groups_table(result: dict[str, Any]) -> str:
    """A line for each drive or city: points, the interval of the mean, frames."""
    rows = []
    for name, found in result["by_group"].items():
        low, high = found["interval"]
        sure = "-" if low is None else f"{points(low)} to {points(high)}"
        rows.append((name or "(none)", points(found["miou"]), sure, str(found["images"])))
    return table(rows, ("by road", "mean IoU", "95 %", "frames"))


def _band(mask: npt.NDArray[np.bool_], width: int) -> npt.NDArray[np.bool_]:
    """Pixels of the mask no farther than ``width`` px from its edge; the picture's is none."""
    inside = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3)
    return mask & (inside <= width)
