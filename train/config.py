"""What decides the weights of a run, beside the data."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.errors import ConfigError
from roadmask.labels.lookup import label_set
from roadmask.system.ranges import COUNT, at_least, between
from roadmask.system.settings import check, setting
from train.schedules import SCHEDULES

_SOME = at_least(1)
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
    epochs: int = setting(60, "over the training frames", within=_SOME)
    batch_size: int = setting(8, "samples a step", within=_SOME, metavar="N")
    learning_rate: float = setting(2e-3, "at its peak", within=at_least(1e-9), metavar="RATE")
    schedule: str = setting(
        "cosine", "of the learning rate", choices=tuple(SCHEDULES), metavar="NAME"
    )
    warmup_epochs: float = setting(
        2.0, "until the rate is at its peak", unit="epochs", within=between(0.0, 1e6)
    )
    # validations without a better score before the rate falls
    plateau_patience: int = setting(3, "of the schedule plateau", within=_SOME, option="")
    plateau_factor: float = setting(  # what it falls to
        0.3, "of the schedule plateau", within=between(0.0, 1.0), option=""
    )
    weight_decay: float = setting(
        0.02, "share of a weight a step", within=between(0.0, 100.0), metavar="RATE"
    )
    ema_momentum: float = setting(  # reached after a warm-up
        0.998, "of the averaged weights, per step", within=between(0.0, 1.0), option=""
    )
    loss: str = setting(
        "ce+0.5*dice",
        "sum of ce, focal, dice, jaccard, lovasz and ohem, with weights and options "
        "(docs/training.md)",
        metavar="SPEC",
    )
    precision: str = setting("float32", "of the sums", choices=PRECISIONS, metavar="TYPE")
    devices: int = setting(1, "data parallel; JAX only", within=_SOME, metavar="N")
    validate_every: int = setting(5, "between two validations", unit="epochs", within=_SOME)
    patience: int = setting(
        0,
        "stop when the validation mIoU has not risen for so long, and keep the best weights "
        "(0: train to the end and keep the last)",
        unit="epochs",
        within=COUNT,
    )
    seed: int = setting(1, "of weights, order and augmentation", within=between(0, 2**32 - 1))

    def __post_init__(self) -> None:
        check(self)
        label_set(self.labels)
        if self.batch_size % self.devices:
            raise ConfigError(
                f"--batch-size {self.batch_size}: expected a multiple of --devices {self.devices}"
            )
