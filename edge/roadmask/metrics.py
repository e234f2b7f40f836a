"""Scores of a segmentation, all from one confusion matrix: rows = truth, columns = prediction.

Pixels whose truth is void count nowhere; predicting void where the truth is something is wrong.
A category that occurs neither in truth nor in prediction is NaN and left out of the means.
Agrees with the official Cityscapes evaluation (Cordts et al., 2016), category level.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from roadmask.errors import DataError
from roadmask.labels import CATEGORY_COUNT, CATEGORY_NAMES, VOID

HUMAN, VEHICLE = CATEGORY_NAMES.index("human"), CATEGORY_NAMES.index("vehicle")
INSTANCE_CATEGORIES = (HUMAN, VEHICLE)


class ConfusionMatrix:
    """Accumulates masks ``(H, W) uint8`` of ``classes`` ids; id 0 is void."""

    def __init__(self, classes: int = CATEGORY_COUNT) -> None:
        self.classes = classes
        self.matrix: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)
        self.images = 0
        # iIoU: true positives and false negatives weighted by mean object size / object size.
        self._instance_pixels: list[tuple[int, int, int]] = []

    def update(
        self,
        truth: npt.NDArray[np.uint8],
        prediction: npt.NDArray[np.uint8],
        instances: npt.NDArray[np.uint16] | None = None,
    ) -> None:
        """Add one image.

        Args:
            truth: ``(H, W) uint8``, 0 = void, not scored.
            prediction: ``(H, W) uint8`` of the same size.
            instances: ``(H, W) uint16``, 0 = no single object; needed for iIoU only.

        Raises:
            DataError: sizes differ or an id is out of range.
        """
        if truth.shape != prediction.shape:
            raise DataError(f"prediction is {prediction.shape}, truth {truth.shape}: sizes differ")
        if max(int(truth.max(initial=0)), int(prediction.max(initial=0))) >= self.classes:
            raise DataError(f"a mask holds an id of {self.classes} or more")
        pairs = truth.astype(np.intp).ravel() * self.classes + prediction.ravel()
        self.matrix += np.bincount(pairs, minlength=self.classes**2).reshape(self.matrix.shape)
        self.images += 1
        if instances is not None:
            self._add_instances(truth, prediction, instances)

    def _add_instances(
        self,
        truth: npt.NDArray[np.uint8],
        prediction: npt.NDArray[np.uint8],
        instances: npt.NDArray[np.uint16],
    ) -> None:
        for category in INSTANCE_CATEGORIES:
            inside = (truth == category) & (instances > 0)
            sizes = np.bincount(instances[inside])
            hits = np.bincount(instances[inside & (prediction == category)], minlength=sizes.size)
            for number in np.flatnonzero(sizes):
                self._instance_pixels.append((category, int(sizes[number]), int(hits[number])))

    def _counts(self) -> tuple[npt.NDArray[np.float64], ...]:
        scored = self.matrix[1:].astype(np.float64)  # rows whose truth is not void
        hits = np.diagonal(scored[:, 1:])
        missed = scored.sum(axis=1) - hits
        wrong = scored[:, 1:].sum(axis=0) - hits
        return hits, missed, wrong

    def iou(self) -> npt.NDArray[np.float64]:
        """``(classes - 1,)``: intersection over union of each class but void."""
        hits, missed, wrong = self._counts()
        return _ratio(hits, hits + missed + wrong)

    def dice(self) -> npt.NDArray[np.float64]:
        """``(classes - 1,)``: Dice coefficient of each class but void."""
        hits, missed, wrong = self._counts()
        return _ratio(2 * hits, 2 * hits + missed + wrong)

    def mean_iou(self) -> float:
        """Mean of ``iou`` over the classes that occur."""
        return _mean(self.iou())

    def mean_dice(self) -> float:
        """Mean of ``dice`` over the classes that occur."""
        return _mean(self.dice())

    def pixel_accuracy(self) -> float:
        """Share of scored pixels that are right."""
        hits, missed, _ = self._counts()
        return float(_ratio(hits.sum(), (hits + missed).sum()))

    def instance_iou(self) -> float:
        """Mean iIoU of human and vehicle: each object weighs as much as one of mean size."""
        scores = []
        _, _, wrong = self._counts()
        for category in INSTANCE_CATEGORIES:
            rows = np.array(
                [(s, h) for c, s, h in self._instance_pixels if c == category], np.float64
            )
            if not rows.size:
                continue
            sizes, hits = rows[:, 0], rows[:, 1]
            weights = sizes.mean() / sizes
            right = (weights * hits).sum()
            missed = (weights * (sizes - hits)).sum()
            scores.append(right / (right + missed + wrong[category - 1]))
        return _mean(np.array(scores))

    def report(self) -> dict[str, object]:
        """The JSON keys of ``python -m benchmarks accuracy``; NaN is None."""
        return {
            "miou": _json(self.mean_iou()),
            "iou": {
                name: _json(value)
                for name, value in zip(CATEGORY_NAMES[VOID + 1 :], self.iou(), strict=True)
            },
            "iiou": _json(self.instance_iou()),
            "dice": _json(self.mean_dice()),
            "pixel_accuracy": _json(self.pixel_accuracy()),
            "images": self.images,
        }


def _ratio(
    part: npt.NDArray[np.float64] | np.float64, whole: npt.NDArray[np.float64] | np.float64
) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.divide(part, whole))


def _mean(values: npt.NDArray[np.float64]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN: the mean is NaN
        return float(np.nanmean(values)) if values.size else float("nan")


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
