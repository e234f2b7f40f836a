"""Networks that somebody else made, trained on other numbers: found out, or turned away.

Each tells the colours of a drawn data set apart by the nearest mean, which is a 1x1 convolution.
Its right answer is known to the pixel; on other numbers the brightest colour, the sky, wins.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from convert.__main__ import main
from convert.judge.gates import Gates, accuracy_misses, missed_floor
from convert.pipeline import _judged
from convert.quantise.input_range import named_range
from roadmask.errors import ConfigError
from roadmask.inference.engine import Engine
from roadmask.inference.pixels import Pixels
from roadmask.inference.predictor import Predictor

WIDTH, HEIGHT = 64, 48
# CamVid's id, category, colour R G B.
COLOURS = (
    (3, 1, (110, 90, 100)), (1, 2, (150, 120, 70)), (5, 4, (50, 120, 40)), (0, 5, (200, 225, 250)),
    (8, 7, (140, 30, 60)),
)  # fmt: skip


def draw(seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Blocks of the colours with a little noise, BGR, and their CamVid ids."""
    rng = np.random.default_rng(seed)
    blocks = rng.permutation(np.arange(24) % len(COLOURS)).reshape(4, 6).repeat(12, 0).repeat(11, 1)
    chosen = blocks[:HEIGHT, :WIDTH]
    image = np.array([rgb for *_, rgb in COLOURS])[chosen] + rng.integers(-4, 5, (HEIGHT, WIDTH, 3))
    ids = np.array([i for i, *_ in COLOURS], np.uint8)[chosen]
    return image[..., ::-1].astype(np.uint8), ids


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("colours")
    for split, seeds in (("train", range(4)), ("val", range(4, 7))):
        for seed in seeds:
            image, ids = draw(seed)
            for folder, picture in ((split, image), (f"{split}annot", ids)):
                (root / folder).mkdir(exist_ok=True)
                cv2.imwrite(str(root / folder / f"A_{seed}.png"), picture)
    return root


def network(path: Path, pixels: Pixels) -> Path:
    """A network that takes what ``pixels`` says, without a layer that would tell."""
    from convert.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    # The nearest mean's value is |x|^2 less the noise, so nothing below 0 wins.
    kernel, bias = np.zeros((3, 8)), np.full(8, -0.5)
    for _, category, rgb in COLOURS:
        channels = np.array(rgb[::-1] if pixels.bgr else rgb, float)
        mean = channels * pixels.scale + pixels.offset
        kernel[:, category], bias[category] = 2 * mean, -mean @ mean
    model = keras.Sequential([keras.Input((HEIGHT, WIDTH, 3)), keras.layers.Conv2D(8, 1)])
    model.set_weights([kernel[None, None], bias])
    model.save(path)
    return path


def convert(model: Path, colours: Path, out: Path, *more: str) -> tuple[int, dict[str, Any]]:
    arguments = [
        *(str(model), "--out", str(out), "--calibration", str(colours / "train")),
        *("--eval-dataset", "camvid", "--eval-root", str(colours), "--no-history"),
        *("--video", f"{colours / 'val'}?realtime=0", *more),
    ]
    code = main(arguments)
    written = out.with_suffix(".json") if code == 0 else out.with_suffix(".rejected.json")
    return code, json.loads(written.read_text())


def right(model: Path, colours: Path) -> float:
    """Share of the pixels of a frame on which the file is right."""
    image, ids = draw(4)
    categories = np.zeros(256, np.uint8)
    categories[[i for i, *_ in COLOURS]] = [c for _, c, _ in COLOURS]
    return float((Predictor(Engine(model)).mask(image) == categories[ids]).mean())


def test_pixels_of_255ths_without_a_rescaling_are_found_out(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(tmp_path / "unit.keras", named_range("0..1"))
    code, report = convert(model, colours, tmp_path / "unit.tflite", "--no-latency")
    said = capsys.readouterr().err
    assert code == 0, report["missed"]
    assert report["input"]["range"] == "0..1"
    assert "input range 0..1: mean IoU" in said and "with 0..255 (as given)" in said
    assert report["accuracy"]["float"]["miou"] > 0.95
    assert report["input"]["tried"]["0..255 (as given)"] < 0.25
    assert right(tmp_path / "unit.tflite", colours) > 0.99
    assert report["latency"] is None


def test_the_same_told_wrongly_is_rejected_before_it_is_timed(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network(tmp_path / "unit.keras", named_range("0..1"))
    code, report = convert(model, colours, tmp_path / "unit.tflite", "--input-range", "0..255")
    assert code == 1 and "points of mean IoU, the gate is 25" in capsys.readouterr().err
    assert report["latency"] is None and not (tmp_path / "unit.tflite").exists()


@pytest.mark.parametrize(
    ("name", "channels", "told"),
    [
        ("imagenet", "bgr", []),
        ("-1..1", "rgb", []),
        ("imagenet", "rgb", ["--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"]),
        ("-1..1", "bgr", ["--input-range", "-1..1", "--channels", "bgr"]),
    ],
)
def test_other_numbers_are_found_or_told(
    name: str, channels: str, told: list[str], colours: Path, tmp_path: Path
) -> None:
    model = network(tmp_path / "m.keras", named_range(name, channels))
    code, report = convert(model, colours, tmp_path / "m.tflite", "--no-latency", *told)
    assert code == 0, report["missed"]
    assert report["float_operators"] == []
    assert report["input"]["channels"] == channels
    assert right(tmp_path / "m.tflite", colours) > 0.99


def test_a_network_that_falls_short_of_its_training_run_is_rejected(
    colours: Path, tmp_path: Path
) -> None:
    model = network(tmp_path / "m.keras", named_range("0..1"))
    digest = sha256(b"A_4\nA_5\nA_6").hexdigest()[:16]
    run = {"validation": {"dataset": "camvid", "frames": 3, "ids_sha256": digest}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "scores.json").write_text(json.dumps({"miou": 0.99}))
    told = ("--input-range", "0..255", "--min-miou", "0")
    code, report = convert(model, colours, tmp_path / "m.tflite", *told)
    assert code == 1 and "where its training run had 99.0" in report["missed"][0]


def test_what_is_said_of_an_absent_category_counts_neither_way() -> None:
    claims: dict[str, Any] = {"miou": 0.4, "iou": {"flat": 0.8, "human": 0.0}}
    silent: dict[str, Any] = {"miou": 0.8, "iou": {"flat": 0.8, "human": None}}
    for before, after in ((claims, silent), (silent, claims)):
        assert accuracy_misses(Gates(), before, after, 1.0, before, absent=["human"]) == []
    assert accuracy_misses(Gates(), claims, silent, 1.0)  # of a category that is there


def test_the_floor_is_absolute() -> None:
    assert missed_floor(Gates(), {"miou": 0.25}, None) == []
    assert "has 3.0 points" in missed_floor(Gates(), {"miou": 0.03}, None)[0]
    assert missed_floor(Gates(), {"miou": None}, None)
    assert missed_floor(Gates(min_miou=0), {"miou": 0.03}, 0.04) == []


def test_on_the_town_the_floor_is_only_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A foreign network never saw it; the relative gates hold there too."""
    trial: Any = SimpleNamespace(floor=["3.0 points"], missed=["a drop"])
    for dataset, missed, said in (
        ("town", ["a drop"], ["3.0 points"]),
        ("camvid", ["3.0 points", "a drop"], []),
    ):
        plan: Any = SimpleNamespace(eval_dataset=dataset)
        assert _judged(plan, trial) == (missed, said)


def test_ranges_that_cannot_be_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("0", "1..0", "a..b", "0..nan", "nan..1"):
        with pytest.raises(ConfigError, match="--input-range"):
            named_range(text)
    model = ["m.keras", "--out", str(tmp_path / "m.tflite")]
    for given in (["--mean", "0"], ["--input-range", "0..1", "--mean", "0", "--std", "1"]):
        assert main([*model, *given]) == 2
    assert main([*model, "--no-latency", "--max-latency-ms", "1"]) == 2
    assert capsys.readouterr().err.count("\n") == 3
