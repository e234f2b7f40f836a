"""The command lines of ``roadmask record`` and ``roadmask replay``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.command import at_least, stop_on_signal

RECORD_TEXT = "write a stream, pixels and headers, into one MCAP file"
REPLAY_TEXT = "publish a recording as it was, never to be taken for the road"


def add_record(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask record``."""
    parser.add_argument("--socket", help="path of the daemon's socket")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="e.g. drive.mcap")
    parser.add_argument("--frames", type=int, default=0, help="stop after so many")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was recorded")
    parser.add_argument(
        "--wait", type=at_least(0.0), default=10.0, metavar="S", help="for the stream"
    )
    parser.set_defaults(body=_record)


def add_replay(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask replay``."""
    parser.add_argument("file", type=Path, help="a file of 'roadmask record'")
    # No default: nobody shall replay into the vehicle's own stream by leaving it out.
    parser.add_argument("--socket", required=True, help="path of the socket to publish on")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="default: 1")
    parser.add_argument("--loop", action="store_true", help="begin again at the end")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="leave out so much")
    parser.add_argument("--frames", type=int, default=0, help="stop after so many")
    parser.add_argument(
        "--wait", type=int, default=0, metavar="N", help="for N subscribers before the first frame"
    )
    parser.set_defaults(body=_replay)


def _record(options: argparse.Namespace) -> int:
    from roadmask.protocol import DEFAULT_SOCKET
    from roadmask.record import record
    from roadmask.watch import write_json

    result = record(
        options.socket or DEFAULT_SOCKET,
        options.out,
        frames=options.frames,
        seconds=options.seconds,
        wait_s=options.wait,
        stop=stop_on_signal(),
    )
    if options.json:
        write_json(options.json, result)
    print(
        f"{options.out}: {result['frames']} frames in {result['seconds']} s, "
        f"{result['dropped']} dropped, {result['bytes']} bytes, modes {result['modes']}"
    )
    return 0


def _replay(options: argparse.Namespace) -> int:
    from roadmask.replay import replay

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
