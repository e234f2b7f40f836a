"""The ``roadmask`` command; each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from roadmask import __version__
from roadmask.bridgecli import BRIDGE_TEXT, add_bridge, add_zenoh, remote_subscriber
from roadmask.command import at_least, run_command, stop_on_signal
from roadmask.doctorcli import DOCTOR_TEXT, add_doctor
from roadmask.recordcli import RECORD_TEXT, REPLAY_TEXT, add_record, add_replay
from roadmask.runcli import RUN_EXAMPLES, RUN_TEXT, add_run
from roadmask.topcli import TOP_EXAMPLES, TOP_TEXT, add_top
from roadmask.web.servecli import SERVE_TEXT, add_serve

_ADVANCED = f"""\
advanced:
  record    {RECORD_TEXT}
  replay    {REPLAY_TEXT}
  bridge    {BRIDGE_TEXT}
  serve     {SERVE_TEXT}
  doctor    {DOCTOR_TEXT}
  top       {TOP_TEXT}

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
    add_top(_add(commands, "top", TOP_TEXT, TOP_EXAMPLES, advanced=True))
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    epilog: str | None = None,
    advanced: bool = False,
) -> argparse.ArgumentParser:
    # What has no help text is not listed: _ADVANCED names it.
    listed: dict[str, Any] = {} if advanced else {"help": text}
    parser = commands.add_parser(
        name,
        **listed,
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    return parser


def _add_watch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "watch", "subscribe to a stream and show or save what comes")
    parser.add_argument("--socket", help="path of the daemon's socket")
    parser.add_argument("--frames", type=at_least(0), default=0, help="stop after so many")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="save masks as PNG (ids), and DIR/color"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was seen")
    parser.add_argument(
        "--wait", type=at_least(0.0), default=10.0, metavar="S", help="for the first frame"
    )
    add_zenoh(parser)
    parser.set_defaults(body=_watch)


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "demo", "segment the synthetic town and score it, live")
    parser.add_argument("--seconds", type=at_least(0.1), default=15.0, help="default: 15")
    parser.add_argument("--model", help="a .tflite file, or the name of a shipped model")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument(
        "--picture", type=Path, default=Path("roadmask-demo.png"), help="the overlay picture"
    )
    parser.set_defaults(body=_demo)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    # LiteRT and OpenCV write to standard error from C++; a line of ours says what matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    options = _parser().parse_args(arguments)
    return run_command(lambda: int(options.body(options)), verbose=options.verbose)


def _watch(options: argparse.Namespace) -> int:
    from roadmask.protocol import DEFAULT_SOCKET
    from roadmask.watch import watch, write_json

    record = watch(
        options.zenoh or options.socket or str(DEFAULT_SOCKET),
        frames=options.frames,
        save=options.save,
        wait_s=options.wait,
        stop=stop_on_signal(),
        subscriber=remote_subscriber(options),
    )
    if options.json:
        write_json(options.json, record)
    age = record["age_ms"]["p50"]
    print(
        f"{record['frames']} frames, {record['dropped']} dropped, "
        f"age p50 {'-' if age is None else f'{age:.1f} ms'}, modes {record['modes']}"
    )
    return 0


def _demo(options: argparse.Namespace) -> int:
    from roadmask.demo import demo
    from roadmask.modelfile import DEFAULT_MODEL
    from roadmask.watch import write_json

    record = demo(
        options.seconds, options.model or DEFAULT_MODEL, options.picture, stop_on_signal()
    )
    if options.json:
        write_json(options.json, record)
    print(
        f"{record['frames']} masks at {record['fps']} fps, frame -> mask p50 "
        f"{record['frame_to_mask_ms']['p50']} ms, mIoU {record['miou']} "
        f"on {record['scored_frames']} frames, modes {record['modes']}"
    )
    print(f"overlay picture: {options.picture.resolve()}")
    return 0 if record["frames"] else 1


if __name__ == "__main__":
    sys.exit(main())
