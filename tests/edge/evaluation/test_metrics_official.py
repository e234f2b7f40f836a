"""The scores equal those of the official Cityscapes evaluation, which is run on the same files."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from roadmask.arrays import U8
from roadmask.data.datasets import open_dataset
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.labels.catalogue import CITYSCAPES_8, CITYSCAPES_19, CITYSCAPES_34
from roadmask.labels.label_set import CATEGORY_NAMES, LabelSet
from roadmask.town.export import write_cityscapes

# NumPy 2.4 has no in1d any more, which the script uses.
SCRIPT = """
import runpy, numpy
numpy.in1d = getattr(numpy, "in1d", numpy.isin)
runpy.run_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling", run_name="__main__")
"""
FRAMES = 3
TRAIN_ID_OF_LABEL = CITYSCAPES_19.table_from(CITYSCAPES_34)


def official(root: Path, predictions: list[U8]) -> dict[str, Any]:
    """What the script says of predictions (label ids) for the frames of ``val``."""
    results = root / "results"
    results.mkdir()
    dataset = open_dataset("cityscapes", root, "val")
    for frame_id, prediction in zip(dataset.ids, predictions, strict=True):
        assert cv2.imwrite(str(results / f"{frame_id}.png"), prediction)
    environment = os.environ | {
        "CITYSCAPES_DATASET": str(root),
        "CITYSCAPES_RESULTS": str(results),
        "CITYSCAPES_EXPORT_DIR": str(root),
    }
    command = [sys.executable, "-c", SCRIPT]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root)
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(
        (root / "resultPixelLevelSemanticLabeling.json").read_text()
    )
    return result


def random_frames(root: Path) -> None:
    """Every label and object, ignored ones and groups too, in random blocks."""
    rng = np.random.default_rng(7)
    for number in range(FRAMES):
        blocks = rng.integers(0, 34, (12, 24)).astype(np.uint8)
        blocks[number] = 29 + number % 2  # caravan, trailer: ignored, but with objects
        instances = blocks.astype(np.uint16)
        single = CITYSCAPES_34.known_ids[blocks] & (blocks >= 24) & (rng.random(blocks.shape) < 0.7)
        instances[single] = instances[single] * 1000 + rng.integers(0, 5, int(single.sum()))
        name = f"random_000000_{number:06d}"
        folder = root / "gtFine/val/random"
        folder.mkdir(parents=True, exist_ok=True)
        images = root / "leftImg8bit/val/random"
        images.mkdir(parents=True, exist_ok=True)
        large = np.ones((7, 5))  # pixels of a block
        truth = np.kron(blocks, large).astype(np.uint8)
        cv2.imwrite(str(folder / f"{name}_gtFine_labelIds.png"), truth)
        instances = np.kron(instances, large).astype(np.uint16)
        cv2.imwrite(str(folder / f"{name}_gtFine_instanceIds.png"), instances)
        cv2.imwrite(str(images / f"{name}_leftImg8bit.png"), np.zeros((*truth.shape, 3), np.uint8))


def disturbed(truth: U8, seed: int, highest: int = 33) -> U8:
    """The truth moved by a few pixels, with a fifth of its blocks made random label ids."""
    rng = np.random.default_rng(seed)
    moved = np.roll(truth, (2, -3), (0, 1))
    height, width = truth.shape
    small = (math.ceil(height / 6), math.ceil(width / 6))
    noise = np.kron(rng.integers(0, highest + 1, small), np.ones((6, 6)))[:height, :width]
    where = np.kron(rng.random(small) < 0.2, np.ones((6, 6)))[:height, :width]
    return np.where(where > 0, noise, moved).astype(np.uint8)


@pytest.fixture(params=["random", "town"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "random":
        random_frames(tmp_path)
    else:
        write_cityscapes(tmp_path / "town", seed=3, train=0, val=FRAMES, width=256, height=128)
        return tmp_path / "town"
    return tmp_path


def assert_equal(mine: float, theirs: float) -> None:
    assert mine == pytest.approx(theirs, abs=1e-9, nan_ok=True)


def compare_categories(matrix: ConfusionMatrix, expected: dict[str, Any]) -> None:
    iou, iiou = matrix.category_iou(), matrix.category_instance_iou()
    for name, mine, mine_instances in zip(CATEGORY_NAMES[1:], iou, iiou, strict=True):
        assert_equal(mine, expected["categoryScores"][name])
        assert_equal(mine_instances, expected["categoryInstScores"][name])
    assert_equal(matrix.mean_category_iou(), expected["averageScoreCategories"])
    assert_equal(matrix.mean_category_instance_iou(), expected["averageScoreInstCategories"])


def compare_classes(matrix: ConfusionMatrix, expected: dict[str, Any]) -> None:
    names = [c.name for c in matrix.labels.scored]
    assert len(names) == 19
    for name, mine, mine_instances in zip(names, matrix.iou(), matrix.instance_iou(), strict=True):
        assert_equal(mine, expected["classScores"][name])
        assert_equal(mine_instances, expected["classInstScores"][name])
    assert_equal(matrix.mean_iou(), expected["averageScoreClasses"])
    assert_equal(matrix.mean_instance_iou(), expected["averageScoreInstClasses"])


def score(root: Path, labels: LabelSet, predictions: list[U8]) -> ConfusionMatrix:
    """Our scores over the same files; predictions in ids of ``labels``."""
    dataset = open_dataset("cityscapes", root, "val")
    table = labels.table_from(dataset.labels)
    matrix = ConfusionMatrix(labels)
    for sample, prediction in zip(dataset, predictions, strict=True):
        assert sample.instances is not None
        matrix.update(table[sample.label_ids], prediction, sample.instances)
    return matrix


def test_label_ids_ignored_ones_included(root: Path) -> None:
    dataset = open_dataset("cityscapes", root, "val")
    predictions = [disturbed(sample.label_ids, seed) for seed, sample in enumerate(dataset)]
    expected = official(root, predictions)
    matrix = score(root, CITYSCAPES_34, predictions)
    compare_classes(matrix, expected)
    compare_categories(matrix, expected)
    assert expected["averageScoreInstClasses"] > 0.05  # objects were there


def test_train_ids(root: Path) -> None:
    """Predictions of a 19-class network; what it never predicts, the ignored, is unlabelled."""
    dataset = open_dataset("cityscapes", root, "val")
    predictions = [
        TRAIN_ID_OF_LABEL[disturbed(sample.label_ids, seed)] for seed, sample in enumerate(dataset)
    ]
    label_of = np.zeros(256, np.uint8)
    for label_id in np.flatnonzero(TRAIN_ID_OF_LABEL != 255):
        label_of[TRAIN_ID_OF_LABEL[label_id]] = label_id
    expected = official(root, [label_of[p] for p in predictions])
    matrix = score(root, CITYSCAPES_19, predictions)
    compare_classes(matrix, expected)
    compare_categories(matrix, expected)


def test_categories(root: Path) -> None:
    """What the daemon publishes, each category written as its leading label."""
    leading = np.array([0, 7, 11, 17, 21, 23, 24, 26], np.uint8)
    dataset = open_dataset("cityscapes", root, "val")
    predictions = [
        CITYSCAPES_34.category_table[disturbed(sample.label_ids, seed)]
        for seed, sample in enumerate(dataset)
    ]
    expected = official(root, [leading[p] for p in predictions])
    compare_categories(score(root, CITYSCAPES_8, predictions), expected)
    matrix = ConfusionMatrix()
    for sample, prediction in zip(dataset, predictions, strict=True):
        matrix.update(sample.mask, prediction, sample.instances)
    compare_categories(matrix, expected)
