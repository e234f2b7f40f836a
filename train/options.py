"""Arguments that training and ablation share, and what they name: configuration and data."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roadmask.cli.options import add_settings, given
from roadmask.data.datasets import Dataset, Subset, open_dataset
from roadmask.errors import ConfigError
from roadmask.inference.model_file import FAMILY
from roadmask.storage.address import location
from roadmask.system.command_line import parse_size, stop_on_signal
from roadmask.system.ranges import SECONDS, between
from roadmask.system.settings import settings_of
from train.config import FitConfig
from train.family import family_network, family_weights
from train.keras_file import network_file
from train.loss_spec import parse_loss
from train.recipe_files import check_recipe
from train.zoo import check_network

if TYPE_CHECKING:
    from train.data.loader import Part
    from train.data.teacher import Teacher

_UNLABELLED_SHARE = 0.3
_BONNET = between(0.0, 0.99)
_MIX = "draw this share of each epoch's samples from another data set, e.g. town=0.2"
_LABELS = (
    "label set to train, one output a class: cityscapes-8 (default), cityscapes-19, or a .toml "
    "file whose classes name the data set's in their sources (see docs/training.md)"
)
_SPOILT = between(0.0, 0.99)
_SPOILT_HELP = (
    "this share of each epoch's samples shows nothing, in whole or in a part: the target there is "
    "no class more than another (default 0)"
)
_HOLD_OUT = "leave out the training frames whose id begins so and validate on them instead"
_TEACHER = (
    "a finished run or its .keras file, whose probabilities label the frames of --unlabelled; "
    "several: their mean"
)
_TEACHER_WIDTH = (
    "frames are this wide for the teacher, in their own proportions (default: its size)"
)
_OWN_BONNET = "share of such frames' height, from below, where it is not asked (default 0)"
_UNLABELLED = (
    "folder of pictures that the teacher labels, and their share of an epoch (default 0.3)"
)


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Everything that says what to train on and how, but the recipe, the seed and the folder."""
    add = parser.add_argument_group("network").add_argument
    add("--model", default="roadnet", help="name in the zoo, or s, m, l (default: roadnet)")
    add("--size", type=parse_size, help="its input; default: 480x352 px, of s, m, l their own")
    add("--weights", metavar="imagenet|s|m|l|FILE", help="start from these (default: random)")
    add = parser.add_argument_group("data").add_argument
    add("--dataset", required=True, help="camvid, cityscapes, cityscapes-coarse or town")
    add("--root", type=location, help="the data set's folder, or its address (s3://…)")
    add("--truth-labels", metavar="SET", help="of the masks' ids, where not the data set's own")
    add("--labels", default="cityscapes-8", metavar="SET|FILE", help=_LABELS)
    add("--train-split", default="train", help="default: train")
    add("--val-split", default="val", help="default: val; 'none' to skip")
    add("--mix", action="append", default=[], metavar="NAME[:ROOT]=SHARE", help=_MIX)
    add("--hold-out", metavar="PREFIX", help=_HOLD_OUT)
    add("--spoilt", type=_SPOILT, default=0.0, metavar="SHARE", help=_SPOILT_HELP)
    add("--crop", type=parse_size, help="training samples; default: as --size")
    add = parser.add_argument_group("distillation").add_argument
    add("--teacher", nargs="+", default=[], type=Path, metavar="RUN", help=_TEACHER)
    add("--teacher-width", type=between(1, 16384), metavar="PX", help=_TEACHER_WIDTH)
    add("--own-bonnet", type=_BONNET, default=0.0, metavar="SHARE", help=_OWN_BONNET)
    add("--unlabelled", metavar="DIR[=SHARE]", help=_UNLABELLED)
    fitting = parser.add_argument_group("fitting")
    add_settings(fitting, FitConfig, *(name for name in settings_of(FitConfig) if name != "seed"))
    fitting.add_argument(
        "--checkpoint-every", type=SECONDS, default=120.0, metavar="SECONDS", help="default: 120"
    )


@contextmanager
def stopping_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set while the block runs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop_on_signal()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Named:
    """What the options name, opened and checked without Keras.

    Attributes:
        config: decides the weights.
        train_set, validation: labelled frames.
        mixes: other data sets, and their samples' share of an epoch.
        unlabelled: folder of pictures for the teacher, and their share.
        spoilt: share of the samples that show nothing.
    """

    config: FitConfig
    train_set: Dataset
    validation: Dataset | None
    mixes: tuple[tuple[Dataset, float], ...]
    unlabelled: tuple[Path, float] | None
    spoilt: float = 0.0


def check_options(options: argparse.Namespace) -> Named:
    """Everything that can be wrong with the options, before TensorFlow is loaded.

    Raises:
        ConfigError, DataError: an option or a data set that cannot be used.
    """
    model, size = options.model, options.size
    if model in FAMILY:
        model, own_size = family_network(model)
        size = size or own_size
    size = size or FitConfig.input_size
    weights = options.weights
    config = FitConfig(
        model=model,
        weights=str(family_weights(weights)) if weights in FAMILY else weights,
        labels=options.labels,
        recipe=options.recipe,
        input_size=size,
        crop_size=options.crop or size,
        **given(FitConfig, options),
    )
    check_network(config.model, config.input_size, config.crop_size)
    parse_loss(config.loss)
    check_recipe(config.recipe)
    train_set, validation = _open_sets(options)
    mixes = [_parse_mix(text) for text in options.mix]
    unlabelled = _unlabelled(options)
    shares = sum(share for *_, share in mixes) + (unlabelled[1] if unlabelled else 0.0)
    shares += options.spoilt
    if shares >= 1:
        raise ConfigError(
            f"--mix, --unlabelled, --spoilt: the shares add up to {shares:g}: expected less than 1"
        )
    others = tuple(
        (open_dataset(name, root, "train", count=400, size=(640, 360)), share)
        for name, root, share in mixes
    )
    return Named(config, train_set, validation, others, unlabelled, options.spoilt)


def make_parts(options: argparse.Namespace, named: Named) -> list[Part]:
    """The training's parts; the teacher among them is loaded by Keras."""
    from roadmask.labels.lookup import label_set
    from train.data.loader import Part
    from train.data.teacher import Unlabelled

    frames = len(named.train_set)
    own_share = 1 - sum(share for _, share in named.mixes) - named.spoilt
    own_share -= named.unlabelled[1] if named.unlabelled else 0.0
    parts = [Part(named.train_set, frames)]
    for other, share in named.mixes:
        parts.append(Part(other, max(1, round(frames * share / own_share))))
    if named.unlabelled is not None:
        folder, share = named.unlabelled
        pictures = Unlabelled(folder, label_set(options.labels))
        samples = max(1, round(frames * share / own_share))
        parts.append(Part(pictures, samples, _teacher(options)))
    if named.spoilt:
        samples = max(1, round(frames * named.spoilt / own_share))
        parts.append(Part(named.train_set, samples, spoilt=True))
    return parts


def prepare(options: argparse.Namespace) -> tuple[FitConfig, list[Part], Dataset | None]:
    """Configuration, training parts and validation set that the options name.

    Raises:
        ConfigError, DataError: an option or a data set that cannot be used.
    """
    named = check_options(options)
    return named.config, make_parts(options, named), named.validation


def _unlabelled(options: argparse.Namespace) -> tuple[Path, float] | None:
    """The pictures for the teacher and their share of an epoch."""
    if bool(options.teacher) != bool(options.unlabelled):
        raise ConfigError("--teacher and --unlabelled go together: one labels what the other holds")
    return _parse_unlabelled(options.unlabelled) if options.unlabelled else None


def _parse_unlabelled(text: str) -> tuple[Path, float]:
    folder, _, share = text.rpartition("=")
    if not folder:
        return Path(text), _UNLABELLED_SHARE
    return Path(folder), _share(share, f"--unlabelled {text!r}: expected DIR[=SHARE]")


def _open_sets(options: argparse.Namespace) -> tuple[Dataset, Dataset | None]:
    """Training and validation frames."""
    coded = options.truth_labels
    train_set = open_dataset(
        options.dataset, options.root, options.train_split, labels=coded, size=(640, 360)
    )
    validation: Dataset | None = None
    if options.hold_out:
        inside = [i for i, name in enumerate(train_set.ids) if name.startswith(options.hold_out)]
        outside = sorted(set(range(len(train_set))) - set(inside))
        if not inside or not outside:
            raise ConfigError(f"--hold-out {options.hold_out}: no frame, or every frame, matches")
        validation, train_set = Subset(train_set, inside), Subset(train_set, outside)
    elif options.val_split != "none":
        validation = open_dataset(options.dataset, options.root, options.val_split, labels=coded)
    return train_set, validation


def _teacher(options: argparse.Namespace) -> Teacher:
    from roadmask.labels.lookup import label_set
    from train.data.teacher import Teacher

    files = tuple(network_file(run, "--teacher") for run in options.teacher)
    return Teacher(files, options.teacher_width, label_set(options.labels), options.own_bonnet)


def _parse_mix(text: str) -> tuple[str, str | None, float]:
    source, _, share = text.rpartition("=")  # an address may hold another: #sha256=
    name, _, root = source.partition(":")
    return name, root or None, _share(share, f"--mix {text!r}: expected NAME[:ROOT]=SHARE")


def _share(text: str, expected: str) -> float:
    try:
        if 0 < float(text) < 1:
            return float(text)
    except ValueError:
        pass
    raise ConfigError(f"{expected}, more than 0 and less than 1, e.g. town=0.2")
