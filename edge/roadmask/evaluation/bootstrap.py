"""How far scores may be chance: frames resampled with replacement (bootstrap; Efron, 1979)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64

REPLICATES = 1000


def resampled(frames: npt.NDArray[np.int64], seed: int = 0) -> F64:
    """Sums over resampled frames: ``(N, …)`` → ``(REPLICATES, …)``; one seed, one answer."""
    count = len(frames)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(count, np.full(count, 1 / count), REPLICATES).astype(np.float64)
    sums: F64 = (weights @ frames.reshape(count, -1)).reshape(REPLICATES, *frames.shape[1:])
    return sums


def category_iou(matrices: npt.NDArray[Any]) -> F64:
    """``(…, 8, 8)`` → ``(…, 7)``; rows are the truth, void truth counts nowhere."""
    scored = matrices[..., 1:, :].astype(np.float64)
    hits = np.diagonal(scored[..., 1:], axis1=-2, axis2=-1)
    union = scored.sum(axis=-1) + scored[..., 1:].sum(axis=-2) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / union)
