"""Scores of a segmentation, all from one confusion matrix: rows = truth, columns = prediction.

Equal to the official Cityscapes evaluation (Cordts et al., 2016; evalPixelLevelSemanticLabeling.py
of cityscapesscripts 2.3), with its conventions:

- Pixels whose truth is void or ignored count nowhere. A prediction of void or of an ignored class
  is a miss wherever the truth counts.
- A class or category that occurs neither in the truth nor, on scored pixels, in the prediction is
  NaN and left out of the means.
- iIoU (see :mod:`roadmask.evaluation.instances`) takes only the false positives unweighted.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64
from roadmask.errors import DataError
from roadmask.evaluation.instances import InstancePixels
from roadmask.labels.catalogue import CITYSCAPES_8, CITYSCAPES_34
from roadmask.labels.label_set import CATEGORY_COUNT, CATEGORY_NAMES, VOID, LabelSet

# calcHist counts in integers and hands them over as float32, exact up to here.
_BLOCK_PX = 1 << 24


@dataclass(frozen=True)
class Counts:
    """Pixels by class or by category, ``(n,)`` each.

    Attributes:
        hits: rightly predicted.
        missed: of the truth, predicted as something else.
        wrong: predicted, where the truth is another that counts.
    """

    hits: F64
    missed: F64
    wrong: F64

    def iou(self) -> F64:
        """Intersection over union."""
        return _ratio(self.hits, self.hits + self.missed + self.wrong)

    def dice(self) -> F64:
        """Dice coefficient."""
        return _ratio(2 * self.hits, 2 * self.hits + self.missed + self.wrong)


class ConfusionMatrix:
    """Accumulates masks of one label set; per-class scores are in the order of ``labels.scored``.

    Args:
        labels: the set that truth and prediction are coded in.
        instance_labels: the set of the numbers ``label * 1000 + k`` in instance images.

    Attributes:
        matrix: ``(n, n) int64``: row and column 0 are void, then the scored classes, then those
            ignored ones that can be told apart as objects.
        index: ``(256,) uint8``: id → row or column; 255 where the set defines none.
        images: number of updates.
    """

    def __init__(
        self, labels: LabelSet = CITYSCAPES_8, instance_labels: LabelSet = CITYSCAPES_34
    ) -> None:
        self.labels, self._instance_labels = labels, instance_labels
        extra = [
            c for c in labels.classes if c.ignored and c.instances and c.class_id != labels.void_id
        ]
        self._scored = len(labels.scored)
        self.index = np.full(256, 255, np.uint8)
        self.index[labels.known_ids] = 0
        self.index[labels.void_id] = 0
        for index, c in enumerate([*labels.scored, *extra], 1):
            self.index[c.class_id] = index
        self._category = np.array([VOID, *(c.category for c in [*labels.scored, *extra])], np.uint8)
        n = len(self._category)
        self.matrix: npt.NDArray[np.int64] = np.zeros((n, n), np.int64)
        self.images = 0
        self._instances: InstancePixels | None = None

    def update(
        self,
        truth: npt.NDArray[np.uint8],
        prediction: npt.NDArray[np.uint8],
        instances: npt.NDArray[np.uint16] | None = None,
    ) -> None:
        """Add one image.

        Args:
            truth: ``(H, W) uint8`` ids of the label set.
            prediction: ``(H, W) uint8`` ids of the label set, of the same size.
            instances: ``(H, W) uint16``, ``label * 1000 + k`` on single objects, of the same size;
                needed for iIoU only.

        Raises:
            DataError: sizes differ or an id is unknown.
        """
        if truth.shape != prediction.shape:
            raise DataError(f"prediction is {prediction.shape}, truth {truth.shape}: sizes differ")
        rows, columns = self._indices(truth, "truth"), self._indices(prediction, "prediction")
        self.matrix += _histogram(rows, columns, len(self.matrix))
        self.images += 1
        if instances is not None:
            if self._instances is None:
                self._instances = InstancePixels(
                    self._instance_labels, self.index, self._category, self.labels
                )
            self._instances.update(columns, instances)

    def _indices(self, mask: npt.NDArray[np.uint8], what: str) -> npt.NDArray[np.uint8]:
        indices = np.asarray(cv2.LUT(mask, self.index), np.uint8)
        if indices.max(initial=0) == 255:
            unknown = mask[indices == 255][0]
            raise DataError(f"{what} holds id {unknown}, which {self.labels.name} does not define")
        return indices

    @cached_property
    def members(self) -> npt.NDArray[np.int64]:
        """``(n, 8)``: 1 where the class of that row belongs to the category."""
        return np.asarray(self._category[:, None] == np.arange(CATEGORY_COUNT), np.int64)

    def counts(self) -> Counts:
        """Of each scored class."""
        scored = self.matrix[1 : self._scored + 1]
        inner = scored[:, 1 : self._scored + 1]
        hits = np.diagonal(inner)
        return _counts(hits, scored.sum(axis=1) - hits, inner.sum(axis=0) - hits)

    def category_counts(self) -> Counts:
        """Of each category but void, ``(7,)``."""
        scored, members = self.matrix[1 : self._scored + 1], self.members[1 : self._scored + 1]
        between = members.T @ scored[:, 1 : self._scored + 1] @ members
        hits = np.diagonal(between)
        missed = members.T @ scored.sum(axis=1) - hits
        return _counts(hits[1:], missed[1:], (between.sum(axis=0) - hits)[1:])

    def iou(self) -> F64:
        """Intersection over union of each scored class."""
        return self.counts().iou()

    def dice(self) -> F64:
        """Dice coefficient of each scored class."""
        return self.counts().dice()

    def instance_iou(self) -> F64:
        """iIoU of each scored class; NaN where objects are not told apart, or none were given."""
        if self._instances is None:
            return np.full(self._scored, np.nan)
        return self._instances.class_iou(self.counts().wrong)

    def category_iou(self) -> F64:
        """``(7,)``: intersection over union of each category."""
        return self.category_counts().iou()

    def category_dice(self) -> F64:
        """``(7,)``: Dice coefficient of each category."""
        return self.category_counts().dice()

    def category_instance_iou(self) -> F64:
        """``(7,)``: iIoU of each category; NaN as for ``instance_iou``."""
        if self._instances is None:
            return np.full(CATEGORY_COUNT - 1, np.nan)
        # Ignored classes of a category are no false negatives here, and false positives elsewhere.
        scored = self.members[1 : self._scored + 1].T @ self.matrix[1 : self._scored + 1]
        between = scored @ self.members
        return self._instances.category_iou((between.sum(axis=0) - np.diagonal(between))[1:])

    def mean_iou(self) -> float:
        """Mean of ``iou`` over the classes that occur."""
        return _mean(self.iou())

    def mean_dice(self) -> float:
        """Mean of ``dice`` over the classes that occur."""
        return _mean(self.dice())

    def mean_instance_iou(self) -> float:
        """Mean of ``instance_iou`` over the classes that occur."""
        return _mean(self.instance_iou())

    def mean_category_iou(self) -> float:
        """Mean of ``category_iou`` over the categories that occur."""
        return _mean(self.category_iou())

    def mean_category_dice(self) -> float:
        """Mean of ``category_dice`` over the categories that occur."""
        return _mean(self.category_dice())

    def mean_category_instance_iou(self) -> float:
        """Mean of ``category_instance_iou`` over the categories that occur."""
        return _mean(self.category_instance_iou())

    def pixel_accuracy(self) -> float:
        """Share of scored pixels whose class is right."""
        counts = self.counts()
        return float(_ratio(counts.hits.sum(), (counts.hits + counts.missed).sum()))

    def report(self) -> dict[str, object]:
        """The JSON keys of ``python -m benchmarks accuracy``; NaN is None.

        A set of finer classes than the categories adds ``class_miou``, ``class_iou``,
        ``class_iiou`` and ``class_dice``.
        """
        categories = CATEGORY_NAMES[VOID + 1 :]
        result: dict[str, object] = {
            "miou": _json(self.mean_category_iou()),
            "iou": _named(categories, self.category_iou()),
            "iiou": _json(self.mean_category_instance_iou()),
            "dice": _json(self.mean_category_dice()),
            "pixel_accuracy": _json(self.pixel_accuracy()),
            "images": self.images,
        }
        if self.labels.name != CITYSCAPES_8.name:
            names = tuple(c.name for c in self.labels.scored)
            result |= {
                "class_miou": _json(self.mean_iou()),
                "class_iou": _named(names, self.iou()),
                "class_iiou": _json(self.mean_instance_iou()),
                "class_dice": _json(self.mean_dice()),
            }
        return result


def _histogram(
    rows: npt.NDArray[np.uint8], columns: npt.NDArray[np.uint8], n: int
) -> npt.NDArray[np.int64]:
    """``(n, n)``: how often each pair occurs; five times as fast as NumPy's ``bincount``."""
    total: npt.NDArray[np.int64] = np.zeros((n, n), np.int64)
    step = max(1, _BLOCK_PX // max(1, rows.shape[-1]))
    for top in range(0, len(rows), step):
        pair = [rows[top : top + step], columns[top : top + step]]
        total += cv2.calcHist(pair, [0, 1], None, [n, n], [0, n, 0, n]).astype(np.int64)
    return total


def _counts(*counts: npt.NDArray[np.int64]) -> Counts:
    return Counts(*(c.astype(np.float64) for c in counts))


def _ratio(part: F64 | np.float64, whole: F64 | np.float64) -> F64:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.divide(part, whole))


def _mean(values: F64) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN: the mean is NaN
        return float(np.nanmean(values)) if values.size else float("nan")


def _named(names: tuple[str, ...], values: F64) -> dict[str, float | None]:
    return {name: _json(value) for name, value in zip(names, values, strict=True)}


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
