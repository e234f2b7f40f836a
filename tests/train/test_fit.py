"""Training end to end at a toy size, with the real command where a user would type it."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError, DataError
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.system.progress import part
from train.__main__ import main
from train.config import FitConfig
from train.data.loader import Part
from train.loop.evaluation import Evaluation
from train.loop.fit import CHECKPOINT, Fit, Interrupted
from train.models import build_model, count_macs

TOY = FitConfig(
    model="unet_mini",
    input_size=(48, 32),
    crop_size=(32, 32),
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


def _weights(model: keras.Model) -> list[bytes]:
    return [np.asarray(w).tobytes() for w in model.get_weights()]


@pytest.mark.usefixtures("eager")
def test_a_run_that_stops_within_an_epoch_resumes_to_the_same_weights(
    parts: list[Part], tmp_path: Path
) -> None:
    whole = Fit(TOY, parts, None, tmp_path / "whole")
    whole.run()
    for moment in (1, 3, 4):  # of the 3 steps of an epoch: within one, at its end, in the next
        stop = threading.Event()
        fit = Fit(TOY, parts, None, tmp_path / "broken", stop=stop)
        steps = _Steps(fit, moment, stop)
        with pytest.raises(Interrupted):
            fit.run()
        assert steps.seen == moment
    resumed = Fit(TOY, parts, None, tmp_path / "broken")
    resumed.run()
    assert _weights(resumed.model) == _weights(whole.model)
    assert _weights(resumed.full) == _weights(whole.full)
    # The loss of an epoch is that of all its steps, whenever they were taken.
    assert resumed.progress.history == whole.progress.history


class _Steps:
    """Sets ``stop`` at the n-th step of a fit."""

    def __init__(self, fit: Fit, moment: int, stop: threading.Event) -> None:
        self.seen, self._moment, self._stop = 0, moment, stop
        self._step = fit.model.train_on_batch
        fit.model.train_on_batch = self

    def __call__(self, *arguments: object, **options: object) -> object:
        self.seen += 1
        if self.seen == self._moment:
            self._stop.set()
        return self._step(*arguments, **options)


@pytest.mark.usefixtures("eager")
def test_another_configuration_or_other_data_do_not_resume(
    parts: list[Part], tmp_path: Path
) -> None:
    one = replace(TOY, epochs=1)
    Fit(one, parts, None, tmp_path).run()
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ConfigError, match="epochs: 1, now 3"):
        Fit(TOY, parts, None, tmp_path)
    with pytest.raises(ConfigError, match="data: "):
        Fit(one, [replace(parts[0], samples=4)], None, tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


@pytest.mark.usefixtures("eager")
def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(
    parts: list[Part], tmp_path: Path
) -> None:
    fit = Fit(replace(TOY, learning_rate=1e30, warmup_epochs=0), parts, None, tmp_path)
    fit.save()
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(DataError, match=r"step \d of epoch 1 is (nan|inf).*--learning-rate"):
        fit.run()
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_a_weight_that_is_no_number_is_named_and_never_saved(
    parts: list[Part], tmp_path: Path
) -> None:
    fit = Fit(TOY, parts, None, tmp_path)
    kernel = fit.model.get_layer("logits").kernel
    sound, broken = np.array(kernel), np.full(kernel.shape, np.nan, np.float32)
    kernel.assign(broken)
    with pytest.raises(DataError, match=r"logits/kernel holds NaN.*no checkpoint was written yet"):
        fit.save()
    assert not (tmp_path / CHECKPOINT).exists()
    kernel.assign(sound)
    fit.save()
    before = (tmp_path / CHECKPOINT).read_bytes()
    kernel.assign(broken)
    fit.progress.step = 3
    with pytest.raises(DataError, match=rf"after step 3 of epoch 1.*{CHECKPOINT} is intact"):
        fit.save()
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert [p.name for p in tmp_path.glob(".checkpoint*")] == []


def _scripted(monkeypatch: pytest.MonkeyPatch, mious: list[float]) -> None:
    """Validation gives these scores, one after another."""
    scores = iter(mious)

    class Scripted(ConfusionMatrix):
        def mean_iou(self) -> float:
            return score

    def evaluate(*_: object) -> Evaluation:
        nonlocal score
        score = next(scores)
        return Evaluation(Scripted(), 1.0)

    score = 0.0
    monkeypatch.setattr("train.loop.fit.evaluate", evaluate)


@pytest.mark.usefixtures("eager")
def test_early_stopping_keeps_the_best_weights(
    parts: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _scripted(monkeypatch, [0.2, 0.5, 0.4, 0.3, 0.6])
    config = replace(TOY, epochs=5, patience=2, validate_every=1)
    fit = Fit(config, parts, parts[0].dataset, tmp_path)
    network = fit.run()
    assert (fit.progress.epoch, fit.progress.best.best_epoch) == (4, 2)
    assert fit.progress.stopped_early
    # The weights of epoch 2, not the last: the run that ends there gives the same.
    _scripted(monkeypatch, [0.2, 0.5])
    short = Fit(config, parts, parts[0].dataset, tmp_path / "short")
    stop = short.progress
    with part("training", 6, "step") as bar:
        while stop.epoch < 2:
            short._train_epoch(bar)
            short._end_epoch()
    assert _weights(network) == _weights(short.full)
    # Started again it stays stopped, and still ends with the best.
    assert _weights(Fit(config, parts, parts[0].dataset, tmp_path).run()) == _weights(network)


@pytest.mark.usefixtures("eager")
def test_a_plateau_lowers_the_rate_and_a_resumed_run_remembers(
    parts: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _scripted(monkeypatch, [0.5, 0.4, 0.4, 0.4, 0.4])
    config = replace(TOY, epochs=5, schedule="plateau", plateau_patience=2, validate_every=1)
    config = replace(config, warmup_epochs=0.0, precision="mixed_float16")
    stop = threading.Event()
    fit = Fit(config, parts, parts[0].dataset, tmp_path, stop=stop)
    _Steps(fit, 7, stop)  # in the third epoch
    with pytest.raises(Interrupted):
        fit.run()
    resumed = Fit(config, parts, parts[0].dataset, tmp_path)
    network = resumed.run()
    rates = [row["learning_rate"] / config.learning_rate for row in resumed.progress.history]
    assert rates == pytest.approx([1, 1, 1, 0.3, 0.3])
    assert {str(v.dtype) for v in network.variables} == {"float32"}


@pytest.mark.parametrize("damage", ["cut", "text", "other network"])
def test_a_checkpoint_that_cannot_be_used_is_named(
    damage: str, parts: list[Part], tmp_path: Path
) -> None:
    fit = Fit(TOY, parts, None, tmp_path)
    fit.save()
    path = tmp_path / CHECKPOINT
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-5000])
    elif damage == "text":
        path.write_text("weights")
    else:
        with np.load(path) as file:
            arrays = dict(file)
        del arrays["00003"]
        np.savez(path, **arrays)
    with pytest.raises(DataError, match=rf"{path.name}.* is "):
        Fit(TOY, parts, None, tmp_path)


def test_the_command_trains_and_records(camvid_folder: Path, tmp_path: Path) -> None:
    arguments = ["--dataset", "camvid", "--root", str(camvid_folder), "--epochs", "1"]
    arguments += ["--mix", "town=0.25", "--size", "96x64", "--crop", "64x64", "--batch-size", "2"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    model = keras.saving.load_model(tmp_path / "roadnet.keras")
    assert model.input_shape == (None, 64, 96, 3)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["seed"] == 1
    assert record["finished"]
    assert record["training_seconds"] > 0
    assert [p["dataset"] for p in record["parts"]] == ["camvid", "town"]
    assert record["parameters"] == model.count_params()
    history = (tmp_path / "history.csv").read_text().splitlines()
    assert history[0].startswith("epoch,loss,learning_rate,val_loss,val_miou")
    assert len(history) == 2
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["images"] == 3
    assert np.sum(scores["confusion"]) == 3 * 96 * 72
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    # Again: it is finished already, and says the same.
    before = (tmp_path / "scores.json").read_bytes()
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "scores.json").read_bytes() == before
