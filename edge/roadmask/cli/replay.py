"""``roadmask replay``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.system.command_line import stop_on_signal
from roadmask.system.ranges import COUNT, SECONDS, between


def add_replay(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask replay``."""
    parser.add_argument("file", type=Path, help="a file of 'roadmask record'")
    # No default: nobody shall replay into the vehicle's own stream by leaving it out.
    parser.add_argument("--socket", required=True, help="path of the socket to publish on")
    parser.add_argument(
        "--speed", type=between(0.01, 100.0), default=1.0, metavar="X", help="default: 1"
    )
    parser.add_argument("--loop", action="store_true", help="begin again at the end")
    parser.add_argument("--start", type=SECONDS, default=0.0, metavar="S", help="leave out so much")
    parser.add_argument("--frames", type=COUNT, default=0, help="stop after so many")
    parser.add_argument(
        "--wait",
        type=between(0, 32),
        default=0,
        metavar="N",
        help="for N subscribers before the first frame",
    )
    parser.set_defaults(body=_replay)


def _replay(options: argparse.Namespace) -> int:
    from roadmask.recording.replay import replay

    result = replay(
        options.file,
        options.socket,
        speed=options.speed,
        loop=options.loop,
        start_s=options.start,
        frames=options.frames,
        subscribers=options.wait,
        stop=stop_on_signal(),
    )
    print(f"{result['frames']} frames replayed in {result['streams']} streams")
    return 0
