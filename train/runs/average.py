"""``python -m train average``: the mean of the weights of runs that started from the same ones.

Between a network and what it was fine-tuned to, the mean often keeps most of what each of them
gained (Wortsman et al., 2022, *Robust fine-tuning* and *Model soups*).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.errors import ConfigError, ModelError
from roadmask.system.command_line import EXIT_DONE, Parser
from roadmask.system.files import atomic_path, write_bytes
from train.keras_file import check_keras, load_keras, network_file, packed_keras


def make_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = Parser(
        prog="python -m train average",
        description="Write the network whose weights are the mean of several networks' weights: of "
        "one architecture, and best of one descent, a run and what it was fine-tuned to.",
        epilog="Example: python -m train average runs/4 runs/5 --out runs/mean.keras",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="or its .keras file")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.keras", help="the mean")
    parser.add_argument(
        "--packed",
        action="store_true",
        help="as networks are shipped: weights rounded to float16 and compressed, half the size",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    return parser


def run(options: argparse.Namespace) -> int:
    """Write the mean; the exit code.

    Raises:
        ConfigError, ModelError: fewer than two networks, no network, or of different forms.
    """
    if options.out.suffix != ".keras":
        raise ConfigError(f"--out {options.out}: expected a name that ends in .keras")
    if len(options.runs) < 2:
        raise ConfigError(f"{options.runs[0]} alone: expected two runs or more to average")
    files = [network_file(path, "run") for path in options.runs]
    for path in files:
        check_keras(path)
    from train.keras_import import import_keras

    import_keras()
    mean = _mean(files)
    if options.packed:
        write_bytes(options.out, packed_keras(mean))
    else:
        with atomic_path(options.out) as path:
            mean.save(path)
    form = ", its weights in float16" if options.packed else ""
    print(f"written: {options.out}, the mean of {len(files)} networks{form}")
    return EXIT_DONE


def _mean(files: list[Path]) -> Any:
    first = load_keras(files[0])
    total = [np.asarray(weight, np.float64) for weight in first.get_weights()]
    for path in files[1:]:
        other = load_keras(path)
        weights = other.get_weights()
        if [w.shape for w in weights] != [w.shape for w in total] or other.name != first.name:
            raise ModelError(
                f"{path} ({other.name}, {other.count_params()} parameters) is not of the form of "
                f"{files[0]} ({first.name}, {first.count_params()}): expected one architecture"
            )
        for sum_, weight in zip(total, weights, strict=True):
            sum_ += weight
    first.set_weights([weight / len(files) for weight in total])
    return first
