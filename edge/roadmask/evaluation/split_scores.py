"""A split's scores kept frame by frame: what a total hides, and how sure the total is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64, U8
from roadmask.evaluation.bootstrap import category_iou, resampled
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.evaluation.reliability import count_right, reliability
from roadmask.labels.label_set import CATEGORY_NAMES, VOID
from roadmask.system.percentiles import interval_95

_SAYS = np.arange(256) / 255
NAMES = CATEGORY_NAMES[VOID + 1 :]


class SplitScores:
    """Accumulates frames of categories; the totals are those of one ``ConfusionMatrix``.

    Attributes:
        total: over all frames.
    """

    def __init__(self) -> None:
        self.total = ConfusionMatrix()
        self._frames: list[tuple[str, str]] = []
        self._matrices: list[npt.NDArray[np.int64]] = []
        self._right: npt.NDArray[np.int64] = np.zeros((256, 2), np.int64)

    def add(
        self,
        frame: tuple[str, str],
        truth: npt.NDArray[np.uint8],
        mask: npt.NDArray[np.uint8],
        instances: npt.NDArray[np.uint16] | None,
        confidence: U8 | None = None,
    ) -> None:
        """One frame, by its id and its drive; planes as ``ConfusionMatrix.update`` takes them.

        The confidence is of 255; a network that ends in ids has none.

        Raises:
            DataError: sizes differ or an id is unknown.
        """
        before = self.total.matrix.copy()
        self.total.update(truth, mask, instances)
        self._matrices.append(self.total.matrix - before)
        self._frames.append(frame)
        if confidence is not None:
            self._right += count_right(confidence, mask, truth)

    def counts(self) -> list[dict[str, Any]]:
        """Of every frame its id, and pixels by category: right ones, and those of truth or mask.

        Their sums over any frames give the IoU of those frames.
        """
        return [
            {"id": frame_id, "hits": hits.tolist(), "union": union.tolist()}
            for (frame_id, _), (hits, union) in zip(
                self._frames, map(_hits_and_union, self._matrices), strict=True
            )
        ]

    def report(self) -> dict[str, Any]:
        """``ConfusionMatrix.report`` with ``interval``, ``categories``, ``groups``, ``confusion``,
        ``confidence`` and ``frames``; what cannot be told is None.
        """
        matrices = np.asarray(self._matrices, np.int64).reshape(-1, *self.total.matrix.shape)
        groups: dict[str, list[int]] = {}
        for index, (_, group) in enumerate(self._frames):
            groups.setdefault(group, []).append(index)
        mean, categories = _intervals(matrices)
        iou = self.total.category_iou()
        return {
            **self.total.report(),
            "interval": mean,
            "categories": [
                {"name": name, "iou": _json(value), "interval": interval}
                for name, value, interval in zip(NAMES, iou, categories, strict=True)
            ],
            "groups": [_group(name, matrices[places]) for name, places in groups.items()],
            "confusion": self.total.matrix.tolist(),
            "confidence": reliability(self._right, _SAYS) if self._right.any() else None,
            "frames": [
                {"id": frame_id, "group": group, **_frame(matrix)}
                for (frame_id, group), matrix in zip(self._frames, matrices, strict=True)
            ],
        }


def _hits_and_union(
    matrix: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    scored = matrix[1:]
    hits = np.diagonal(scored[:, 1:])
    return hits, scored.sum(axis=1) + scored[:, 1:].sum(axis=0) - hits


def _group(name: str, matrices: npt.NDArray[np.int64]) -> dict[str, Any]:
    iou = category_iou(matrices.sum(axis=0))
    return {
        "group": name,
        "images": len(matrices),
        "miou": _json(_mean(iou)),
        "interval": _intervals(matrices)[0],
        "iou": {category: _json(value) for category, value in zip(NAMES, iou, strict=True)},
    }


def _frame(matrix: npt.NDArray[np.int64]) -> dict[str, Any]:
    scored, hits = matrix[1:].sum(), np.diagonal(matrix)[1:].sum()
    iou = category_iou(matrix)
    return {
        "miou": _json(_mean(iou)),
        "pixel_accuracy": float(hits / scored) if scored else None,
        "iou": {name: _json(value) for name, value in zip(NAMES, iou, strict=True)},
    }


def _intervals(
    matrices: npt.NDArray[np.int64],
) -> tuple[list[float | None], list[list[float | None]]]:
    """Of the mean IoU, and of each category's; one frame tells nothing about others."""
    nothing: list[float | None] = [None, None]
    if len(matrices) < 2:
        return nothing, [nothing] * len(NAMES)
    present = ~np.isnan(category_iou(matrices.sum(axis=0)))
    if not present.any():
        return nothing, [nothing] * len(NAMES)
    iou = category_iou(resampled(matrices))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a sample without a scored pixel
        mean = np.nanmean(iou[:, present], axis=-1)
    own: list[list[float | None]] = [
        [*interval_95(values)] if there else nothing
        for values, there in zip(iou.T, present, strict=True)
    ]
    return [*interval_95(mean)], own


def _mean(values: F64) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
