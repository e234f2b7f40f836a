"""``python -m train``: train a network of the zoo; ``compare`` and ``ablate`` come with the zoo."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from roadmask.command import parse_size, run_command
from roadmask.datasets import Dataset, Subset, open_dataset
from roadmask.errors import ConfigError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Train a segmentation network on driving frames. Run the same command again "
        "to resume after an interruption: nothing is lost but the epoch under way.",
        epilog="Example: python -m train --model roadnet --dataset camvid --root DIR "
        "--mix town=0.2 --epochs 120 --out runs/roadnet",
    )
    parser.add_argument("--model", default="roadnet", help="name in the zoo (default: roadnet)")
    parser.add_argument("--dataset", required=True, help="camvid, cityscapes or town")
    parser.add_argument("--root", type=Path, help="the data set's folder")
    parser.add_argument("--train-split", default="train", help="default: train")
    parser.add_argument("--val-split", default="val", help="default: val; 'none' to skip")
    parser.add_argument(
        "--mix",
        action="append",
        default=[],
        metavar="NAME[:ROOT]=SHARE",
        help="draw this share of each epoch's samples from another data set, e.g. town=0.2",
    )
    parser.add_argument(
        "--hold-out",
        metavar="PREFIX",
        help="leave out the training frames whose id begins so and validate on them instead",
    )
    parser.add_argument("--epochs", type=int, default=60, help="default: 60")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--size", type=parse_size, default=(480, 352), help="default: 480x352 px")
    parser.add_argument("--crop", type=parse_size, default=(352, 288), help="default: 352x288 px")
    parser.add_argument("--batch-size", type=int, default=8, help="default: 8")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="peak; default: 0.002")
    parser.add_argument("--weight-decay", type=float, default=0.02, help="default: 0.02")
    parser.add_argument("--validate-every", type=int, default=5, metavar="EPOCHS")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _train(options), verbose=options.verbose)


def _train(options: argparse.Namespace) -> int:
    from train.data import Part
    from train.fit import Fit, FitConfig

    train_set = open_dataset(options.dataset, options.root, options.train_split, size=(640, 360))
    validation: Dataset | None = None
    if options.hold_out:
        inside = [i for i, name in enumerate(train_set.ids) if name.startswith(options.hold_out)]
        outside = sorted(set(range(len(train_set))) - set(inside))
        if not inside or not outside:
            raise ConfigError(f"--hold-out {options.hold_out}: no frame, or every frame, matches")
        validation, train_set = Subset(train_set, inside), Subset(train_set, outside)
    elif options.val_split != "none":
        validation = open_dataset(options.dataset, options.root, options.val_split)
    mixes = [_parse_mix(text) for text in options.mix]
    own_share = 1 - sum(share for *_, share in mixes)
    if own_share <= 0:
        raise ConfigError("--mix: the shares must add up to less than 1")
    parts = [Part(train_set, len(train_set))]
    for name, root, share in mixes:
        other = open_dataset(name, root, "train", count=400, size=(640, 360))
        parts.append(Part(other, round(len(train_set) * share / own_share)))
    config = FitConfig(
        model=options.model,
        input_size=options.size,
        crop_size=options.crop,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        validate_every=options.validate_every,
        seed=options.seed,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    Fit(config, parts, validation, options.out).run()
    print(f"finished: {options.out / (options.model + '.keras')}")
    return 0


def _parse_mix(text: str) -> tuple[str, str | None, float]:
    source, _, share = text.partition("=")
    name, _, root = source.partition(":")
    try:
        return name, root or None, float(share)
    except ValueError as error:
        raise ConfigError(f"--mix {text!r}: expected NAME[:ROOT]=SHARE, e.g. town=0.2") from error


if __name__ == "__main__":
    sys.exit(main())
