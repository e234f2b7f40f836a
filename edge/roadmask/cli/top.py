"""The command line of ``roadmask top``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.system.command_line import stop_on_signal
from roadmask.system.ranges import SECONDS

TOP_EXAMPLES = """\
examples:
  roadmask top                                   (q or Ctrl-C ends it)
  roadmask top --socket /tmp/masks.sock --once --json top.json
"""


def add_top(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the arguments of ``roadmask top``."""
    parser.add_argument("--socket", help="path of the daemon's socket")
    parser.add_argument("--once", action="store_true", help="print one snapshot and end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the last snapshot")
    parser.add_argument(
        "--wait", type=SECONDS, default=10.0, metavar="S", help="for a stream, with --once"
    )
    parser.set_defaults(body=_top)


def _top(options: argparse.Namespace) -> int:
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.tools.top import top

    top(
        options.socket or str(DEFAULT_SOCKET),
        once=options.once,
        json_path=options.json,
        wait_s=options.wait,
        stop=stop_on_signal(),
    )
    return 0
