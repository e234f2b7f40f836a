"""The command line of ``roadmask inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.cli.network import add_network, read_as_of

INSPECT_EXAMPLES = """\
examples:
  roadmask inspect s
  roadmask inspect deeplab.tflite --labels cityscapes-19 --json contract.json
Exit code 0 whether it can be run or not: `runs` says it.
"""


def add_inspect(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask inspect``."""
    parser.add_argument("model", help="a .tflite file, or the name of a shipped model")
    add_network(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.set_defaults(body=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    from roadmask.inference.inspection import inspect_model, inspection_lines
    from roadmask.system.command_line import EXIT_DONE
    from roadmask.system.files import write_json

    found = inspect_model(options.model, options.labels, read_as_of(options))
    if options.json:
        write_json(options.json, found)
    for line in inspection_lines(found):
        print(line)
    return EXIT_DONE
