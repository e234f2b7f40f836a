"""``roadmask demo``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.system.command_line import stop_on_signal
from roadmask.system.ranges import between


def add_demo(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask demo``."""
    parser.add_argument("--seconds", type=between(0.1, 86_400.0), default=15.0, help="default: 15")
    parser.add_argument("--model", help="a .tflite file, or a shipped model: s, m, l or its name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument(
        "--picture", type=Path, default=Path("roadmask-demo.png"), help="the overlay picture"
    )
    parser.set_defaults(body=_demo)


def _demo(options: argparse.Namespace) -> int:
    from roadmask.inference.model_file import DEFAULT_MODEL
    from roadmask.system.files import write_json
    from roadmask.tools.demo import demo

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
