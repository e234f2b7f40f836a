"""Training end to end at a toy size, with the real command where a user would type it."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from roadmask.datasets import open_dataset
from roadmask.errors import ConfigError, DataError
from train.__main__ import main
from train.data import Part
from train.fit import Fit, FitConfig
from train.models import build_model, count_macs

TOY = FitConfig(
    input_size=(96, 64),
    crop_size=(64, 64),
    epochs=3,
    batch_size=2,
    warmup_epochs=1.0,
    seed=5,
)


@pytest.fixture
def parts(camvid_folder: Path) -> list[Part]:
    return [Part(open_dataset("camvid", camvid_folder, "train"), 6)]


def test_the_edge_model_keeps_its_budget_and_shape() -> None:
    model = build_model("roadnet", (480, 352))
    assert count_macs(model) <= 0.6e9
    assert model.output_shape == (None, 88, 120, 8)


def test_a_killed_run_resumes_to_the_same_weights(parts: list[Part], tmp_path: Path) -> None:
    whole = Fit(TOY, parts, None, tmp_path / "whole")
    whole.run()

    broken = tmp_path / "broken"
    fit = Fit(TOY, parts, None, broken)
    write = fit.end_epoch

    def killed_in_the_third_epoch(epoch: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        write(epoch, logs)

    fit.end_epoch = killed_in_the_third_epoch  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        fit.run()
    resumed = Fit(TOY, parts, None, broken)
    assert resumed.data.epoch == 2
    resumed.run()
    # TensorFlow's sums differ in the last bits from run to run. One other batch, or a lost state
    # of the optimiser, moves a weight by about the learning rate, 0.002.
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    assert [row["epoch"] for row in resumed.history] == [1, 2, 3]


def test_another_configuration_does_not_resume(parts: list[Part], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    one = FitConfig(**(TOY.__dict__ | {"epochs": 1}))
    Fit(one, parts, None, tmp_path).run()
    before = (tmp_path / "checkpoint.keras").read_bytes()
    with pytest.raises(ConfigError, match="another configuration"):
        Fit(TOY, parts, None, tmp_path)
    assert (tmp_path / "checkpoint.keras").read_bytes() == before


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(
    parts: list[Part], tmp_path: Path
) -> None:
    fit = Fit(TOY, parts, None, tmp_path)
    fit.end_epoch(0, {"loss": 1.0})
    before = (tmp_path / "checkpoint.keras").read_bytes()
    with pytest.raises(DataError, match="learning-rate"):
        fit.end_epoch(1, {"loss": float("nan")})
    assert (tmp_path / "checkpoint.keras").read_bytes() == before


def test_the_command_trains_and_records(camvid_folder: Path, tmp_path: Path) -> None:
    arguments = ["--dataset", "camvid", "--root", str(camvid_folder), "--epochs", "1"]
    arguments += ["--mix", "town=0.25", "--size", "96x64", "--crop", "64x64", "--batch-size", "2"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    model = keras.saving.load_model(tmp_path / "roadnet.keras")
    assert model.input_shape == (None, 64, 96, 3)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["seed"] == 1
    assert [p["dataset"] for p in record["parts"]] == ["camvid", "town"]
    assert record["parameters"] == model.count_params()
    history = (tmp_path / "history.csv").read_text().splitlines()
    assert history[0].startswith("epoch,loss,val_miou")
    assert len(history) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset", "camvid", "--root", "/nowhere"], "/nowhere"),
        (["--dataset", "town", "--model", "roadnett"], "did you mean roadnet"),
        (["--dataset", "town", "--size", "100x64"], "multiples of 32"),
        (["--dataset", "town", "--mix", "camvid"], "NAME[:ROOT]=SHARE"),
        (["--dataset", "town", "--mix", "town=1"], "less than 1"),
        (["--dataset", "town", "--hold-out", "nothing"], "no frame"),
    ],
)
def test_unusable_arguments(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([*arguments, "--epochs", "1", "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert words in error[0]
    assert not list(out.glob("*.keras"))
