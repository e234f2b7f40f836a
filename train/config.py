"""What decides the weights of a run, beside the data."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass

from roadmask.errors import ConfigError
from roadmask.labels.lookup import label_set
from train.schedules import SCHEDULES

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class FitConfig:
    """One training; checked when made.

    Raises:
        ConfigError: a value that cannot be used.
    """

    model: str = "roadnet"
    weights: str | None = None  # where they come from at the start; None: random
    labels: str = "cityscapes-8"  # the label set that is trained, or its .toml file
    recipe: str = "full"  # augmentation
    input_size: tuple[int, int] = (480, 352)  # px, of the finished model
    crop_size: tuple[int, int] = (352, 288)  # px, of the training samples
    epochs: int = 60
    batch_size: int = 8
    learning_rate: float = 2e-3  # the peak
    schedule: str = "cosine"
    warmup_epochs: float = 2.0
    plateau_patience: int = 3  # validations without a better score before the rate falls
    plateau_factor: float = 0.3  # what it falls to
    weight_decay: float = 0.02
    ema_momentum: float = 0.998  # per step, reached after a warm-up
    loss: str = "ce+0.5*dice"  # sum of terms, see train.losses
    precision: str = "float32"
    devices: int = 1
    validate_every: int = 5  # epochs
    patience: int = 0  # epochs without a better score before the run ends; 0: never
    seed: int = 1

    def __post_init__(self) -> None:
        label_set(self.labels)
        _known("schedule", self.schedule, tuple(SCHEDULES))
        _known("precision", self.precision, PRECISIONS)
        for name in ("epochs", "batch_size", "learning_rate", "devices", "validate_every"):
            self._check(name, getattr(self, name) > 0, "more than 0")
        for name in ("warmup_epochs", "weight_decay", "patience"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        self._check("seed", 0 <= self.seed < 2**32, "0 to 4294967295")
        if self.batch_size % self.devices:
            raise ConfigError(
                f"--batch-size {self.batch_size}: expected a multiple of --devices {self.devices}"
            )

    def _check(self, name: str, fits: bool, expected: str) -> None:
        value = getattr(self, name)
        if not (fits and math.isfinite(value)):
            raise ConfigError(f"--{name.replace('_', '-')} {value}: expected {expected}")


def _known(name: str, value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        near = difflib.get_close_matches(value, values, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"--{name} {value!r} is unknown: give one of {', '.join(values)}{hint}")
