"""The options that say how to read a network, alike in every command that loads one."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from roadmask.cli.options import add_settings

if TYPE_CHECKING:
    from roadmask.inference.reading.read_as import ReadAs

_NEGATIVE = re.compile(r"-\d+(\.\d+)?(\.\.-?\d+(\.\d+)?)?|-\.\d+")


def add_network(parser: argparse.ArgumentParser) -> None:
    """``--labels``, ``--input-range``, ``--channels``, ``--size`` and ``--output``."""
    from roadmask.inference.reading.read_as import ReadAs

    parser.add_argument(
        "--labels", metavar="SET", help="cityscapes-8, cityscapes-19, … or a .toml file"
    )
    add_settings(parser, ReadAs)
    accept_negative_ranges(parser)


def accept_negative_ranges(parser: argparse.ArgumentParser) -> None:
    """``--input-range -1..1``, as it is written everywhere else."""
    # argparse takes what begins with a minus and is no number for an option.
    parser._negative_number_matcher = _FullMatch  # type: ignore[assignment]


class _FullMatch:
    @staticmethod
    def match(text: str) -> re.Match[str] | None:
        return _NEGATIVE.fullmatch(text)


def read_as_of(options: argparse.Namespace) -> ReadAs:
    """What was given on the command line, beside the labels."""
    from roadmask.inference.reading.read_as import ReadAs

    return ReadAs(
        options.input_range or "",
        options.channels or "",
        options.size or "",
        options.output or "",
    )
