"""The shipped networks go on from their letters, on a folder in Cityscapes' layout."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from roadmask.errors import ConfigError
from roadmask.inference.model_file import FAMILY
from roadmask.town.export import write_cityscapes
from train.__main__ import main
from train.command import training_parser
from train.family import family_network, family_weights
from train.models.roadlite import SIZES
from train.options import prepare


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("own") / "cityscapes"
    write_cityscapes(root, train=4, val=2, width=512, height=256)
    return root


def test_letters_name_what_ships() -> None:
    assert {letter: family_network(letter) for letter in FAMILY} == {
        letter: ("roadlite", size) for letter, size in SIZES.items()
    }
    assert all(family_weights(letter).is_file() for letter in FAMILY)


@pytest.mark.slow
def test_one_command_fine_tunes_the_largest(own: Path, tmp_path: Path) -> None:
    command = ["--model", "l", "--weights", "l", "--dataset", "cityscapes", "--root", str(own)]
    small = ["--epochs", "1", "--crop", "64x64", "--learning-rate", "1e-5", "--warmup-epochs", "0"]
    assert main([*command, *small, "--out", str(tmp_path / "run")]) == 0
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["miou"] > 0.4  # what the shipped one knows; of random weights it is under 0.1
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["config"]["model"] == "roadlite"
    assert record["config"]["input_size"] == list(SIZES["l"])
    assert Path(record["config"]["weights"]).name == "roadlite.keras"
    tuned = keras.saving.load_model(tmp_path / "run" / "roadlite.keras", compile=False)
    shipped = keras.saving.load_model(family_weights("l"), compile=False)
    assert tuned.input_shape == (None, 384, 512, 3)
    pairs = zip(tuned.get_weights(), shipped.get_weights(), strict=True)
    assert max(float(np.abs(a - b).max()) for a, b in pairs) > 0


def test_another_size_may_be_given(own: Path, tmp_path: Path) -> None:
    command = ["--model", "s", "--dataset", "cityscapes", "--root", str(own)]
    for given, size in ((["--size", "64x32"], (64, 32)), ([], SIZES["s"])):
        options = training_parser().parse_args([*command, *given, "--out", str(tmp_path)])
        config, _, _ = prepare(options)
        assert (config.model, config.input_size, config.crop_size) == ("roadlite", size, size)


def test_without_a_clone_the_missing_weights_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.family._FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"--weights m: .*roadlite\.keras is missing; give a"):
        family_weights("m")
