"""The Keras metric equals the NumPy scores: on TensorFlow here, on JAX in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.labels.catalogue import CITYSCAPES_8, CITYSCAPES_19
from roadmask.labels.label_set import LabelSet
from roadmask.labels.lookup import label_set
from train.loop.metrics import SegmentationMetrics


def batches(
    labels: LabelSet, seed: int = 1
) -> list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """Truth ``(2, 32, 48)`` with void, logits ``(2, 8, 12, C)`` that are right half the time."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(3):
        ids = [*(c.class_id for c in labels.scored[:-1]), labels.void_id]  # one never occurs
        truth = rng.choice(ids, (2, 32, 48)).astype(np.int32)
        logits = rng.normal(0, 1, (2, 8, 12, labels.class_count)).astype(np.float32)
        result.append((truth, logits))
    return result


def numpy_scores(labels: LabelSet) -> ConfusionMatrix:
    matrix = ConfusionMatrix(labels)
    for truth, logits in batches(labels):
        for mask, plane in zip(truth, logits, strict=True):
            first = labels.first_competing
            large = cv2.resize(plane[..., first:], (48, 32), interpolation=cv2.INTER_LINEAR)
            predicted = np.argmax(large, axis=-1) + first
            matrix.update(mask.astype(np.uint8), predicted.astype(np.uint8))
    return matrix


def check(metric: SegmentationMetrics, labels: LabelSet) -> None:
    expected = numpy_scores(labels)
    counts = metric.confusion_matrix().matrix
    assert counts.sum() == expected.matrix.sum()
    # Bilinear sums differ in the last bit: a tie may fall to the other side.
    assert np.abs(counts - expected.matrix).sum() <= 2
    result = {key: float(value) for key, value in metric.result().items()}
    own = metric.confusion_matrix()
    assert result["pixel_accuracy"] == pytest.approx(own.pixel_accuracy(), abs=1e-6)
    assert result["miou"] == pytest.approx(own.mean_category_iou(), abs=1e-6)
    assert result["dice"] == pytest.approx(own.mean_category_dice(), abs=1e-6)
    if "class_miou" in result:
        assert result["class_miou"] == pytest.approx(own.mean_iou(), abs=1e-6)


def updated(labels: LabelSet) -> SegmentationMetrics:
    metric = SegmentationMetrics(labels)
    for truth, logits in batches(labels):
        metric.update_state(truth, logits)
    return metric


@pytest.mark.parametrize("labels", [CITYSCAPES_8, CITYSCAPES_19], ids=lambda s: s.name)
def test_equals_the_numpy_scores(labels: LabelSet) -> None:
    metric = updated(labels)
    check(metric, labels)
    assert ("class_miou" in metric.result()) == (labels is CITYSCAPES_19)


def test_one_hot_truth_is_the_same() -> None:
    metric = SegmentationMetrics()
    for truth, logits in batches(CITYSCAPES_8):
        hot = (truth[..., None] == np.array([-1, *range(1, 8)])).astype(np.float32)
        metric.update_state(hot, logits)
    check(metric, CITYSCAPES_8)


def test_an_empty_metric_is_nan_and_reset_forgets() -> None:
    metric = updated(CITYSCAPES_8)
    metric.reset_state()
    assert all(np.isnan(float(value)) for value in metric.result().values())


def test_counts_over_two_to_the_31() -> None:
    metric = SegmentationMetrics()
    truth = np.full((1, 64, 64), 1, np.int32)
    logits = np.zeros((1, 64, 64, 8), np.float32)
    logits[..., 1] = 1
    metric.update_state(truth, logits)
    metric._low.assign(np.where(metric._low.numpy() > 0, (1 << 30) - 1, 0))
    metric._high.assign(np.where(metric._low.numpy() > 0, 5, 0))
    metric.update_state(truth, logits)
    assert metric.confusion_matrix().matrix[1, 1] == 5 * 2**30 + 2**30 - 1 + 64 * 64
    assert float(metric.result()["miou"]) == pytest.approx(1)


def test_weights_are_refused() -> None:
    truth, logits = batches(CITYSCAPES_8)[0]
    with pytest.raises(ValueError, match="no sample weights"):
        SegmentationMetrics().update_state(truth, logits, sample_weight=1)


def test_saved_with_an_own_label_set(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\n[[class]]\nid = 0\nname = "way"\ncategory = "flat"\nsources = ["road"]\n'
        '[[class]]\nid = 1\nname = "sky"\ncategory = "sky"\n'
    )
    metric = SegmentationMetrics(label_set(path), stride=2)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.labels == metric.labels
    assert again.stride == 2


def train_a_step() -> dict[str, float]:
    """Inside a compiled step, logged by name."""
    inputs = keras.Input((32, 48, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(8, 3, 4, padding="same")(inputs))
    loss = keras.losses.MeanSquaredError()
    model.compile("sgd", loss=lambda t, p: loss(0.0 * p, p), metrics=[SegmentationMetrics()])
    truth = np.concatenate([t for t, _ in batches(CITYSCAPES_8)])
    images = np.random.default_rng(1).normal(size=(len(truth), 32, 48, 3)).astype(np.float32)
    history = model.fit(images, truth, batch_size=2, verbose=0).history
    return {key: value[-1] for key, value in history.items()}


def check_a_step() -> None:
    logs = train_a_step()
    assert {"pixel_accuracy", "miou", "dice", "loss"} <= set(logs)
    assert 0 < logs["miou"] < logs["dice"] < 1


def test_fit_logs_every_score() -> None:
    check_a_step()


@pytest.mark.slow
def test_the_same_on_jax() -> None:
    pytest.importorskip("jax")
    body = (
        f"from tests.train import {Path(__file__).stem} as t\n"
        "import keras; assert keras.backend.backend() == 'jax'\n"
        "for labels in (t.CITYSCAPES_8, t.CITYSCAPES_19): t.check(t.updated(labels), labels)\n"
        "t.check_a_step()\n"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(root)}
    run = subprocess.run(
        [sys.executable, "-c", body], env=environment, capture_output=True, text=True, cwd=root
    )
    assert run.returncode == 0, run.stderr
