"""Which networks a server loads, and under which names and label sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from roadmask.errors import ModelError
from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.web.networks.local import load_networks
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.encode import headers_of
from roadmask.web.routes.gallery import links
from roadmask.web.settings import ServeConfig

_LABELS = 'name = "own"\n' + "".join(
    f'[[class]]\nid = {i}\nname = "{name}"\ncategory = "{name}"\n'
    for i, name in enumerate(CATEGORY_NAMES)
)


def test_labels_are_for_the_model_that_names_none(shipped_model: Path, tmp_path: Path) -> None:
    foreign, labels = tmp_path / "foreign.tflite", tmp_path / "own.toml"
    foreign.write_bytes(shipped_model.read_bytes().replace(b"ROADMASK", b"NOBODYS_"))
    labels.write_text(_LABELS)
    config = ServeConfig(models=(str(shipped_model), str(foreign)), labels=str(labels))
    models = {name: n.describe() for name, n in load_networks(config).items()}
    assert models[shipped_model.stem].labels == "cityscapes-8"
    assert models["foreign"].labels == "own" and models["foreign"].scores == {}


def test_names_that_are_no_plain_words() -> None:
    mask = np.zeros((2, 2), np.uint8)
    outcome = Outcome(mask, None, {}, 0.0, "netz\r\nSet-Cookie: größe", "", 1.0)
    assert headers_of(outcome)["X-Roadmask-Model"].isascii()
    assert "\n" not in headers_of(outcome)["X-Roadmask-Model"]
    assert links("a #1?").image == "/gallery/a%20%231%3F/image"


def test_models_of_one_name_are_told_apart(shipped_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.tflite"
    other.write_bytes(shipped_model.read_bytes())
    config = ServeConfig(models=(shipped_model.stem, str(other), str(other)))
    assert list(load_networks(config)) == [shipped_model.stem, "mine", "mine-2"]
    with pytest.raises(ModelError, match="missing"):
        load_networks(ServeConfig(models=("../../nothing",)))
