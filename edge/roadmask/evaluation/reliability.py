"""Whether a confidence means what it says: how often it was right, by how sure it said it is.

Everything comes from one table, how many pixels of each confidence were wrong and right. Expected
calibration error: the gap between confidence and accuracy in 15 equal bins, weighted by their
pixels (Naeini et al., 2015).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64, U8
from roadmask.labels.label_set import VOID

BINS = 15


def count_right(planes: U8, mask: U8, truth: U8) -> npt.NDArray[np.int64]:
    """``(256, 2)``: pixels of each value of ``planes`` that were wrong, and right.

    Args:
        planes: ``(H, W)`` confidences, or the kernel's levels.
        mask, truth: ``(H, W)`` categories; where the truth is void nothing counts.
    """
    counts = truth != VOID
    pairs = 2 * planes[counts].astype(np.int64) + (mask[counts] == truth[counts])
    return np.bincount(pairs, minlength=512).reshape(256, 2).astype(np.int64)


def reliability(counts: npt.NDArray[np.int64], says: F64) -> dict[str, Any]:
    """Keys ``mean``, ``ece`` and ``bins`` of the counts, by the confidence that each value says."""
    return {
        "mean": float((counts.sum(1) * says).sum() / counts.sum()),
        "ece": calibration_error(counts, says),
        "bins": bins(counts, says),
    }


def calibration_error(counts: npt.NDArray[np.int64], says: F64) -> float:
    """Of ``(256, 2)`` counts by value and the confidence ``(256,)`` that each value says."""
    return float(
        sum(abs(row["confidence"] - row["accuracy"]) * row["share"] for row in bins(counts, says))
    )


def bins(counts: npt.NDArray[np.int64], says: F64) -> list[dict[str, float]]:
    """Those that hold pixels: bounds, share of all pixels, mean confidence, accuracy."""
    pixels, place = counts.sum(1), np.minimum((says * BINS).astype(int), BINS - 1)
    rows = []
    for number in range(BINS):
        inside = place == number
        held = int(pixels[inside].sum())
        if held:
            rows.append(
                {
                    "low": number / BINS,
                    "high": (number + 1) / BINS,
                    "share": held / int(pixels.sum()),
                    "confidence": float((pixels[inside] * says[inside]).sum()) / held,
                    "accuracy": int(counts[inside, 1].sum()) / held,
                }
            )
    return rows
