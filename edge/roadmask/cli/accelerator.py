"""The options that choose where the network runs, alike in every command that loads one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roadmask.inference.accelerator import Accelerator


def add_accelerator(group: argparse._ArgumentGroup) -> None:
    """``--delegate``, ``--delegate-option``, ``--gpu`` and ``--delegate-required``."""
    # No defaults: `roadmask run` takes what is not given from its configuration file.
    group.add_argument("--delegate", metavar="LIB", help="TensorFlow Lite delegate (.so) to run on")
    group.add_argument(
        "--delegate-option",
        action="append",
        dest="delegate_options",
        metavar="KEY=VALUE",
        help="of the delegate; may be repeated",
    )
    group.add_argument("--gpu", action="store_true", default=None, help="run on LiteRT's GPU")
    group.add_argument(
        "--delegate-required",
        action="store_true",
        default=None,
        help="end (exit code 2) rather than fall back to the processor",
    )


def accelerator_of(options: argparse.Namespace) -> Accelerator:
    """What was given on the command line.

    Raises:
        ConfigError: options that do not go together.
    """
    from roadmask.inference.accelerator import Accelerator

    return Accelerator(
        options.delegate or "",
        tuple(options.delegate_options or ()),
        bool(options.gpu),
        bool(options.delegate_required),
    )
