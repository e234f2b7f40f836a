"""The command line of a training; ``compare``, ``ablate``, ``sweep`` and others beside it."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from roadmask.cli.options import add_settings
from roadmask.system.command_line import EXIT_INTERRUPTED, Parser, entry_point, run_command
from roadmask.system.progress import add_progress, part, use_progress
from train.config import FitConfig
from train.options import add_training_options, check_options, make_parts, stopping_signals

# Each module has ``make_parser`` and ``run``; only the one that is asked for is imported.
COMMANDS = {
    "compare": "train.reports.compare",
    "ablate": "train.reports.ablate",
    "record": "train.runs.keep",
    "average": "train.runs.average",
    "prepare": "train.dataset_check",
    "sweep": "train.sweep.command",
}

_EXAMPLES = """\
Examples:
  python -m train --model roadnet --dataset camvid --root DIR --mix town=0.2 \\
      --crop 352x288 --epochs 120 --out runs/roadnet
  python -m train --model unet_mini --dataset town --size 256x256 --epochs 2 --out runs/try

python -m train --list-models                      every network, a line each
python -m train compare RUN... --out REPORT.html   one report over several runs
python -m train ablate ...                         what each recipe brings, over several seeds
python -m train sweep FILE.toml --out DIR          search over any of the options above
python -m train record RUN --out DIR               the small files of a run, for committing
python -m train average RUN... --out FILE.keras     the mean of the weights of several runs
python -m train prepare --dataset NAME --root DIR  is it whole, and what is in it?
"""


def training_parser() -> argparse.ArgumentParser:
    """Of a training, without the commands beside it."""
    parser = Parser(
        prog="python -m train",
        description="Train a segmentation network on driving frames. Run the same command again "
        "after an interruption: it goes on to the weights that an uninterrupted run would have "
        "given, and loses the minutes since the last checkpoint at most.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    add_progress(parser)
    parser.add_argument("--list-models", action=_ListModels, help="show the zoo and end")
    add_training_options(parser)
    parser.add_argument("--recipe", default="full", metavar="NAME|FILE", help=_RECIPE)
    add_settings(parser, FitConfig, "seed")
    parser.add_argument("--tensorboard", action="store_true", help="logs in OUT/tensorboard")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    return parser


class _ListModels(argparse.Action):
    """Print the zoo and end."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from train.zoo import list_models

        print(list_models())
        parser.exit()


_RECIPE = "augmentation: a name of train/recipes or a .toml file (default: full)"


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in COMMANDS:
        command = importlib.import_module(COMMANDS[arguments[0]])
        options = command.make_parser().parse_args(arguments[1:])
        return run_command(lambda: command.run(options), verbose=options.verbose)
    options = training_parser().parse_args(arguments)
    return run_command(lambda: _train(options), verbose=options.verbose)


def _train(options: argparse.Namespace) -> int:
    from train.keras_import import import_keras, require_keras

    use_progress(options)
    named = check_options(options)  # what is wrong shows before TensorFlow takes its time
    require_keras()
    with part("loading Keras"):
        import_keras(verbose=options.verbose)
    from train.loop.fit import Fit, Interrupted

    with stopping_signals() as stop:
        parts = make_parts(options, named)
        options.out.mkdir(parents=True, exist_ok=True)
        fit = Fit(
            named.config,
            parts,
            named.validation,
            options.out,
            checkpoint_s=options.checkpoint_every,
            tensorboard=options.tensorboard,
            stop=stop,
        )
        try:
            fit.run()
        except Interrupted:
            print(f"roadmask: stopped; run the same command to go on from {fit.checkpoint}")
            return EXIT_INTERRUPTED
    print(f"finished: {options.out / (named.config.model + '.keras')}")
    return 0
