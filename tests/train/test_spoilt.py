"""Pictures that show nothing: what is hidden, what is asked there, and what the record says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from roadmask.data.datasets import open_dataset
from tests.train.conftest import TINY
from train.__main__ import main
from train.data.loader import Part, TrainingData
from train.data.recipes import load_recipe
from train.data.spoilt import spoil

ROAD = open_dataset("town", split="train", count=2, size=(160, 96))


def test_what_is_not_hidden_stays_and_a_seed_says_all() -> None:
    image = ROAD[0].image
    before = image.copy()
    wholes = parts = 0
    for seed in range(120):
        spoilt, hidden = spoil(image, seed)
        again = spoil(image, seed)
        np.testing.assert_array_equal(spoilt, again[0])
        np.testing.assert_array_equal(hidden, again[1])
        np.testing.assert_array_equal(spoilt[~hidden], image[~hidden])
        assert spoilt.shape == image.shape and spoilt.dtype == np.uint8
        assert hidden.shape == image.shape[:2] and hidden.any()
        # Of nothing but a little is as it was.
        assert (spoilt[hidden] == image[hidden]).all(-1).mean() < 0.5
        wholes += bool(hidden.all())
        parts += not hidden.all()
    assert wholes > 30 and parts > 30
    np.testing.assert_array_equal(image, before)


def test_where_nothing_is_seen_every_class_is_as_likely() -> None:
    data = TrainingData(
        [Part(ROAD, 2), Part(ROAD, 14, spoilt=True)],
        size=(160, 96), batch_size=16, seed=4, recipe=load_recipe("none"),
    )  # fmt: skip
    images, targets = data[0]
    again = TrainingData(
        [Part(ROAD, 2), Part(ROAD, 14, spoilt=True)],
        size=(160, 96), batch_size=16, seed=4, recipe=load_recipe("none"),
    )[0]  # fmt: skip
    np.testing.assert_array_equal(images, again[0])
    assert targets.shape == (16, 96, 160, 8) and targets.dtype == np.float32
    assert not targets[..., 0].any()  # void is no class to be asked for
    even = np.isclose(targets[..., 1:], 1 / 7).all(-1)
    known = (targets == 1).sum(-1) == 1
    void = ~targets.any(-1)
    assert (even.astype(int) + known + void == 1).all()
    spoilt = even.any((1, 2))
    assert spoilt.sum() == 14
    shown = {sample.image[..., ::-1].tobytes() for sample in (ROAD[0], ROAD[1])}
    assert all(image.astype(np.uint8).tobytes() in shown for image in images[~spoilt])


def test_a_run_says_which_of_its_samples_were_spoilt(
    camvid_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], eager: None
) -> None:
    out = tmp_path / "run"
    data = ["--dataset", "camvid", "--root", str(camvid_folder), "--mix", "town=0.4"]
    assert main([*TINY, *data, "--spoilt", "0.3", "--epochs", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    record = json.loads((out / "run.json").read_text())
    real, spoilt = record["parts"][0], record["parts"][-1]
    assert spoilt["spoilt"] is True and "spoilt" not in real
    assert spoilt["ids_sha256"] == real["ids_sha256"]
    samples = [part["samples"] for part in record["parts"]]
    assert spoilt["samples"] / sum(samples) == pytest.approx(0.3, abs=0.5 / sum(samples) + 0.02)
