"""Soft labels from a teacher for frames that nobody labelled, and training on them."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError, DataError, ModelError
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.town.town import Town
from tests.train.conftest import TINY
from train.__main__ import main
from train.data.loader import Part, TrainingData
from train.data.recipes import load_recipe
from train.data.teacher import Teacher, Unlabelled
from train.keras_file import network_file
from train.losses import SegmentationLoss


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures without labels, 96x48, in two folders."""
    root = tmp_path_factory.mktemp("unlabelled")
    for number, place in enumerate(("a/0.png", "a/1.jpg", "b/2.png")):
        (root / place).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(root / place), Town(40 + number, 96, 48).frame(9).image)
    (root / "b" / "notes.txt").write_text("no picture")
    return root


def teach(run: Path, width: int | None = None) -> Teacher:
    return Teacher((network_file(run, "--teacher"),), width, CITYSCAPES_8)


def test_every_picture_is_found_and_void(pictures: Path, tmp_path: Path) -> None:
    found = Unlabelled(pictures)
    assert list(found.ids) == ["a/0.png", "a/1.jpg", "b/2.png"]
    assert found[1].image.shape == (48, 96, 3)
    assert not found[1].label_ids.any()
    with pytest.raises(DataError, match="no picture"):
        Unlabelled(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        Unlabelled(tmp_path / "none")


def test_soft_labels_are_the_networks_own_probabilities(pictures: Path, tiny_run: Path) -> None:
    dataset = Unlabelled(pictures)
    soft = teach(tiny_run).soft_labels(dataset)
    assert [s.shape for s in soft] == [(32, 32, 8)] * 3
    model = keras.saving.load_model(network_file(tiny_run, "--teacher"), compile=False)
    image = cv2.resize(dataset[2].image, (32, 32), interpolation=cv2.INTER_AREA)[..., ::-1]
    expected = []
    for seen in (image, image[:, ::-1]):
        logits = np.asarray(model(seen[None].astype(np.float32)))[0, ..., 1:]
        expected.append(np.asarray(keras.ops.softmax(logits)))
    mean = (expected[0] + expected[1][:, ::-1]) / 2
    assert not soft[2][..., 0].any()  # void is never claimed
    np.testing.assert_allclose(soft[2][..., 1:] / 255, mean, atol=0.51 / 255)


def test_a_width_keeps_the_frames_proportions(pictures: Path, tiny_run: Path) -> None:
    teacher = teach(tiny_run, 64)
    assert teacher.soft_labels(Unlabelled(pictures))[0].shape == (32, 64, 8)
    assert teacher.digest == teach(tiny_run).digest


def test_the_cars_own_bonnet_stays_void(pictures: Path, tiny_run: Path) -> None:
    teacher = replace(teach(tiny_run), bottom=0.25)
    soft, whole = (t.soft_labels(Unlabelled(pictures))[0] for t in (teacher, teach(tiny_run)))
    assert not soft[24:].any()
    np.testing.assert_array_equal(soft[:24], whole[:24])


def test_batches_hold_one_plane_a_class(
    pictures: Path, camvid_folder: Path, tiny_run: Path
) -> None:
    unlabelled = Unlabelled(pictures)
    camvid = open_dataset("camvid", camvid_folder, "train")
    parts = [Part(camvid, 3), Part(unlabelled, 3, teach(tiny_run))]
    recipe = load_recipe("full")
    data = TrainingData(parts, size=(32, 32), batch_size=6, seed=1, recipe=recipe)
    images, masks = data[0]
    assert images.shape == (6, 32, 32, 3) and masks.shape == (6, 32, 32, 8)
    sums = masks.sum(-1)
    assert np.all((sums < 1e-6) | (abs(sums - 1) < 8 / 255))  # eight roundings
    soft = [np.any((m > 0.02) & (m < 0.98)) for m in masks]
    assert sum(soft) == 3
    again = TrainingData(parts, size=(32, 32), batch_size=6, seed=1, recipe=recipe)
    np.testing.assert_array_equal(again[0][1], masks)


def test_the_loss_takes_probabilities() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(1, 4, 4, 8)).astype(np.float32)
    target = rng.dirichlet(np.ones(7), (1, 4, 4)).astype(np.float32)
    truth = np.concatenate([np.zeros((1, 4, 4, 1), np.float32), target], -1)
    log_p = np.asarray(keras.ops.log_softmax(logits[..., 1:]))
    expected = -(target * log_p).sum(-1).mean()
    assert float(SegmentationLoss(spec="ce")(truth, logits)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("eager")
def test_a_run_with_a_teacher_is_recorded_and_resumed(
    pictures: Path,
    camvid_folder: Path,
    tiny_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "student"
    common = [*TINY, "--dataset", "camvid", "--root", str(camvid_folder), "--recipe", "flip"]
    common += ["--teacher", str(tiny_run), "--unlabelled", f"{pictures}=0.5", "--out", str(out)]
    assert main([*common, "--epochs", "1"]) == 0
    part = json.loads((out / "run.json").read_text())["parts"][1]
    assert part["dataset"] == "unlabelled" and part["frames"] == 3
    assert part["teacher"] == teach(tiny_run).digest
    assert str(pictures) not in (out / "run.json").read_text()
    assert main([*common, "--epochs", "1"]) == 0  # finished: nothing more to do
    assert main([*common, "--epochs", "1", "--teacher-width", "64"]) == 2  # another teacher
    assert "another configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--teacher", "RUN"], "go together"),
        (["--unlabelled", "DIR"], "go together"),
        (["--teacher", "RUN", "--unlabelled", "DIR=2"], "more than 0 and less than 1"),
        (["--teacher", "RUN", "--unlabelled", "none"], "no such folder"),
        (
            ["--teacher", "RUN", "--unlabelled", "DIR", "--own-bonnet", "1"],
            "--own-bonnet 1: expected",
        ),
        (["--teacher", "DIR", "--unlabelled", "DIR"], "folder of a finished run"),
        (["--teacher", "RUN", "--unlabelled", "DIR", "--labels", "cityscapes-19"], "trained in"),
    ],
)
def test_what_cannot_teach_is_one_line(
    arguments: list[str],
    words: str,
    pictures: Path,
    camvid_folder: Path,
    tiny_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"RUN": str(tiny_run), "DIR": str(pictures), "DIR=2": f"{pictures}=2"}
    given = [places.get(argument, argument) for argument in arguments]
    data = ["--dataset", "camvid", "--root", str(camvid_folder), "--epochs", "1"]
    try:
        code = main([*TINY, *data, *given, "--out", str(tmp_path / "out")])
    except SystemExit as refused:  # by the parser
        code = int(refused.code or 0)
    assert code == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_teacher_of_other_classes_is_refused(pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.keras"
    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.Conv2D(3, 1)(image), name="mine").save(path)
    with pytest.raises(ModelError, match="trained in cityscapes-8"):
        Teacher((path,), None, CITYSCAPES_8).soft_labels(Unlabelled(pictures))
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match="cannot be read"):
        Teacher((path,), None, CITYSCAPES_8).soft_labels(Unlabelled(pictures))
    with pytest.raises(ConfigError, match="folder of a finished run"):
        network_file(tmp_path / "nothing", "--teacher")
