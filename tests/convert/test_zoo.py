"""The zoo through the whole conversion: full INT8, measured by the daemon, certified."""

import json
from pathlib import Path

import pytest

from convert.__main__ import main
from roadmask.inference.engine import Engine
from tests.convert.conftest import SMALL_DRIVE

# Operators that LiteRT computes in INT8 outside XNNPACK's partition: they cost time, not bits.
OUTSIDE = {"GELU", "HARD_SWISH", "AVERAGE_POOL_2D", "RSQRT", "SOFTMAX"}
CONVERTED = {
    "unet_mini": set(),
    "unet_vgg16": set(),
    "unet_resnet50": set(),
    "unet_efficientnetb3": set(),
    "deeplabv3plus": set(),
    "deeplabv3plus_mobilenetv2": set(),
    "fast_scnn": {"AVERAGE_POOL_2D"},
    "segformer_b0": {"GELU", "RSQRT", "SOFTMAX"},
    "lraspp_mobilenetv3": {"HARD_SWISH"},
    "lraspp_mobilenetv3_minimalistic": set(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERTED)
def test_a_network_of_the_zoo_leaves_with_its_certificate(
    name: str, camvid_folder: Path, tmp_path: Path
) -> None:
    import keras

    from train.models import build_model

    keras.utils.set_random_seed(3)
    source, out = tmp_path / f"{name}.keras", tmp_path / f"{name}.tflite"
    build_model(name, (96, 96)).save(source)
    arguments = [
        *(str(source), "--out", str(out), "--calibration", str(camvid_folder / "train")),
        *("--eval-dataset", "camvid", "--eval-root", str(camvid_folder)),
        "--no-history",
        *("--video", SMALL_DRIVE),
        # Random weights leave near ties: a category of few pixels may move by points.
        *("--max-miou-drop", "100", "--max-category-drop", "100", "--min-agreement", "0"),
        *("--min-miou", "0", "--no-latency"),
    ]
    assert main(arguments) == 0
    report = json.loads(out.with_suffix(".json").read_text())
    assert all(frame["passed"] for frame in report["golden"])
    certificate = report["certificate"]
    assert certificate["float_operators"] == []
    assert OUTSIDE.intersection(certificate["operators"]) == CONVERTED[name]
    assert certificate["layers"]
    engine = Engine(out)
    assert engine.name == f"{name}-96x96"
    assert engine.labels.name == "cityscapes-8"
