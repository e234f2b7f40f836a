"""Scores while a network trains: one Keras metric, all numbers from one confusion matrix.

The numbers are those of :class:`roadmask.evaluation.metrics.ConfusionMatrix`; written with
``keras.ops``, the metric runs inside the compiled step on every Keras backend.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from keras import ops

from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.labels.catalogue import CITYSCAPES_8, LABEL_SETS
from roadmask.labels.label_set import LabelClass, LabelSet

Tensor = Any
# int32 is the widest that every backend counts in: what is over goes to a second variable.
_CARRY_BITS = 30


@keras.saving.register_keras_serializable("roadmask")
class SegmentationMetrics(keras.metrics.Metric):  # type: ignore[misc]
    """Pixel accuracy, mean IoU and mean Dice of logits against index masks.

    ``result()`` is a dict with ``pixel_accuracy``, ``miou`` and ``dice`` (over categories, as
    ``python -m benchmarks accuracy`` has them) and, for a set finer than the categories,
    ``class_miou``; Keras logs each under its name, and NaN before the first pixel that counts.

    Args:
        labels: the set that the network is trained in; its ``get_config`` form is taken too.
        stride: score every such pixel of rows and columns. Over 1 it is an estimate that costs
            less in the training step.
    """

    def __init__(
        self,
        labels: LabelSet | dict[str, Any] = CITYSCAPES_8,
        stride: int = 1,
        name: str = "segmentation",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.labels = labels if isinstance(labels, LabelSet) else _from_config(labels)
        self.stride = stride
        self._numpy = ConfusionMatrix(self.labels)
        n = len(self._numpy.matrix)
        low = self.add_variable((n * n,), "zeros", dtype="int32", name="low")
        high = self.add_variable((n * n,), "zeros", dtype="int32", name="high")
        self._low, self._high = low, high

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Add a batch.

        Args:
            y_true: ``(N, H, W)`` ids of the label set, or ``(N, H, W, C)`` one plane a class.
            y_pred: ``(N, h, w, C)`` logits; brought to the truth's size as the daemon does.
            sample_weight: must be None; a pixel counts or it does not.

        Raises:
            ValueError: weights were given.
        """
        if sample_weight is not None:
            raise ValueError("SegmentationMetrics takes no sample weights: code void in the mask")
        truth = self._ids(y_true)[:, :: self.stride, :: self.stride]
        _, height, width = truth.shape
        logits = ops.cast(y_pred, "float32")
        if logits.shape[1:3] != (height, width):
            logits = ops.image.resize(logits, (height, width), interpolation="bilinear")
        first = self.labels.first_competing
        predicted = ops.cast(ops.argmax(logits[..., first:], axis=-1), "int32") + first
        index = ops.convert_to_tensor(self._numpy.index.astype(np.int32))
        n = len(self._numpy.matrix)
        pairs = ops.reshape(ops.take(index, truth) * n + ops.take(index, predicted), (-1,))
        counts = ops.segment_sum(ops.ones_like(pairs), pairs, num_segments=n * n)
        low = self._low + counts
        self._high.assign(self._high + ops.right_shift(low, _CARRY_BITS))
        self._low.assign(ops.bitwise_and(low, (1 << _CARRY_BITS) - 1))

    def _ids(self, y_true: Tensor) -> Tensor:
        if len(y_true.shape) == 4:
            ids = ops.cast(ops.argmax(y_true, axis=-1), "int32")
            return ops.where(ops.max(y_true, axis=-1) > 0, ids, self.labels.void_id)
        return ops.cast(y_true, "int32")

    def result(self) -> dict[str, Tensor]:
        """The scores so far, each a float32."""
        n = len(self._numpy.matrix)
        flat = ops.cast(self._high, "float32") * 2.0**_CARRY_BITS + ops.cast(self._low, "float32")
        matrix = ops.reshape(flat, (n, n))
        scored = slice(1, len(self.labels.scored) + 1)
        rows, inner = matrix[scored], matrix[scored, scored]
        members = self._numpy.members[scored].astype(np.float32)
        present = members[:, members.any(axis=0)]
        between = ops.matmul(ops.matmul(present.T, inner), present)
        truth = ops.matmul(present.T, ops.sum(rows, axis=1))
        iou, dice = _iou_and_dice(between, truth)
        result = {
            "pixel_accuracy": ops.sum(ops.diagonal(inner)) / ops.sum(rows),
            "miou": iou,
            "dice": dice,
        }
        if self.labels.name != CITYSCAPES_8.name:
            result["class_miou"] = _iou_and_dice(inner, ops.sum(rows, axis=1))[0]
        return result

    def confusion_matrix(self) -> ConfusionMatrix:
        """The counts so far, exact, for every other score; ``images`` is not known."""
        matrix = ConfusionMatrix(self.labels)
        low, high = (np.asarray(v.numpy(), np.int64) for v in (self._low, self._high))
        matrix.matrix += (low + (high << _CARRY_BITS)).reshape(matrix.matrix.shape)
        return matrix

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` takes."""
        labels = {"name": self.labels.name, "classes": [asdict(c) for c in self.labels.classes]}
        return {**super().get_config(), "labels": labels, "stride": self.stride}


def _iou_and_dice(inner: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Means over the classes that occur, from ``(n, n)`` counts and pixels of truth ``(n,)``."""
    hits = ops.diagonal(inner)
    total = truth + ops.sum(inner, axis=0)
    occurs = ops.cast(total > 0, "float32")
    safe = ops.maximum(total, 1.0)
    iou = hits / ops.maximum(safe - hits, 1.0)
    number = ops.sum(occurs)  # none: 0 / 0 is NaN
    return ops.sum(iou * occurs) / number, ops.sum(2 * hits / safe * occurs) / number


def _from_config(config: dict[str, Any]) -> LabelSet:
    if config["name"] in LABEL_SETS:
        return LABEL_SETS[config["name"]]
    classes = (LabelClass(**{**c, "sources": tuple(c["sources"])}) for c in config["classes"])
    return LabelSet(config["name"], tuple(classes))
