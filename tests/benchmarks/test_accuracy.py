from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.model.accuracy import accuracy_result, accuracy_table, measure_accuracy
from benchmarks.model.keras_file import open_keras
from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError, DataError, ModelError
from roadmask.inference.engine import Engine
from roadmask.inference.predictor import Predictor
from roadmask.town.export import write_cityscapes


def test_a_network_is_scored_over_every_frame(int8_file: Path, camvid_folder: Path) -> None:
    engine = Engine(int8_file)
    dataset = open_dataset("camvid", camvid_folder, "val")
    seen: list[str] = []
    matrix = measure_accuracy(
        engine, dataset, progress=False, observe=lambda sample, mask: seen.append(sample.frame_id)
    )
    result = accuracy_result(engine, matrix, dataset, "val")
    assert seen == list(dataset.ids)
    assert result["images"] == len(dataset)
    assert list(result["iou"]) == [
        "flat", "construction", "object", "nature", "sky", "human", "vehicle",
    ]  # fmt: skip
    assert 0 <= result["miou"] <= 1 and 0 <= result["pixel_accuracy"] <= 1
    assert result["iiou"] is None  # CamVid does not tell single objects apart
    assert "mean IoU" in accuracy_table(result)


def test_a_split_whose_truth_is_withheld_is_refused(int8_file: Path, tmp_path: Path) -> None:
    write_cityscapes(tmp_path / "data", train=0, val=0, test=2, width=96, height=64)
    for mask in tmp_path.glob("data/gtFine/test/*/*_labelIds.png"):
        cv2.imwrite(str(mask), np.zeros((64, 96), np.uint8))
    with pytest.raises(DataError, match=r"no pixel of these 2 frames .* withholds"):
        measure_accuracy(
            Engine(int8_file), open_dataset("cityscapes", tmp_path / "data", "test"), progress=False
        )


def test_a_frame_that_is_too_large_is_named(
    int8_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("val", "valannot"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "A_1.png"), np.zeros((8, 16400), np.uint8))
    given = ["--dataset", "camvid", "--root", str(tmp_path)]
    assert main(["accuracy", str(int8_file), *given]) == 2
    (line,) = (x for x in capsys.readouterr().err.splitlines() if x.startswith("roadmask:"))
    assert f"frame {tmp_path / 'val' / 'A_1.png'}: a picture of 16400x8 px: at most" in line


def test_masks_have_the_frames_own_size(int8_file: Path) -> None:
    predictor = Predictor(Engine(int8_file))
    rng = np.random.default_rng(1)
    for height, width in ((48, 64), (101, 333)):
        mask = predictor.mask(rng.integers(0, 256, (height, width, 3), np.uint8))
        assert mask.shape == (height, width)
        assert mask.min() >= 1 and mask.max() <= 7  # void is never predicted


def test_the_keras_model_and_its_int8_file_agree(
    keras_file: Path, int8_file: Path, camvid_folder: Path
) -> None:
    dataset = open_dataset("camvid", camvid_folder, "val")
    float_model, int8_model = Predictor(open_keras(keras_file)), Predictor(Engine(int8_file))
    equal = [
        np.mean(float_model.mask(sample.image) == int8_model.mask(sample.image))
        for sample in dataset
    ]
    # Random weights leave near ties, so not all pixels; a wrong input scale gives a third.
    assert np.mean(equal) > 0.8


def test_unusable_keras_files_are_named(tmp_path: Path, keras_file: Path) -> None:
    with pytest.raises(ModelError, match="is missing"):
        open_keras(tmp_path / "none.keras")
    broken = tmp_path / "broken.keras"
    broken.write_bytes(keras_file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"broken\.keras cannot be read"):
        open_keras(broken)
    with pytest.raises(ConfigError, match="label set"):
        open_keras(keras_file, "cityscapes-9")


def test_a_foreign_cityscapes_model_runs_as_it_is(shared: Path) -> None:
    model = shared / "peers/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite"
    dataset = open_dataset("camvid", shared / "data/camvid", "val")
    engine = Engine(model, labels="cityscapes-19")
    mask = Predictor(engine).mask(dataset[0].image)
    truth = dataset[0].mask
    # Over the split 0.917 IoU for flat: in any frame most road pixels are road.
    assert np.mean(mask[truth == 1] == 1) > 0.8
    assert mask.shape == truth.shape


@pytest.mark.slow
def test_the_foreign_model_scores_as_others_measured(shared: Path) -> None:
    model = shared / "peers/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite"
    dataset = open_dataset("camvid", shared / "data/camvid", "val")
    matrix = measure_accuracy(Engine(model, labels="cityscapes-19"), dataset, progress=False)
    assert matrix.mean_iou() == pytest.approx(0.675, abs=0.005)


def test_splits_of_any_name_work(int8_file: Path, camvid_folder: Path, tmp_path: Path) -> None:
    for name in ("night", "nightannot"):
        (tmp_path / name).mkdir()
    image = cv2.imread(str(next((camvid_folder / "val").iterdir())))
    cv2.imwrite(str(tmp_path / "night" / "a.png"), image)
    cv2.imwrite(str(tmp_path / "nightannot" / "a.png"), np.full(image.shape[:2], 3, np.uint8))
    dataset = open_dataset("camvid", tmp_path, "night")
    matrix = measure_accuracy(Engine(int8_file), dataset, progress=False)
    # All of it is road: the share of pixels called flat is both accuracy and IoU.
    assert matrix.iou()[0] == pytest.approx(matrix.pixel_accuracy())
