"""``roadmask testing``: a scripted stream for somebody else's tests."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable

from roadmask.errors import ConfigError
from roadmask.system.ranges import between

TESTING_EXAMPLES = """\
examples:
  roadmask testing --socket /tmp/masks.sock ok:2 frozen:1 ok:2
  roadmask testing --socket /tmp/masks.sock ok:5 silent:1 restarted:5 hostile:3
A scene lasts its seconds, by default one. docs/testing.md names them.
"""


def add_testing(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask testing``."""
    parser.add_argument("--socket", required=True, help="path of the socket to publish at")
    parser.add_argument(
        "--rate", type=between(0.1, 1000.0), default=30.0, help="frames a second (default: 30)"
    )
    parser.add_argument("scenes", nargs="+", metavar="SCENE[:SECONDS]")
    parser.set_defaults(body=_testing)


def _testing(options: argparse.Namespace) -> int:
    from roadmask.testing import SCENES, StreamPlayer

    if not 0 < options.rate <= 1000:
        raise ConfigError(f"--rate {options.rate:g}: expected more than 0, at most 1000")
    script = [_scene(text, SCENES) for text in options.scenes]
    with StreamPlayer(options.socket, rate_hz=options.rate) as player:
        for scene, seconds in script:
            print(scene, flush=True)
            player.play(scene, seconds)
    return 0


def _scene(text: str, known: Iterable[str]) -> tuple[str, float]:
    name, _, length = text.partition(":")
    try:
        seconds = float(length or 1)
    except ValueError:
        seconds = math.nan
    if name not in known or not 0 <= seconds < math.inf:
        raise ConfigError(f"scene {text!r}: expected NAME or NAME:SECONDS of {', '.join(known)}")
    return name, seconds
