"""How far the scores may be chance: bootstrap over the evaluation frames (Efron, 1979)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.evaluation.bootstrap import category_iou, resampled
from roadmask.labels.label_set import CATEGORY_NAMES, VOID
from roadmask.system.percentiles import interval_95

Interval = list[float | None]


@dataclass(frozen=True)
class Intervals:
    """95 % intervals, fractions; None where a category never occurs.

    Attributes:
        float_miou, int8_miou: of the mean IoU; ``int8`` is the converted model, whatever its mode.
        drop: of float − INT8, over the same resampled frames.
        category_drop: the same for each category.
        float_iou, int8_iou: of each category's IoU.
    """

    float_miou: Interval
    int8_miou: Interval
    drop: Interval
    category_drop: dict[str, Interval]
    float_iou: dict[str, Interval]
    int8_iou: dict[str, Interval]

    def to_json(self) -> dict[str, Any]:
        """The intervals, rounded: the last digits depend on the processor."""
        return dict(vars(self))


def bootstrap(frames: npt.NDArray[np.int64], *, seed: int = 0) -> Intervals:
    """Resample frames with replacement.

    Args:
        frames: ``(N, 2, 8, 8)``: confusion matrices of the float and the INT8 model, each frame.
        seed: of the resampling; the same frames give the same intervals.
    """
    iou = category_iou(resampled(frames, seed))  # (replicates, 2, 7)
    present = ~np.isnan(category_iou(frames.sum(axis=0)[None])[0]).any(axis=0)
    iou = iou[..., present]
    mean = np.nanmean(iou, axis=-1) if present.any() else np.full(iou.shape[:2], np.nan)

    def by_category(values: npt.NDArray[np.float64]) -> dict[str, Interval]:
        columns = iter(np.moveaxis(values, -1, 0))
        return {
            name: _interval(next(columns)) if there else [None, None]
            for name, there in zip(CATEGORY_NAMES[VOID + 1 :], present, strict=True)
        }

    return Intervals(
        _interval(mean[:, 0]),
        _interval(mean[:, 1]),
        _interval(mean[:, 0] - mean[:, 1]),
        by_category(iou[:, 0] - iou[:, 1]),
        by_category(iou[:, 0]),
        by_category(iou[:, 1]),
    )


def _interval(values: npt.NDArray[np.float64]) -> Interval:
    values = values[~np.isnan(values)]
    if not values.size:
        return [None, None]
    return [round(v, 4) for v in interval_95(values)]
