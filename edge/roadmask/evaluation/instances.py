"""The weighted pixels that iIoU needs: every object counts as much as one of its class's mean size.

iIoU = iTP / (iTP + FP + iFN) (Cordts et al., 2016): true positives and false negatives of each
object are multiplied by (mean size of its class) / (its size). The mean sizes are the constants of
the official evaluation, not those of the data. False positives belong to no object and stay as
they are. Groups, coded by their label alone (up to 1000), are no objects.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64
from roadmask.errors import DataError
from roadmask.labels.label_set import CATEGORY_COUNT, LabelSet

LARGEST_GROUP = 1000  # instance numbers above it are single objects
_NUMBERS = 1 << 16


class InstancePixels:
    """Accumulates the weighted hits and misses by class and by category.

    Args:
        source: label set of the instance numbers.
        index: ``(256,) uint8``: id of ``labels`` → row of the confusion matrix.
        category: ``(n,) uint8``: row → category.
        labels: the set that is scored.
    """

    def __init__(
        self,
        source: LabelSet,
        index: npt.NDArray[np.uint8],
        category: npt.NDArray[np.uint8],
        labels: LabelSet,
    ) -> None:
        self._source, self._category = source, category
        own = labels.table_from(source)
        self._row = np.zeros(_NUMBERS, np.uint8)
        self._weight = np.zeros(_NUMBERS, np.float64)
        self._known = np.zeros(_NUMBERS, np.bool_)
        for c in source.classes:
            numbers = slice(max(LARGEST_GROUP + 1, c.class_id * 1000), (c.class_id + 1) * 1000)
            self._known[numbers] = c.instances or c.ignored  # the official script skips the latter
            if c.instances and not c.ignored:
                self._row[numbers] = index[own[c.class_id]]
                self._weight[numbers] = c.mean_instance_px
        rows = len(category)
        self._scored = len(labels.scored)
        self._hits, self._missed = np.zeros(rows), np.zeros(rows)
        self._category_hits = np.zeros(CATEGORY_COUNT)
        self._category_missed = np.zeros(CATEGORY_COUNT)
        self._with_instances = np.array([c.instances for c in labels.scored])
        # A category is told apart only if all its classes are.
        stuff = {
            c.category for c in labels.classes if not c.instances and c.class_id != labels.void_id
        }
        self._categories = np.array(
            [g in category and g not in stuff for g in range(1, CATEGORY_COUNT)]
        )

    def update(self, prediction: npt.NDArray[np.uint8], instances: npt.NDArray[np.uint16]) -> None:
        """Add one image: rows of the matrix ``(H, W)`` and instance numbers ``(H, W)``.

        Raises:
            DataError: sizes differ, or a number whose label has no objects.
        """
        if instances.shape != prediction.shape:
            raise DataError(
                f"instances are {instances.shape}, prediction {prediction.shape}: sizes differ"
            )
        inside = instances > LARGEST_GROUP
        numbers, predicted = instances[inside], prediction[inside]
        if not self._known[numbers].all():
            odd = numbers[~self._known[numbers]][0]
            raise DataError(
                f"instance number {odd}: {self._source.name} tells no objects of label "
                f"{odd // 1000} apart; expected label * 1000 + k"
            )
        row = self._row[numbers]
        numbers, predicted, row = numbers[row > 0], predicted[row > 0], row[row > 0]
        sizes = np.bincount(numbers)
        present = np.flatnonzero(sizes)
        weight = self._weight[present] / sizes[present]
        same_class = np.bincount(numbers[predicted == row], minlength=len(sizes))[present]
        same_category = np.bincount(
            numbers[self._category[predicted] == self._category[row]], minlength=len(sizes)
        )[present]
        rows, size = self._row[present], sizes[present]
        np.add.at(self._hits, rows, weight * same_class)
        np.add.at(self._missed, rows, weight * (size - same_class))
        np.add.at(self._category_hits, self._category[rows], weight * same_category)
        np.add.at(self._category_missed, self._category[rows], weight * (size - same_category))

    def class_iou(self, wrong: F64) -> F64:
        """iIoU of each scored class; ``wrong`` are its false positives."""
        scored = slice(1, self._scored + 1)
        return _iou(self._hits[scored], self._missed[scored], wrong, self._with_instances)

    def category_iou(self, wrong: F64) -> F64:
        """``(7,)``: iIoU of each category; ``wrong`` are its false positives."""
        return _iou(self._category_hits[1:], self._category_missed[1:], wrong, self._categories)


def _iou(hits: F64, missed: F64, wrong: F64, told: npt.NDArray[np.bool_]) -> F64:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(told, hits / (hits + missed + wrong), np.nan)
