"""Score a float network on a labelled set as the daemon would run it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import keras
import numpy as np
import numpy.typing as npt

from roadmask.arrays import Mask
from roadmask.data.datasets import Dataset, Sample
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.labels.label_set import LabelSet


@dataclass(frozen=True)
class Evaluation:
    """What a validation gives.

    Attributes:
        matrix: the scores.
        loss: mean over the frames, at the network's input size.
    """

    matrix: ConfusionMatrix
    loss: float

    def to_json(self) -> dict[str, object]:
        """The keys of ``python -m benchmarks accuracy``, the loss and the confusion matrix."""
        return self.matrix.report() | {
            "loss": self.loss,
            "confusion": self.matrix.matrix.tolist(),
        }


def evaluate(
    model: keras.Model,
    dataset: Dataset,
    loss: keras.losses.Loss,
    labels: LabelSet = CITYSCAPES_8,
    batch_size: int = 4,
) -> Evaluation:
    """Score every frame: stretched to the input, argmax over the classes, nearest to the truth.

    Raises:
        ConfigError: the data set has no class of ``labels``, which the network is trained in.
    """
    _, height, width, _ = model.input_shape
    matrix, total = ConfusionMatrix(labels), 0.0
    table = labels.table_from(dataset.labels)
    for samples in _batches(dataset, batch_size):
        logits = predict_logits(model, samples)
        masks = [np.asarray(cv2.LUT(s.label_ids, table), np.uint8) for s in samples]
        for sample, truth, frame_logits in zip(samples, masks, logits, strict=True):
            mask = mask_from_logits(frame_logits, (width, height), labels.first_competing)
            matrix.update(truth, _resize(mask, truth.shape[::-1]), sample.instances)
        truth = np.stack([_resize(mask, (width, height)) for mask in masks])
        total += float(loss(truth.astype(np.int32), logits)) * len(samples)
    return Evaluation(matrix, total / max(1, len(dataset)))


def predict_logits(model: keras.Model, samples: list[Sample]) -> npt.NDArray[np.float32]:
    """``(N, h, w, C)`` logits of the frames, each stretched to the network's input."""
    _, height, width, _ = model.input_shape
    images = np.empty((len(samples), height, width, 3), np.float32)
    for place, sample in enumerate(samples):
        image = cv2.cvtColor(sample.image, cv2.COLOR_BGR2RGB)
        images[place] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(model.predict_on_batch(images), np.float32)


def mask_from_logits(
    logits: npt.NDArray[np.float32], size: tuple[int, int], first: int = 1
) -> Mask:
    """``(h, w, C)`` logits → ``(H, W)`` ids from ``first`` on at ``size`` (width, height)."""
    full = cv2.resize(logits[..., first:], size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.argmax(full, axis=-1) + first, np.uint8)


def _resize(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _batches(dataset: Dataset, size: int) -> Iterator[list[Sample]]:
    frames = iter(dataset)
    while batch := list(islice(frames, size)):
        yield batch
