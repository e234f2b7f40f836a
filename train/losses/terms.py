"""The terms of a loss: functions of log-probabilities and one-hot truth to one number.

Void is a pixel whose one-hot row is all zeros; it falls out of every sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from keras import ops

Tensor = Any
_TINY = 1e-6


@dataclass(frozen=True)
class Pixels:
    """What every term looks at, all float32.

    Attributes:
        log_p: ``(P, K)``: log-probabilities of the K classes but void at P pixels.
        target: ``(P, K)``: one-hot truth, all zeros where it is void.
        valid: ``(P, 1)``: 0 where it is void, else 1.
        weights: ``(K,)``: of the classes, in the terms that sum over pixels.
    """

    log_p: Tensor
    target: Tensor
    valid: Tensor
    weights: Tensor


def cross_entropy(pixels: Pixels, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy weighted by class; ``smoothing`` of the target goes to all classes."""
    soft = pixels.target * (1 - smoothing) + pixels.valid * smoothing / pixels.target.shape[-1]
    weight = _pixel_weight(pixels)
    return -ops.sum(soft * pixels.log_p * weight[:, None]) / (ops.sum(weight) + _TINY)


def hard_cross_entropy(pixels: Pixels, threshold: float = 0.7, share: float = 1 / 16) -> Tensor:
    """Online hard example mining (Shrivastava et al., 2016) for pixels.

    The cross-entropy over the pixels whose true class has less than ``threshold``, and over at
    least the hardest ``share`` of those that are not void.
    """
    loss = -ops.sum(pixels.target * pixels.log_p, axis=-1)
    valid = pixels.valid[:, 0]
    hardest = ops.flip(ops.sort(ops.where(valid > 0, loss, -1.0)))  # void comes last
    last = ops.cast(ops.ceil(ops.sum(valid) * share), "int32") - 1
    bound = ops.take(hardest, ops.maximum(last, 0))
    bound = ops.stop_gradient(ops.minimum(bound, -math.log(threshold)))
    weight = _pixel_weight(pixels) * ops.cast(loss >= bound, "float32")
    return ops.sum(loss * weight) / (ops.sum(weight) + _TINY)


def focal(pixels: Pixels, gamma: float = 2.0) -> Tensor:
    """Focal loss (Lin et al., 2017): cross-entropy times ``(1 - p)^gamma``, weighted by class."""
    log_p = ops.sum(pixels.target * pixels.log_p, axis=-1)
    weight = _pixel_weight(pixels)
    # A power of exactly 0 has no finite derivative for gamma < 1.
    miss = ops.maximum(1 - ops.exp(log_p), _TINY)
    return -ops.sum(miss**gamma * log_p * weight) / (ops.sum(weight) + _TINY)


def dice(pixels: Pixels) -> Tensor:
    """One minus soft Dice (Milletari et al., "V-Net", 2016), mean of the classes that are there."""
    overlap, total = _overlap(pixels)
    return _mean_present(1 - (2 * overlap + 1) / (total + 1), pixels)


def jaccard(pixels: Pixels) -> Tensor:
    """One minus soft IoU (Rahman and Wang, 2016), mean of the classes that are there."""
    overlap, total = _overlap(pixels)
    return _mean_present(1 - (overlap + 1) / (total - overlap + 1), pixels)


def lovasz(pixels: Pixels) -> Tensor:
    """Lovász-softmax (Berman et al., 2018) over the batch, mean of the classes that are there.

    The convex extension of one minus IoU: errors, the largest first, times what each adds to it.
    """
    # Void has error 0: it sorts behind all that count and multiplies whatever it adds by 0.
    errors = ops.transpose(ops.abs(pixels.target - ops.exp(pixels.log_p)) * pixels.valid)
    order = ops.argsort(-errors, axis=-1)
    errors = ops.take_along_axis(errors, order, axis=-1)
    truth = ops.take_along_axis(ops.transpose(pixels.target), order, axis=-1)
    count = ops.sum(truth, axis=-1, keepdims=True)
    intersection = count - ops.cumsum(truth, axis=-1)
    union = count + ops.cumsum(1 - truth, axis=-1)
    loss = 1 - intersection / union  # union is 1 or more: each pixel is in truth or added to it
    steps = ops.concatenate([loss[:, :1], loss[:, 1:] - loss[:, :-1]], axis=-1)
    return _mean_present(ops.sum(errors * ops.stop_gradient(steps), axis=-1), pixels)


def _pixel_weight(pixels: Pixels) -> Tensor:
    return ops.sum(pixels.target * pixels.weights, axis=-1)


def _overlap(pixels: Pixels) -> tuple[Tensor, Tensor]:
    """By class: the soft intersection, and the sum of both areas."""
    p = ops.exp(pixels.log_p) * pixels.valid
    return ops.sum(p * pixels.target, axis=0), ops.sum(p, axis=0) + ops.sum(pixels.target, axis=0)


def _mean_present(by_class: Tensor, pixels: Pixels) -> Tensor:
    present = ops.cast(ops.sum(pixels.target, axis=0) > 0, "float32")
    return ops.sum(by_class * present) / ops.maximum(ops.sum(present), 1.0)
