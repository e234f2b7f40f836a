"""Fit a network: AdamW, warm-up and cosine, EMA weights, a checkpoint an epoch, exact resume."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from tqdm import tqdm

from roadmask.atomic import atomic_path
from roadmask.datasets import Dataset
from roadmask.errors import ConfigError, DataError
from roadmask.metrics import ConfusionMatrix
from train.data import Part, TrainingData, category_shares
from train.losses import SegmentationLoss
from train.models import build_model, count_macs
from train.record import environment, write_history, write_json


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides the weights, beside the data."""

    model: str = "roadnet"
    input_size: tuple[int, int] = (480, 352)  # px, of the finished model
    crop_size: tuple[int, int] = (352, 288)  # px, of the training samples
    epochs: int = 60
    batch_size: int = 8
    learning_rate: float = 2e-3  # at the top of the cosine
    warmup_epochs: float = 2.0
    weight_decay: float = 0.02
    ema_momentum: float = 0.998  # per step
    loss: str = "ce+0.5*dice"  # sum of terms, see train.losses
    validate_every: int = 5  # epochs
    seed: int = 1


class Fit:
    """One training run in the folder ``out``; made anew it goes on where the last one stopped."""

    def __init__(
        self, config: FitConfig, parts: list[Part], validation: Dataset | None, out: Path
    ) -> None:
        self.config, self.validation, self.out = config, validation, out
        keras.utils.set_random_seed(config.seed)
        self.data = TrainingData(
            parts, size=config.crop_size, batch_size=config.batch_size, seed=config.seed
        )
        self.checkpoint = out / "checkpoint.keras"
        self.history: list[dict[str, float]] = []
        self.model = self._restore() if self.checkpoint.is_file() else self._build(parts)
        # The same weights at the size that ships, for validation and for the finished file.
        self.full = build_model(config.model, config.input_size)

    def _build(self, parts: list[Part]) -> keras.Model:
        config = self.config
        shares = category_shares(parts[0].dataset)[1:]
        # ENet's weighting (Paszke et al., 2016): rare categories up to about four times as much.
        weights = 1 / np.log(1.10 + shares / shares.sum())
        model = build_model(config.model, config.crop_size)
        steps = len(self.data)
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=config.learning_rate / 20,
            decay_steps=max(1, round((config.epochs - config.warmup_epochs) * steps)),
            alpha=0.005,
            warmup_target=config.learning_rate,
            warmup_steps=round(config.warmup_epochs * steps),
        )
        optimizer = keras.optimizers.AdamW(
            schedule,
            weight_decay=config.weight_decay,
            use_ema=True,
            ema_momentum=config.ema_momentum,
        )
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        loss = SegmentationLoss(list(weights / weights.mean()), config.loss)
        # XLA's convolutions are several times slower on a CPU than TensorFlow's own.
        jit = "auto" if keras.backend.backend() != "tensorflow" else False
        model.compile(optimizer, loss=loss, jit_compile=jit)
        record = {
            "config": asdict(config),
            "parts": [
                {"dataset": p.dataset.name, "frames": len(p.dataset), "samples": p.samples}
                for p in parts
            ],
            "category_shares": [round(float(s), 5) for s in shares],
            "parameters": model.count_params(),
            "macs": count_macs(build_model(config.model, config.input_size)),
            **environment(),
        }
        write_json(self.out / "run.json", record)
        return model

    def _restore(self) -> keras.Model:
        state = json.loads((self.out / "state.json").read_text())
        if state["config"] != json.loads(json.dumps(asdict(self.config))):
            raise ConfigError(
                f"{self.out} holds a run with another configuration: give the same arguments to "
                "resume it, or another --out"
            )
        try:
            model = keras.saving.load_model(self.checkpoint)
        except (OSError, ValueError) as error:
            raise DataError(f"checkpoint {self.checkpoint} cannot be read: {error}") from error
        # The history goes with the checkpoint of its epoch; a kill between the two files leaves
        # the history one epoch ahead at most.
        epoch = round(int(model.optimizer.iterations) / len(self.data))
        self.history = state["history"][:epoch]
        self.data.epoch = epoch
        return model

    def run(self) -> keras.Model:
        """Train to the last epoch and return the finished model (EMA weights)."""
        config = self.config
        first = self.data.epoch
        total = len(self.data)
        with tqdm(total=config.epochs * total, initial=first * total, unit="step") as bar:
            self.model.fit(
                self.data,
                initial_epoch=first,
                epochs=config.epochs,
                shuffle=False,  # the data set does, by seed and epoch; Keras would by its own state
                verbose=0,
                callbacks=[_Progress(bar), _Checkpoint(self)],
            )
        self._load_average()
        with atomic_path(self.out / f"{config.model}.keras") as path:
            self.full.save(path)
        return self.full

    def _load_average(self) -> None:
        """Put the EMA weights, and the batch statistics as they are, into ``full``."""
        kept = [np.asarray(w) for w in self.model.get_weights()]
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.full.set_weights(self.model.get_weights())
        self.model.set_weights(kept)

    def end_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Validate when due, then write the checkpoint."""
        if not math.isfinite(logs["loss"]):
            raise DataError(
                f"the loss of epoch {epoch + 1} is {logs['loss']}: lower --learning-rate; the "
                "checkpoint of the epoch before is intact"
            )
        row = {"epoch": epoch + 1, "loss": logs["loss"]}
        config = self.config
        due = (epoch + 1) % config.validate_every == 0 or epoch + 1 == config.epochs
        if self.validation is not None and due:
            self._load_average()
            scores = evaluate(self.full, self.validation)
            row |= {"val_miou": scores.mean_iou(), "val_pixel_accuracy": scores.pixel_accuracy()}
            tqdm.write(f"epoch {epoch + 1}: loss {row['loss']:.4f}, val mIoU {row['val_miou']:.4f}")
        self.history.append(row)
        state = {"config": asdict(config), "history": self.history}
        write_json(self.out / "state.json", state)
        with atomic_path(self.checkpoint) as path:
            self.model.save(path)
        write_history(self.out / "history.csv", self.history)


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, bar: Any) -> None:
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()
        if logs:
            self._bar.set_postfix(loss=f"{logs['loss']:.4f}", refresh=False)


class _Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, fit: Fit) -> None:
        super().__init__()
        self._fit = fit

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._fit.end_epoch(epoch, logs or {})


def evaluate(model: keras.Model, dataset: Dataset) -> ConfusionMatrix:
    """Score a float model as the daemon would run it: stretch, argmax over 1–7, nearest."""
    _, height, width, _ = model.input_shape
    matrix = ConfusionMatrix()
    for sample in dataset:
        image = cv2.cvtColor(sample.image, cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        logits = np.asarray(model(image[None].astype(np.float32), training=False))[0]
        full = cv2.resize(logits[..., 1:], (width, height), interpolation=cv2.INTER_LINEAR)
        mask = (np.argmax(full, axis=-1) + 1).astype(np.uint8)
        truth_height, truth_width = sample.mask.shape
        mask = cv2.resize(mask, (truth_width, truth_height), interpolation=cv2.INTER_NEAREST)
        matrix.update(sample.mask, np.asarray(mask, np.uint8), sample.instances)
    return matrix
