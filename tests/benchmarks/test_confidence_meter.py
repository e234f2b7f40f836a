from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.model.accuracy import accuracy_result, measure_accuracy
from benchmarks.model.confidence import ConfidenceMeter, confidence_meter
from roadmask.data.datasets import open_dataset
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata
from tests.edge.network_parts import HEIGHT, WIDTH, constant_output


def unsure(folder: Path, temperature: float = 1.0) -> tuple[Engine, np.ndarray]:
    """A network whose margins go from 0 to 8, and these margins."""
    rng = np.random.default_rng(2)
    margin = rng.permutation(np.linspace(0, 8, WIDTH * HEIGHT)).reshape(HEIGHT, WIDTH)
    values = np.full((1, HEIGHT, WIDTH, 8), -20, np.float32)
    values[..., 1], values[..., 2] = margin, 0
    info = ModelInfo("own", "cityscapes-8", (WIDTH, HEIGHT), temperature=temperature)
    path = folder / f"{temperature}.tflite"
    blocks = {METADATA_NAME: info.to_json().encode()}
    path.write_bytes(write_metadata(constant_output(values), blocks))
    engine = Engine(path)
    engine.invoke()
    return engine, margin


def counted(engine: Engine, margin: np.ndarray, true_temperature: float) -> ConfidenceMeter:
    """The network over 60 frames whose truth is drawn with another temperature than one."""
    rng, meter = np.random.default_rng(3), ConfidenceMeter(engine)
    made = meter.predictor.segment(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert made.confidence is not None
    for _ in range(60):
        right = rng.random(margin.shape) < 1 / (1 + np.exp(-margin / true_temperature))
        truth = np.where(right, 1, 2).astype(np.uint8)
        truth[0] = 0  # void: counts nowhere
        meter.update(made.confidence, made.mask, truth)
    assert meter.counts.sum() == 60 * (HEIGHT - 1) * WIDTH
    return meter


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_the_truth_is_found(true_temperature: float, tmp_path: Path) -> None:
    report = counted(*unsure(tmp_path), true_temperature).report()
    assert report["temperature"] == 1
    assert report["fitted_temperature"] == pytest.approx(true_temperature, rel=0.06)
    assert report["fitted_ece"] < 0.01
    if true_temperature == 1:
        assert report["ece"] < 0.01
    else:
        assert report["ece"] > 5 * report["fitted_ece"]


def test_with_the_fitted_temperature_in_the_file_the_error_is_gone(tmp_path: Path) -> None:
    before = counted(*unsure(tmp_path), 2.5).report()
    after = counted(*unsure(tmp_path, before["fitted_temperature"]), 2.5).report()
    assert after["temperature"] == after["fitted_temperature"] == before["fitted_temperature"]
    assert after["ece"] == pytest.approx(before["fitted_ece"])
    assert after["mean"] < before["mean"]
    for row in after["bins"]:
        assert row["low"] <= row["confidence"] <= row["high"]
    assert sum(row["share"] for row in after["bins"]) == pytest.approx(1)


def test_less_is_claimed_and_more_of_it_is_right(tmp_path: Path) -> None:
    rows = counted(*unsure(tmp_path), 2.5).report()["coverage"]
    assert rows[0]["coverage"] == 1
    for wide, narrow in itertools.pairwise(rows):
        assert narrow["abstain"] >= wide["abstain"]
        assert narrow["coverage"] <= wide["coverage"]
        assert narrow["accuracy"] >= wide["accuracy"]
    assert rows[-1]["accuracy"] > rows[0]["accuracy"] + 0.1


def test_a_network_of_ids_has_no_confidence_to_judge(tmp_path: Path) -> None:
    path = tmp_path / "ids.tflite"
    path.write_bytes(constant_output(np.ones((1, HEIGHT, WIDTH), np.int32)))
    engine = Engine(path, labels="cityscapes-8")
    dataset = open_dataset("town", None, "val", count=2)
    assert confidence_meter(engine) is None
    matrix = measure_accuracy(engine, dataset, progress=False)
    assert accuracy_result(engine, matrix, dataset, "val")["confidence"] is None


def test_the_command_tells_it_and_takes_one_drive_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.json"
    ids = open_dataset("town", None, "val", count=12).ids
    drive = ids[-1][: len(ids[-1]) - 3]
    some = [name for name in ids if name.startswith(drive)]
    assert 0 < len(some) < len(ids)
    command = ["accuracy", "s", "--dataset", "town", "--count", "12"]
    assert main([*command, "--only", drive, "--json", str(out)]) == 0
    assert f"{len(some)} frames" in capsys.readouterr().out
    report = json.loads(out.read_text())
    assert report["images"] == len(some)
    assert 0 < report["confidence"]["ece"] < 0.5 < report["confidence"]["mean"] <= 1
    assert main([*command, "--only", "nowhere"]) == 2
    assert "--only nowhere: no frame's id begins so" in capsys.readouterr().err
