"""Training in another label set than the categories: outputs, loss, scores, the finished file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError
from roadmask.labels.catalogue import CITYSCAPES_19
from train.config import FitConfig
from train.data.loader import Part
from train.loop.fit import Fit
from train.losses import SegmentationLoss

TOY = FitConfig(
    input_size=(96, 64), crop_size=(96, 64), epochs=1, batch_size=2, warmup_epochs=0, seed=5
)
OWN = """name = "own"
[[class]]
id = 0
name = "way"
category = "flat"
sources = ["road", "sidewalk", "Road", "Pavement"]
[[class]]
id = 1
name = "sky"
category = "sky"
[[class]]
id = 2
name = "rest"
category = "construction"
sources = ["building", "vegetation", "car", "Building", "Tree", "Car"]
"""


@pytest.fixture
def parts() -> list[Part]:
    return [Part(open_dataset("town", split="train", count=4, size=(96, 64)), 4)]


@pytest.mark.usefixtures("eager")
def test_nineteen_classes_are_trained_and_scored(parts: list[Part], tmp_path: Path) -> None:
    val = open_dataset("town", split="val", count=2, size=(96, 64))
    model = Fit(replace(TOY, model="unet_mini", labels="cityscapes-19"), parts, val, tmp_path).run()
    assert model.output_shape[-1] == 19
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert set(scores["class_iou"]) == {c.name for c in CITYSCAPES_19.classes}
    assert set(scores["iou"]) >= {"flat", "sky"}
    assert np.isfinite(scores["loss"])


@pytest.mark.slow
def test_an_own_set_is_trained_and_resumed(
    parts: list[Part], camvid_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    config = replace(TOY, labels=str(path))
    camvid = open_dataset("camvid", camvid_folder, "val")
    fit = Fit(config, parts, camvid, tmp_path / "run")
    fit.run()
    assert len(fit.progress.class_weights()) == 3
    again = keras.saving.load_model(tmp_path / "run" / "roadnet.keras", compile=False)
    assert again.output_shape[-1] == 3
    with pytest.raises(ConfigError, match="labels"):
        Fit(replace(config, labels="cityscapes-19"), parts, None, tmp_path / "run")


def test_every_channel_of_a_set_without_void_is_in_the_loss() -> None:
    truth = np.array([[[0, 1], [255, 2]]], np.int32)
    logits = np.zeros((1, 2, 2, 3), np.float32)
    loss = SegmentationLoss(None, "ce", first_class=0)
    assert float(loss(truth, logits)) == pytest.approx(np.log(3), abs=1e-6)
    # Void, 255, may be predicted as anything; class 0 may not.
    logits[0, 1, 0] = (9, 0, 0)
    assert float(loss(truth, logits)) == pytest.approx(np.log(3), abs=1e-6)
    logits[0, 0, 0] = (9, 0, 0)
    assert float(loss(truth, logits)) < np.log(3)
    again = SegmentationLoss.from_config(loss.get_config())
    assert float(again(truth, logits)) == float(loss(truth, logits))
