"""The ``roadmask`` command; each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import Any

from roadmask.cli.subcommand import _add
from roadmask.system.command_line import Parser, entry_point, run_command
from roadmask.system.first_moments import let_signals_come

# What each does, and whether it stands under "advanced"; its module, of that name, holds the rest.
_COMMANDS = {
    "run": ("read frames, segment them, publish masks", False),
    "watch": ("subscribe to a stream and show or save what comes", False),
    "demo": ("segment the synthetic town and score it, live", False),
    "record": ("write a stream, pixels and headers, into one MCAP file", True),
    "replay": ("publish a recording as it was, never to be taken for the road", True),
    "bridge": ("send the masks to other machines over Eclipse Zenoh, or to Foxglove", True),
    "serve": ("console and prediction API: look at the stream, upload, compare", True),
    "doctor": ("check the board, and with --verify a model's certified masks on it", True),
    "faults": ("inject faults into daemons of one's own, and see what S4 would see", True),
    "inspect": ("what a model file says of itself, and what it leaves open", True),
    "testing": (
        "play a scripted stream: ok, stale, torn, frozen, silent, restarted, hostile, ...",
        True,
    ),
    "top": ("show how a stream is doing: rate, times, drops, mode", True),
    "models": ("install models on a board, switch between them, take a switch back", True),
    "town": ("write the synthetic town as a Cityscapes tree", True),
    "calibrate": (
        "find out the camera's lens, its pitch, what it sees of its vehicle",
        True,
    ),
    "config": ("show every setting, check a file, explain one setting", True),
}
_LISTED = "\n".join(
    f"  {name:9} {text}" for name, (text, advanced) in _COMMANDS.items() if advanced
)
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
    whole.add_argument("--version", action=_Version, help="show the version and end")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (text, advanced) in _COMMANDS.items():
        part = _add(commands, name, text, advanced)
        if chosen in (name, None):
            module = import_module(f"roadmask.cli.{name}")
            part.epilog = getattr(module, f"{name.upper()}_EXAMPLES", None)
            getattr(module, f"add_{name}")(part)
    return whole


class _Version(argparse.Action):
    """Print the version; the compiled extension, which holds it, is loaded only then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from roadmask import __version__

        print(f"roadmask {__version__}")
        parser.exit()


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

    def body() -> int:
        if options.command != "run":  # which lets them come once it has an answer to each
            let_signals_come()
        return int(options.body(options))

    return run_command(body, verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
