"""The command line of ``roadmask town``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.system.command_line import parse_size
from roadmask.system.ranges import at_least

TOWN_EXAMPLES = """\
example:
  roadmask town --cityscapes town-tree --frames 200
A fifth of the frames is split val; each city is a town of its own.
"""
_VAL_SHARE = 5  # one in so many


def add_town(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask town``."""
    add = parser.add_argument
    add("--cityscapes", type=Path, required=True, metavar="DIR", help="a new or an empty folder")
    add("--frames", type=at_least(2), default=200, metavar="N", help="default: 200")
    add("--size", type=parse_size, default=(1024, 512), metavar="WxH", help="default: 1024x512")
    add("--seed", type=at_least(0), default=1, help="of the towns; default: 1")
    parser.set_defaults(body=_town)


def _town(options: argparse.Namespace) -> int:
    from roadmask.system.command_line import EXIT_DONE
    from roadmask.system.terminal import LiveLine
    from roadmask.town.export import write_cityscapes

    line = LiveLine()
    val = max(1, options.frames // _VAL_SHARE)
    width, height = options.size
    write_cityscapes(
        options.cityscapes,
        seed=options.seed,
        train=options.frames - val,
        val=val,
        width=width,
        height=height,
        progress=lambda done, total: line.show(f"{done} of {total} frames"),
    )
    line.end()
    print(f"written: {options.cityscapes}, {options.frames - val} frames to train on, {val} of val")
    return EXIT_DONE
