"""The Keras loss over logits at any stride and full-size masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from train.losses.spec import TERMS, parse_loss
from train.losses.terms import Pixels

Tensor = Any


@keras.saving.register_keras_serializable("roadmask")
class SegmentationLoss(keras.losses.Loss):  # type: ignore[misc]
    """A weighted sum of terms over classes 1…; void counts in none of them.

    The truth is the category mask ``(N, H, W)``, taken at every second pixel; the logits are
    brought to that size (bilinear, as the daemon does), because thin poles vanish when the mask is
    shrunk to the logits instead. At every pixel the step of a stride-4 network takes 1.45 times as
    long. Logits of full size are compared at every pixel.

    Args:
        class_weights: one weight for each class but void; None for equal ones.
        spec: such as ``ce+0.5*dice``, see ``parse_loss``.
        name: of the loss.

    Raises:
        ConfigError: a ``spec`` that cannot be read.
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        spec: str = "ce+0.5*dice",
        name: str = "segmentation",
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self.class_weights = None if class_weights is None else [float(w) for w in class_weights]
        self.spec = spec
        self._terms = parse_loss(spec)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """``(N, H, W)`` ids and ``(N, h, w, C)`` logits → one number."""
        pixels = self._pixels(y_true, y_pred)
        total = 0.0
        for term in self._terms:
            total = total + term.weight * TERMS[term.name](pixels, **term.options)
        return total

    def _pixels(self, y_true: Tensor, y_pred: Tensor) -> Pixels:
        step = 1 if y_pred.shape[1:3] == y_true.shape[1:3] else 2
        truth = ops.cast(y_true[:, ::step, ::step], "int32")
        _, height, width = truth.shape
        logits = ops.cast(y_pred, "float32")
        if logits.shape[1:3] != (height, width):
            logits = ops.image.resize(logits, (height, width), interpolation="bilinear")
        classes = logits.shape[-1] - 1
        # Void is never predicted, so its channel stays out of the softmax.
        log_p = ops.reshape(ops.log_softmax(logits[..., 1:], axis=-1), (-1, classes))
        # one_hot of void, id -1 here, is all zeros.
        target = ops.reshape(ops.one_hot(truth - 1, classes, dtype="float32"), (-1, classes))
        weights = self.class_weights or [1.0] * classes
        return Pixels(
            log_p,
            target,
            ops.sum(target, axis=-1, keepdims=True),
            ops.convert_to_tensor(weights, "float32"),
        )

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` takes."""
        return {"class_weights": self.class_weights, "spec": self.spec, "name": self.name}
