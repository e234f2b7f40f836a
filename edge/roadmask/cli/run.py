"""``roadmask run``: its options, over those of a TOML file, over the defaults."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

from roadmask.cli.accelerator import add_accelerator
from roadmask.cli.network import add_network
from roadmask.errors import ConfigError
from roadmask.system.command_line import stop_on_signal

RUN_TEXT = "read frames, segment them, publish masks"
RUN_EXAMPLES = """\
examples:
  roadmask run --source /dev/video0
  roadmask run --source 'v4l2:/dev/video0?width=1280&height=720&fps=30&format=MJPG'
  roadmask run --source rtsp://camera/stream --live --latency-ms 200
  roadmask run --source drive.mp4 --socket /tmp/masks.sock --frames 200
  roadmask run --source 'synthetic:town?seed=1' --socket /tmp/masks.sock
  roadmask run --crop 0,240,1280,480 --fit letterbox
  roadmask run --delegate libedgetpu.so.1 --delegate-option device=usb
  roadmask run --cores 2-3 --threads 2 --realtime 50 --lock-memory
  roadmask run --config daemon.toml        (docs/daemon.md: every option, as [daemon])
A subscriber ('roadmask watch', or from roadmask import Subscriber) reads the masks at the socket.
"""


def add_run(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask run``."""
    # No defaults here: what is not given is taken from --config, then from DaemonConfig.
    parser.add_argument("--source", help="camera, video, folder or town, as URI (see docs)")
    parser.add_argument(
        "--live",
        action="store_true",
        default=None,
        help="a network stream or GStreamer pipeline shows the present: nothing else proves it",
    )
    parser.add_argument(
        "--latency-ms",
        type=float,
        metavar="MS",
        help="at most so long from exposure to arrival, where no driver stamps the frames",
    )
    parser.add_argument("--model", help="a .tflite file, or the name of a shipped model")
    parser.add_argument("--socket", help="path of the socket that subscribers connect to")
    parser.add_argument("--threads", type=int, help="threads of the network (default: 1)")
    parser.add_argument("--frames", type=int, help="stop after so many (default: run on)")
    parser.add_argument("--config", type=Path, help="TOML file with a [daemon] table")
    parser.add_argument("--mask-size", choices=("network", "camera"), help="default: network")
    parser.add_argument(
        "--crop", metavar="X,Y,W,H", help="what the network sees, in camera px (default: all)"
    )
    parser.add_argument(
        "--fit",
        choices=("stretch", "letterbox"),
        help="fill the network's input, or keep proportions with void padding (default: stretch)",
    )
    parser.add_argument("--max-age-ms", type=int, help="oldest mask to trust (default: 250 ms)")
    for name, text in (
        ("confidence", "publish a confidence plane"),
        ("checksum", "send each mask's CRC-32C, for readers to check"),
        ("preview", "publish the picture that the network sees"),
    ):
        parser.add_argument(f"--{name}", action="store_true", default=None, help=text)
    parser.add_argument("--times", type=Path, metavar="FILE", help="write stage times as .npy")
    add_network(parser)
    _add_machine(parser)
    parser.set_defaults(body=_run)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("machine", "docs/daemon.md says when each pays")
    group.add_argument("--cores", metavar="LIST", help="of the network: 2 or 0,2-3 (default: any)")
    add_accelerator(group)
    group.add_argument("--realtime", type=int, metavar="PRIORITY", help="SCHED_FIFO, 1 to 99")
    group.add_argument(
        "--lock-memory", action="store_true", default=None, help="no page faults after warm-up"
    )
    group.add_argument(
        "--max-fps", type=float, metavar="FPS", help="segment no more (default: all)"
    )


def _run(options: argparse.Namespace) -> int:
    from roadmask.daemon.config import DaemonConfig
    from roadmask.daemon.scene import SceneLimits
    from roadmask.daemon.stage_times import StageTimes
    from roadmask.daemon.start import await_parts, start_engine
    from roadmask.system.toml import from_table, read_toml

    if options.verbose:
        logging.basicConfig(level=logging.INFO, format="roadmask: %(message)s")
    tables = read_toml(options.config) if options.config else {}
    if extra := set(tables) - {"daemon", "scene"}:
        raise ConfigError(
            f"{options.config}: table [{min(extra)}] is unknown; expected [daemon] or [scene]"
        )
    given = {
        field.name: value
        for field in dataclasses.fields(DaemonConfig)
        if (value := getattr(options, field.name, None)) is not None
    }
    config = from_table(
        DaemonConfig, tables.get("daemon", {}) | given, str(options.config or "arguments")
    )
    scene = from_table(SceneLimits, tables.get("scene", {}), f"{options.config} [scene]")
    config = dataclasses.replace(config, scene=scene)
    if config.frames < 0:
        raise ConfigError(f"--frames {config.frames}: expected 0 (no limit) or more")
    times = StageTimes() if options.times else None
    stop = stop_on_signal()
    published = 0
    with start_engine(config) as engine:
        from roadmask.daemon.pipeline import open_pipeline  # beside the engine's start

        with await_parts(config, engine, stop) as source:
            if source is not None:
                with open_pipeline(config, engine=engine, source=source, times=times) as pipeline:
                    published = pipeline.run(stop)
    if times is not None:
        times.save(options.times)
    if config.frames and published < config.frames and not stop.is_set():
        print(
            f"roadmask: {config.source} ended after {published} of {config.frames} frames",
            file=sys.stderr,
        )
    return 0
