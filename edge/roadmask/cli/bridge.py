"""The command line of ``roadmask bridge``, and what ``roadmask watch`` needs at the far end."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from roadmask.errors import ConfigError
from roadmask.system.command_line import stop_on_signal
from roadmask.system.ranges import between

if TYPE_CHECKING:
    from roadmask.bridge.subscriber import RemoteSubscriber


def add_bridge(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask bridge``."""
    parser.add_argument("--socket", help="path of the daemon's socket")
    add_zenoh(parser)
    parser.add_argument(
        "--foxglove", metavar="HOST:PORT", help="serve Foxglove there instead, e.g. 127.0.0.1:8765"
    )
    parser.add_argument(
        "--ros2",
        nargs="?",
        const="/roadmask",
        metavar="NAMESPACE",
        help="publish ROS 2 topics over Zenoh instead (default: /roadmask)",
    )
    parser.add_argument(
        "--domain", type=between(0, 232), default=0, metavar="N", help="with --ros2: ROS_DOMAIN_ID"
    )
    parser.add_argument(
        "--allow-not-live",
        action="store_true",
        help="with --foxglove and --ros2: replayed frames too",
    )
    parser.add_argument(
        "--max-rate",
        type=between(0.001, 1000.0, "every frame"),
        default=0.0,
        metavar="HZ",
        help="default: every frame",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was sent")
    parser.set_defaults(body=_bridge)


def add_zenoh(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """What both ends of a bridge are told."""
    parser.add_argument(
        "--zenoh", required=required, metavar="KEY", help="the stream's name, e.g. car1/front"
    )
    for name, text in (("connect", "connect to"), ("listen", "listen at")):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="ENDPOINT",
            help=f"{text}, e.g. tcp/10.0.0.2:7447 (default: this machine alone)",
        )
    parser.add_argument("--scout", action="store_true", help="look for peers by multicast")


def remote_subscriber(options: argparse.Namespace) -> RemoteSubscriber | None:
    """What ``roadmask watch`` reads from when it is given ``--zenoh``.

    Raises:
        ConfigError: arguments that do not go together.
    """
    if options.zenoh is None:
        if options.connect or options.listen or options.scout:
            raise ConfigError("--connect, --listen and --scout need --zenoh KEY")
        return None
    if options.socket:
        raise ConfigError("give either --socket or --zenoh: this machine's stream or another's")
    from roadmask.bridge.subscriber import RemoteSubscriber
    from roadmask.stream.subscribe.policy import TAKE_EVERYTHING

    return RemoteSubscriber(
        options.zenoh,
        connect=options.connect,
        listen=options.listen,
        scout=options.scout,
        **TAKE_EVERYTHING,
    )


def _bridge(options: argparse.Namespace) -> int:
    if sum(given is not None for given in (options.zenoh, options.foxglove, options.ros2)) != 1:
        raise ConfigError("give one of --zenoh KEY, --foxglove HOST:PORT and --ros2 [NAMESPACE]")
    if options.ros2 is not None:
        return _serve_ros2(options)
    return _serve_foxglove(options) if options.foxglove else _relay(options)


def _serve_ros2(options: argparse.Namespace) -> int:
    from roadmask.bridge.ros2 import serve_ros2
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.system.files import write_json

    sent = serve_ros2(
        options.socket or DEFAULT_SOCKET,
        namespace=options.ros2,
        domain=options.domain,
        connect=options.connect,
        listen=options.listen,
        scout=options.scout,
        allow_not_live=options.allow_not_live,
        max_rate_hz=options.max_rate,
        stop=stop_on_signal(),
        ready=lambda: print(f"ROS 2: node {options.ros2.rstrip('/')}/roadmask", flush=True),
    )
    if options.json:
        write_json(options.json, sent)
    print(f"{sent['frames']} masks sent, {sent['diagnostics']} diagnostics")
    return 0


def _serve_foxglove(options: argparse.Namespace) -> int:
    from roadmask.bridge.foxglove import serve_foxglove
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.system.files import write_json

    host, _, port = options.foxglove.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"--foxglove {options.foxglove}: expected HOST:PORT, e.g. 127.0.0.1:8765")
    sent = serve_foxglove(
        options.socket or DEFAULT_SOCKET,
        host=host,
        port=int(port),
        stop=stop_on_signal(),
        allow_not_live=options.allow_not_live,
        max_rate_hz=options.max_rate,
        ready=lambda chosen: print(f"Foxglove: ws://{host}:{chosen}", flush=True),
    )
    if options.json:
        write_json(options.json, {"frames": sent})
    print(f"{sent} masks sent")
    return 0


def _relay(options: argparse.Namespace) -> int:
    from roadmask.bridge.relay import bridge
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.system.files import write_json

    record = bridge(
        options.socket or DEFAULT_SOCKET,
        options.zenoh,
        connect=options.connect,
        listen=options.listen,
        scout=options.scout,
        max_rate_hz=options.max_rate,
        stop=stop_on_signal(),
    )
    if options.json:
        write_json(options.json, record)
    size = record["bytes_per_frame"]["p50"]
    print(
        f"{record['frames']} frames sent, {record['skipped']} left out, "
        f"{'-' if size is None else f'{size:.0f}'} bytes each, "
        f"{record['cpu_percent']} % of a core"
    )
    return 0
