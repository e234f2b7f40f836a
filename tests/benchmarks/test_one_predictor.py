"""Whoever scores a network gives a frame the same score."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from web_parts import server

from benchmarks.__main__ import main
from benchmarks.model.accuracy import measure_accuracy
from benchmarks.model.keras_file import open_keras
from roadmask.data.datasets import open_dataset
from roadmask.labels.catalogue import CAMVID_11
from roadmask.town.town import Town

FRAMES = 10
NETWORK = "roadnet-480x352"


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten town frames as the split val, and each as a split of its own."""
    root = tmp_path_factory.mktemp("frames")
    camvid_class = np.zeros(8, np.uint8)
    for c in reversed(CAMVID_11.classes):
        camvid_class[c.category] = c.class_id
    town = Town(7, 500, 301)  # neither the network's size nor a multiple of its logits
    for number in range(FRAMES):
        frame = town.frame(30 * number)
        truth = camvid_class[frame.category_mask]
        for split in ("val", f"frame{number}"):
            for folder, picture in ((split, frame.image), (f"{split}annot", truth)):
                (root / folder).mkdir(exist_ok=True)
                cv2.imwrite(str(root / folder / f"{number:02}.png"), picture)
    return root


def test_benchmarks_and_the_gallery_agree_on_every_frame(frames: Path, tmp_path: Path) -> None:
    given = ("--dataset", "camvid", "--root", frames, "--model", NETWORK)
    with server(*given) as (base, _):
        shown = [
            httpx.get(f"{base}/gallery/{number:02}", timeout=60).json()["scores"]
            for number in range(FRAMES)
        ]
    result = tmp_path / "accuracy.json"
    for number, scores in enumerate(shown):
        place = ("--dataset", "camvid", "--root", str(frames), "--split", f"frame{number}")
        assert main(["accuracy", NETWORK, *place, "--json", str(result)]) == 0
        measured = json.loads(result.read_text())
        assert measured["images"] == 1
        assert scores["miou"] == pytest.approx(measured["miou"], abs=1e-9)
        for name, value in measured["iou"].items():
            assert scores["iou"][name] == pytest.approx(value, abs=1e-9)


def test_training_and_benchmarks_agree_on_a_float_network(
    keras_file: Path, camvid_folder: Path
) -> None:
    import keras

    from train.loop.evaluation import evaluate
    from train.losses.segmentation import SegmentationLoss

    dataset = open_dataset("camvid", camvid_folder, "val")
    model = keras.saving.load_model(keras_file, compile=False)
    trained = evaluate(model, dataset, SegmentationLoss(), batch_size=2).matrix.matrix
    measured = measure_accuracy(open_keras(keras_file), dataset, progress=False).matrix
    # A batch adds in another order than one frame does: a pixel in a thousand may be a tie.
    assert np.abs(trained - measured).sum() <= 2e-3 * measured.sum()
