"""The Keras loss over logits at any stride and full-size masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from train.loss_spec import parse_loss
from train.losses import terms
from train.losses.terms import Pixels

Tensor = Any
TERMS: dict[str, Callable[..., Any]] = {
    "ce": terms.cross_entropy,
    "ohem": terms.hard_cross_entropy,
    "focal": terms.focal,
    "dice": terms.dice,
    "jaccard": terms.jaccard,
    "lovasz": terms.lovasz,
}


@keras.saving.register_keras_serializable("roadmask")
class SegmentationLoss(keras.losses.Loss):  # type: ignore[misc]
    """A weighted sum of terms over the classes; void counts in none of them.

    The truth is the mask ``(N, H, W)`` of ids or ``(N, H, W, C)`` one-hot, taken at every second
    pixel; the logits are brought to that size (bilinear, as the daemon does), because thin poles
    vanish when the mask is shrunk to the logits instead. At every pixel the step of a stride-4
    network takes 1.45 times as long. Logits of full size are compared at every pixel.

    Args:
        class_weights: one weight for each class but void; None for equal ones.
        spec: such as ``ce+0.5*dice``, see ``parse_loss``.
        first_class: ``LabelSet.first_competing``: 1 where class 0 is void and its channel is never
            trained, as in the categories; 0 where void is an id behind the classes, such as 255.
        name: of the loss.

    Raises:
        ConfigError: a ``spec`` that cannot be read.
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        spec: str = "ce+0.5*dice",
        first_class: int = 1,
        name: str = "segmentation",
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self.class_weights = None if class_weights is None else [float(w) for w in class_weights]
        self.spec, self.first_class = spec, first_class
        self._terms = parse_loss(spec)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """``(N, H, W)`` ids, or one-hot, and ``(N, h, w, C)`` logits → one number."""
        pixels = self._pixels(y_true, y_pred)
        total = 0.0
        for term in self._terms:
            total = total + term.weight * TERMS[term.name](pixels, **term.options)
        return total

    def _pixels(self, y_true: Tensor, y_pred: Tensor) -> Pixels:
        step = 1 if y_pred.shape[1:3] == y_true.shape[1:3] else 2
        truth = y_true[:, ::step, ::step]
        height, width = truth.shape[1:3]
        logits = ops.cast(y_pred, "float32")
        if logits.shape[1:3] != (height, width):
            logits = ops.image.resize(logits, (height, width), interpolation="bilinear")
        first, classes = self.first_class, logits.shape[-1] - self.first_class
        # Void is never predicted: if it has a channel, that stays out of the softmax.
        log_p = ops.log_softmax(logits[..., first:], axis=-1)
        if len(truth.shape) == 4:
            target = ops.cast(truth[..., first:], "float32")
        else:
            # one_hot of an id outside the classes, which void is, is all zeros.
            ids = ops.cast(truth, "int32") - first
            target = ops.one_hot(ids, classes, dtype="float32")
        log_p, target = (ops.reshape(x, (-1, classes)) for x in (log_p, target))
        weights = self.class_weights or [1.0] * classes
        return Pixels(
            log_p,
            target,
            ops.sum(target, axis=-1, keepdims=True),
            ops.convert_to_tensor(weights, "float32"),
        )

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` takes."""
        return {
            "class_weights": self.class_weights,
            "spec": self.spec,
            "first_class": self.first_class,
            "name": self.name,
        }
