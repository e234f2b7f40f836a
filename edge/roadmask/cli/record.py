"""The command lines of ``roadmask record`` and ``roadmask replay``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.system.command_line import stop_on_signal
from roadmask.system.ranges import COUNT, SECONDS


def add_record(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask record``."""
    parser.add_argument("--socket", help="path of the daemon's socket")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="e.g. drive.mcap")
    parser.add_argument("--frames", type=COUNT, default=0, help="stop after so many")
    parser.add_argument("--seconds", type=SECONDS, default=0.0, help="stop after so long")
    parser.add_argument(
        "--foxglove", action="store_true", help="standard messages too, for Foxglove"
    )
    parser.add_argument(
        "--ros2", type=Path, metavar="FILE", help="a bag of ROS 2 as well, e.g. drive_ros2.mcap"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was recorded")
    parser.add_argument("--wait", type=SECONDS, default=10.0, metavar="S", help="for the stream")
    parser.set_defaults(body=_record)


def _record(options: argparse.Namespace) -> int:
    from roadmask.recording.recorder import record
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.system.files import write_json

    result = record(
        options.socket or DEFAULT_SOCKET,
        options.out,
        frames=options.frames,
        seconds=options.seconds,
        wait_s=options.wait,
        foxglove=options.foxglove,
        ros2=options.ros2,
        stop=stop_on_signal(),
    )
    if options.json:
        write_json(options.json, result)
    print(
        f"{options.out}: {result['frames']} frames in {result['seconds']} s, "
        f"{result['dropped']} dropped, {result['bytes']} bytes, modes {result['modes']}"
    )
    return 0
