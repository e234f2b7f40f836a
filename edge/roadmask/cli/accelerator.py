"""The options that choose where the network runs, alike in every command that loads one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from roadmask.cli.options import add_settings

if TYPE_CHECKING:
    from roadmask.inference.accelerator import Accelerator


def add_accelerator(group: argparse._ArgumentGroup) -> None:
    """``--delegate``, ``--delegate-option``, ``--gpu`` and ``--delegate-required``."""
    from roadmask.daemon.config import DaemonConfig

    names = ("delegate", "delegate_options", "gpu", "delegate_required")
    add_settings(group, DaemonConfig, *names)


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
