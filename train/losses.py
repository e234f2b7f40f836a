"""Losses over logits at stride 4 and full-size masks; void counts in none of them.

The truth is the category mask ``(N, H, W)``, taken at every second pixel; the logits are brought to
that size (bilinear, as the daemon does), because thin poles vanish when the mask is shrunk to the
logits instead. At every pixel the step takes 1.45 times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable("roadmask")
class SegmentationLoss(keras.losses.Loss):  # type: ignore[misc]
    """Class-weighted cross-entropy plus Dice (Milletari et al., "V-Net", 2016) over classes 1….

    Args:
        class_weights: one weight for each class but void.
        dice: weight of the Dice term.
        label_smoothing: share of the target that is spread over all classes.
    """

    def __init__(
        self,
        class_weights: Sequence[float],
        dice: float = 0.5,
        label_smoothing: float = 0.0,
        name: str = "segmentation",
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self.class_weights = [float(w) for w in class_weights]
        self.dice = dice
        self.label_smoothing = label_smoothing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """``(N, H, W)`` ids and ``(N, h, w, C)`` logits → one number."""
        truth = ops.cast(y_true[:, ::2, ::2], "int32")
        _, height, width = truth.shape
        logits = ops.image.resize(y_pred, (height, width), interpolation="bilinear")
        # Void is never predicted, so its channel stays out of the softmax.
        log_p = ops.log_softmax(ops.cast(logits, "float32")[..., 1:], axis=-1)
        # one_hot of void, id -1 here, is all zeros: it falls out of every sum below.
        target = ops.one_hot(truth - 1, len(self.class_weights), dtype="float32")
        weights = ops.convert_to_tensor(self.class_weights, "float32")
        smooth = self.label_smoothing
        valid = ops.sum(target, axis=-1, keepdims=True)
        soft = target * (1 - smooth) + valid * smooth / len(self.class_weights)
        pixel_weight = ops.sum(target * weights, axis=-1, keepdims=True)
        cross_entropy = -ops.sum(soft * log_p * pixel_weight) / (ops.sum(pixel_weight) + 1e-6)

        p = ops.exp(log_p) * valid
        overlap = ops.sum(p * target, axis=(0, 1, 2))
        total = ops.sum(p, axis=(0, 1, 2)) + ops.sum(target, axis=(0, 1, 2))
        present = ops.cast(ops.sum(target, axis=(0, 1, 2)) > 0, "float32")
        per_class = 1 - (2 * overlap + 1) / (total + 1)
        dice = ops.sum(per_class * present) / (ops.sum(present) + 1e-6)
        return cross_entropy + self.dice * dice

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` takes."""
        return {
            "class_weights": self.class_weights,
            "dice": self.dice,
            "label_smoothing": self.label_smoothing,
            "name": self.name,
        }
