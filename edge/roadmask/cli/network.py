"""The options that say how to read a network, alike in every command that loads one."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roadmask.inference.reading.read_as import ReadAs

_NEGATIVE = re.compile(r"-\d+(\.\d+)?(\.\.-?\d+(\.\d+)?)?|-\.\d+")


def add_network(parser: argparse.ArgumentParser) -> None:
    """``--labels``, ``--input-range``, ``--channels``, ``--size`` and ``--output``."""
    # No defaults: `roadmask run` takes what is not given from its configuration file.
    group = parser.add_argument_group(
        "network", "how to read one whose file does not say; `roadmask inspect` tells what it says"
    )
    group.add_argument(
        "--labels", metavar="SET", help="cityscapes-8, cityscapes-19, … or a .toml file"
    )
    group.add_argument(
        "--input-range",
        metavar="R",
        help="of the numbers that it was trained on: 0..1, -1..1, 0..255, imagenet or LOW..HIGH",
    )
    group.add_argument("--channels", choices=("rgb", "bgr"), help="their order (default: rgb)")
    group.add_argument("--size", metavar="WxH", help="of an input that has no fixed size")
    group.add_argument("--output", metavar="NAME", help="which of several, or its number from 0")
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
