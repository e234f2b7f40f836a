"""The ``roadmask`` command; each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys

from roadmask import __version__
from roadmask.cli.bridge import BRIDGE_TEXT, add_bridge
from roadmask.cli.config import CONFIG_EXAMPLES, CONFIG_TEXT, add_config
from roadmask.cli.demo import DEMO_TEXT, add_demo
from roadmask.cli.doctor import DOCTOR_EXAMPLES, DOCTOR_TEXT, add_doctor
from roadmask.cli.faults import FAULTS_EXAMPLES, FAULTS_TEXT, add_faults
from roadmask.cli.inspect import INSPECT_EXAMPLES, INSPECT_TEXT, add_inspect
from roadmask.cli.models import MODELS_EXAMPLES, MODELS_TEXT, add_models
from roadmask.cli.record import RECORD_TEXT, REPLAY_TEXT, add_record
from roadmask.cli.replay import add_replay
from roadmask.cli.run import RUN_EXAMPLES, RUN_TEXT, add_run
from roadmask.cli.serve import SERVE_EXAMPLES, SERVE_TEXT, add_serve
from roadmask.cli.subcommand import _add
from roadmask.cli.testing import TESTING_EXAMPLES, TESTING_TEXT, add_testing
from roadmask.cli.top import TOP_EXAMPLES, TOP_TEXT, add_top
from roadmask.cli.watch import WATCH_TEXT, add_watch
from roadmask.system.command_line import Parser, entry_point, run_command

_COMMANDS = (
    ("run", RUN_TEXT, add_run, RUN_EXAMPLES, False),
    ("watch", WATCH_TEXT, add_watch, None, False),
    ("demo", DEMO_TEXT, add_demo, None, False),
    ("record", RECORD_TEXT, add_record, None, True),
    ("replay", REPLAY_TEXT, add_replay, None, True),
    ("bridge", BRIDGE_TEXT, add_bridge, None, True),
    ("serve", SERVE_TEXT, add_serve, SERVE_EXAMPLES, True),
    ("doctor", DOCTOR_TEXT, add_doctor, DOCTOR_EXAMPLES, True),
    ("faults", FAULTS_TEXT, add_faults, FAULTS_EXAMPLES, True),
    ("inspect", INSPECT_TEXT, add_inspect, INSPECT_EXAMPLES, True),
    ("testing", TESTING_TEXT, add_testing, TESTING_EXAMPLES, True),
    ("top", TOP_TEXT, add_top, TOP_EXAMPLES, True),
    ("models", MODELS_TEXT, add_models, MODELS_EXAMPLES, True),
    ("config", CONFIG_TEXT, add_config, CONFIG_EXAMPLES, True),
)
_LISTED = "\n".join(f"  {name:9} {text}" for name, text, *_, advanced in _COMMANDS if advanced)
_ADVANCED = f"""\
advanced:
{_LISTED}

start with 'roadmask demo'
"""


def parser(chosen: str | None = None) -> Parser:
    """The command's parser, with the options of one subcommand, or of all.

    Args:
        chosen: the subcommand; the others stand in the list and load nothing.
    """
    whole = Parser(
        prog="roadmask",
        description="Segment camera frames into Cityscapes' 8 categories and publish the masks.",
        epilog=_ADVANCED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"roadmask {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text, fill, examples, advanced in _COMMANDS:
        part = _add(commands, name, text, examples, advanced)
        if chosen in (name, None):
            fill(part)
    return whole


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    # LiteRT and OpenCV write to standard error from C++; a line of ours says what matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = next((word for word in arguments if not word.startswith("-")), "")
    try:
        options = parser(chosen).parse_args(arguments)
    except SystemExit as end:  # a line of help, or of what is wrong
        return int(end.code or 0)
    return run_command(lambda: int(options.body(options)), verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
