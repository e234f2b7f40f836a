"""The difference of two networks over the same frames, and how far it may be chance.

Frames are resampled, the same ones for both: what makes a frame hard is hard for both, so the
interval of the difference is narrower than those of the two scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64
from roadmask.evaluation.bootstrap import resampled
from roadmask.system.percentiles import interval_95


def paired_interval(a: dict[str, Any], b: dict[str, Any]) -> tuple[float, float] | None:
    """95 % of the difference of the mean IoU, B less A; None where the frames do not tell."""
    first, second = a.get("frames") or [], b.get("frames") or []
    if len(first) < 2 or [f["id"] for f in first] != [f["id"] for f in second]:
        return None
    # frames, networks, categories, hits and union
    counts = np.stack([_counts(first), _counts(second)], axis=1)
    sums = resampled(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        iou: F64 = sums[..., 0] / sums[..., 1]
    present = (counts[..., 1].sum(axis=0) > 0).all(axis=0)
    if not present.any():
        return None
    means = np.nanmean(iou[..., present], axis=-1)
    low, high = interval_95(means[:, 1] - means[:, 0])
    return float(low), float(high)


def frame_iou(frame: dict[str, Any]) -> float | None:
    """Mean IoU of one frame over the categories that it has."""
    values = [h / u for h, u in zip(frame["hits"], frame["union"], strict=True) if u]
    return sum(values) / len(values) if values else None


def _counts(frames: list[dict[str, Any]]) -> npt.NDArray[np.int64]:
    counts = np.array([[f["hits"], f["union"]] for f in frames], np.int64)
    return np.asarray(counts.transpose(0, 2, 1))
