"""Fit a network so that a kill at any moment loses minutes at most and changes no weight.

The next step depends on what ``checkpoint.npz`` holds and on (seed, epoch, step) alone: the batch,
its augmentation and the learning rate are functions of the latter, everything else is in the file.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from roadmask.data.datasets import Dataset
from roadmask.errors import DataError
from roadmask.labels.lookup import label_set
from roadmask.system.files import atomic_path, write_json
from roadmask.system.progress import Count, part, say
from train import CHECKPOINT
from train.config import FitConfig
from train.data.loader import Part, TrainingData, class_shares
from train.data.prefetch import prefetch
from train.data.recipes import load_recipe
from train.loop.backend import low_precision, prepare_backend
from train.loop.checkpoint import load_variables, remove_leftovers, save_checkpoint, what_is_left
from train.loop.curves import draw_curves
from train.loop.evaluation import evaluate
from train.loop.optimizer import AveragedAdamW
from train.loop.progress import Progress
from train.loop.tensorboard import Board
from train.losses import SegmentationLoss
from train.models import build_model
from train.runs.files import write_history
from train.runs.record import RunRecord
from train.schedules import learning_rate

BEST = "best.npz"


class Interrupted(Exception):  # noqa: N818 - not an error: the run goes on when started again
    """The run was told to stop; its checkpoint is written."""


class Fit:
    """One training run in the folder ``out``; made anew it goes on where the last one stopped.

    Args:
        config: everything that decides the weights, beside the data.
        parts: the data sets to draw from.
        validation: scored at the end of epochs; None to skip.
        out: the run's folder.
        checkpoint_s: a checkpoint is written when the last is older than this, and every epoch.
        tensorboard: write event files to ``out/tensorboard`` too.
        stop: when set, the run writes a checkpoint and raises ``Interrupted``.

    Raises:
        ConfigError: ``out`` holds another run, or an argument cannot be used.
        DataError: a damaged checkpoint.
    """

    def __init__(
        self,
        config: FitConfig,
        parts: list[Part],
        validation: Dataset | None,
        out: Path,
        *,
        checkpoint_s: float = 120.0,
        tensorboard: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self.config, self.validation, self.out = config, validation, out
        self.checkpoint = out / CHECKPOINT
        self._checkpoint_s, self._stop = checkpoint_s, stop or threading.Event()
        remove_leftovers(self.checkpoint)
        prepare_backend(config.seed, config.devices)
        self.labels = label_set(config.labels)
        first = self.labels.first_competing
        self.record = RunRecord(config, parts, validation)
        self.progress = Progress.restore(self.checkpoint, self.record.identity)
        if not self.progress.category_shares:
            shares = class_shares(parts[0].dataset, self.labels)[first:]
            self.progress.category_shares = shares.tolist()
        self.data = TrainingData(
            parts,
            size=config.crop_size,
            batch_size=config.batch_size,
            seed=config.seed,
            recipe=load_recipe(config.recipe),
            labels=self.labels,
        )
        self.loss = SegmentationLoss(self.progress.class_weights(), config.loss, first_class=first)
        self.model = self._build()
        if self.checkpoint.is_file():
            load_variables(self.checkpoint, self.model)
        # The same weights at the size that ships, for validation and for the finished file.
        self.full = build_model(config.model, config.input_size, self.labels.class_count)
        self.record.measure(self.full)
        history = self.progress.history
        self._board = Board(out / "tensorboard", history) if tensorboard else None
        self.progress.begin_session()
        self._write_record()
        self._mark()

    def _build(self) -> keras.Model:
        config = self.config
        # A checkpoint replaces them all, and fetching or fitting them takes time.
        weights = None if self.checkpoint.is_file() else config.weights
        with low_precision(config.precision):
            model = build_model(config.model, config.crop_size, self.labels.class_count, weights)
        optimizer = AveragedAdamW(
            config.learning_rate,
            weight_decay=config.weight_decay,
            ema_momentum=config.ema_momentum,
        )
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        # XLA's convolutions are several times slower on a CPU than TensorFlow's own.
        jit = "auto" if keras.backend.backend() != "tensorflow" else False
        model.compile(optimizer, loss=self.loss, jit_compile=jit)
        model.optimizer.build(model.trainable_variables)
        return model

    def run(self) -> keras.Model:
        """Train to the last epoch and return the finished model (EMA weights)."""
        config, progress, steps = self.config, self.progress, len(self.data)
        done = progress.epoch * steps + progress.step
        with part("training", config.epochs * steps, "step", done) as bar:
            while progress.epoch < config.epochs and not progress.stopped_early:
                self._train_epoch(bar)
                self._end_epoch()
        return self._finish()

    def _train_epoch(self, bar: Count) -> None:
        progress, steps = self.progress, len(self.data)
        self.data.epoch = progress.epoch
        for images, masks in prefetch(self.data.__getitem__, range(progress.step, steps)):
            # Several devices take equal shares: what is left over at an epoch's end is left out.
            count = len(images) - len(images) % self.config.devices
            self.model.optimizer.learning_rate = self._learning_rate()
            if count:
                logs = self.model.train_on_batch(images[:count], masks[:count], return_dict=True)
                self._count(float(logs["loss"]), count)
            progress.step += 1
            bar.update(note=f"loss {progress.mean_loss:.4f}")
            if self._stop.is_set():
                self.save()
                raise Interrupted
            if time.monotonic() - self._saved > self._checkpoint_s:
                self.save()

    def _learning_rate(self) -> float:
        config, progress, steps = self.config, self.progress, len(self.data)
        step = progress.epoch * steps + progress.step
        warmup = round(config.warmup_epochs * steps)
        rate = learning_rate(
            config.schedule, config.learning_rate, step, config.epochs * steps, warmup
        )
        return rate * progress.rate_factor

    def _count(self, loss: float, samples: int) -> None:
        progress = self.progress
        if not math.isfinite(loss):
            raise DataError(
                f"the loss of step {progress.step + 1} of epoch {progress.epoch + 1} is {loss} at "
                f"learning rate {self._learning_rate():.3g}: lower --learning-rate and give "
                f"another --out; {what_is_left(self.checkpoint)}"
            )
        progress.loss_sum += loss * samples
        progress.samples += samples

    def _end_epoch(self) -> None:
        """Validate when due, note the epoch, write the checkpoint."""
        config, progress = self.config, self.progress
        epoch = progress.epoch + 1
        row: dict[str, float] = {"epoch": epoch, "loss": progress.mean_loss}
        row["learning_rate"] = self._learning_rate()
        if self.validation is None:
            self._judge(-row["loss"], epoch)
        elif epoch % config.validate_every == 0 or epoch == config.epochs:
            self.save()  # an end during the validation repeats no step
            row |= self._validate(self.validation, epoch)
        progress.end_epoch(row)
        self.save()
        write_history(self.out / "history.csv", progress.history)
        if self._board is not None:
            self._board.add(row)
        self._write_record()
        scores = [f"{name} {row[name]:.4f}" for name in ("val_loss", "val_miou") if name in row]
        line = ", ".join([f"epoch {epoch}/{config.epochs}: loss {row['loss']:.4f}", *scores])
        say(f"{line} ({progress.seconds / 60:.1f} min in all)")

    def _validate(self, dataset: Dataset, epoch: int) -> dict[str, float]:
        """Score the EMA weights; the columns of the history."""
        self._load_average()
        result = evaluate(self.full, dataset, self.loss, self.labels)
        miou = result.matrix.mean_iou()
        if self._judge(miou, epoch) or not self.config.patience:
            self.progress.scores = {"dataset": dataset.name, "epoch": epoch, **result.to_json()}
        return {
            "val_loss": result.loss,
            "val_miou": miou,
            "val_pixel_accuracy": result.matrix.pixel_accuracy(),
        }

    def _judge(self, score: float, epoch: int) -> bool:
        """Plateau schedule and early stopping look at this score; True if it is the best yet."""
        config, progress = self.config, self.progress
        progress.plateau.update(score, epoch)
        if config.schedule == "plateau" and progress.plateau.waited >= config.plateau_patience:
            progress.rate_factor *= config.plateau_factor
            progress.plateau.waited = 0
        best = progress.best.update(score, epoch)
        if config.patience and best:
            self._load_average()
            with atomic_path(self.out / BEST) as path:
                np.savez(path, *self.full.get_weights())
        if config.patience and epoch - progress.best.best_epoch >= config.patience:
            progress.stopped_early = True
        return best

    def _load_average(self) -> None:
        """Put the EMA weights, and the batch statistics as they are, into ``full``."""
        kept = [np.array(w) for w in self.model.get_weights()]
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self.full.set_weights(self.model.get_weights())
        self.model.set_weights(kept)

    def save(self) -> None:
        """Write the checkpoint, with the time spent since the last."""
        self.progress.add_time(time.monotonic() - self._since, time.process_time() - self._cpu)
        self._mark()
        state = asdict(self.progress) | {"identity": self.record.identity}
        save_checkpoint(self.checkpoint, self.model, state)
        self._saved = time.monotonic()

    def _mark(self) -> None:
        self._since, self._cpu = time.monotonic(), time.process_time()
        self._saved = self._since

    def _write_record(self) -> None:
        write_json(self.out / "run.json", self.record.to_json(self.progress))

    def _finish(self) -> keras.Model:
        """Write the finished network, its scores and curves; done again if a kill came between."""
        self._load_average()
        best = self.out / BEST
        if self.config.patience and best.is_file():
            with np.load(best, allow_pickle=False) as file:
                self.full.set_weights([file[name] for name in file.files])
        if self.progress.scores:
            write_json(self.out / "scores.json", self.progress.scores)
        write_history(self.out / "history.csv", self.progress.history)
        draw_curves(self.progress.history, self.out / "curves.png", self.config.model)
        with atomic_path(self.out / f"{self.config.model}.keras") as path:
            self.full.save(path)
        if self._board is not None:
            self._board.close()
        self.progress.finished = True
        self._write_record()
        return self.full
