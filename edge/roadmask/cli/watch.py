"""``roadmask watch``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.cli.bridge import add_zenoh, remote_subscriber
from roadmask.stream.checks import MAX_LIMIT_MS
from roadmask.system.command_line import stop_on_signal
from roadmask.system.ranges import COUNT, SECONDS, between


def add_watch(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask watch``."""
    parser.add_argument("--socket", help="path of the daemon's socket")
    parser.add_argument("--frames", type=COUNT, default=0, help="stop after so many")
    parser.add_argument(
        "--save", type=Path, metavar="DIR", help="save masks as PNG (ids), and DIR/color"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was seen")
    parser.add_argument(
        "--wait", type=SECONDS, default=10.0, metavar="S", help="for the first frame"
    )
    parser.add_argument(
        "--max-age-ms",
        type=between(1, MAX_LIMIT_MS),
        default=250,
        metavar="MS",
        help="take no older mask (default: 250), nor one over the stream's own limit",
    )
    add_zenoh(parser)
    parser.set_defaults(body=_watch)


def _watch(options: argparse.Namespace) -> int:
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.system.files import write_json
    from roadmask.tools.watch import watch

    record = watch(
        options.zenoh or options.socket or str(DEFAULT_SOCKET),
        frames=options.frames,
        save=options.save,
        wait_s=options.wait,
        max_age_ms=options.max_age_ms,
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
