"""The ``roadmask`` command; each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys

from roadmask import __version__
from roadmask.cli.bridge import BRIDGE_TEXT, add_bridge
from roadmask.cli.demo import _add_demo
from roadmask.cli.doctor import DOCTOR_TEXT, add_doctor
from roadmask.cli.inspect import INSPECT_TEXT, add_inspect
from roadmask.cli.models import MODELS_TEXT, add_models
from roadmask.cli.record import RECORD_TEXT, REPLAY_TEXT, add_record
from roadmask.cli.replay import add_replay
from roadmask.cli.run import RUN_EXAMPLES, RUN_TEXT, add_run
from roadmask.cli.serve import SERVE_TEXT, add_serve
from roadmask.cli.subcommand import _add
from roadmask.cli.top import TOP_EXAMPLES, TOP_TEXT, add_top
from roadmask.cli.watch import _add_watch
from roadmask.system.command_line import entry_point, run_command

_ADVANCED = f"""\
advanced:
  record    {RECORD_TEXT}
  replay    {REPLAY_TEXT}
  bridge    {BRIDGE_TEXT}
  serve     {SERVE_TEXT}
  doctor    {DOCTOR_TEXT}
  inspect   {INSPECT_TEXT}
  top       {TOP_TEXT}
  models    {MODELS_TEXT}

start with 'roadmask demo'
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="roadmask",
        description="Segment camera frames into Cityscapes' 8 categories and publish the masks.",
        epilog=_ADVANCED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"roadmask {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_run(_add(commands, "run", RUN_TEXT, RUN_EXAMPLES))
    _add_watch(commands)
    _add_demo(commands)
    add_record(_add(commands, "record", RECORD_TEXT, advanced=True))
    add_replay(_add(commands, "replay", REPLAY_TEXT, advanced=True))
    add_bridge(_add(commands, "bridge", BRIDGE_TEXT, advanced=True))
    add_serve(_add(commands, "serve", SERVE_TEXT, advanced=True))
    add_doctor(_add(commands, "doctor", DOCTOR_TEXT, advanced=True))
    add_inspect(_add(commands, "inspect", INSPECT_TEXT, advanced=True))
    add_top(_add(commands, "top", TOP_TEXT, TOP_EXAMPLES, advanced=True))
    add_models(_add(commands, "models", MODELS_TEXT, advanced=True))
    return parser


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    # LiteRT and OpenCV write to standard error from C++; a line of ours says what matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    options = _parser().parse_args(arguments)
    return run_command(lambda: int(options.body(options)), verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
