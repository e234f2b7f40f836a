"""Score a float network on a labelled set as the daemon would run it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import keras
import numpy as np
import numpy.typing as npt

from roadmask.data.datasets import Dataset, Sample
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.nearest import nearest
from roadmask.inference.predictor import Predictor
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.labels.label_set import LabelSet
from train.loop.keras_engine import KerasEngine


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
    """Score every frame: its logits brought to the truth's size by the daemon's kernel.

    Raises:
        ConfigError: the data set has no class of ``labels``, which the network is trained in.
    """
    predictor = Predictor(KerasEngine(model, labels), classes=True)
    matrix, total = ConfusionMatrix(labels), 0.0
    table = labels.table_from(dataset.labels)
    for samples in _batches(dataset, batch_size):
        logits = _predict(model, predictor, samples)
        truths = [np.asarray(cv2.LUT(s.label_ids, table), np.uint8) for s in samples]
        for sample, truth, frame_logits in zip(samples, truths, logits, strict=True):
            mask = predictor.draw(frame_logits, (truth.shape[1], truth.shape[0]))
            matrix.update(truth, mask, sample.instances)
        seen = np.stack([nearest(truth, predictor.engine.input_size) for truth in truths])
        total += float(loss(seen.astype(np.int32), logits)) * len(samples)
    return Evaluation(matrix, total / max(1, len(dataset)))


def _predict(
    model: keras.Model, predictor: Predictor, samples: list[Sample]
) -> npt.NDArray[np.float32]:
    """``(N, h, w, C)`` logits of the frames, each stretched to the network's input."""
    images = np.empty((len(samples), *predictor.engine.input.shape), np.float32)
    for image, sample in zip(images, samples, strict=True):
        with sample.named():
            predictor.prepare(sample.image, image)
    return np.ascontiguousarray(model.predict_on_batch(images), np.float32)


def _batches(dataset: Dataset, size: int) -> Iterator[list[Sample]]:
    frames = iter(dataset)
    while batch := list(islice(frames, size)):
        yield batch
