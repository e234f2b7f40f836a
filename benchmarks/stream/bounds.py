"""``python -m benchmarks.stream.bounds``: how late ``receive(100 ms)`` returns without a mask.

Under each scene of ``roadmask.testing`` that gives no mask, played as fast as asked by another
process, and under a silent publisher, in turns.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.command_line import (
    EXIT_DONE,
    EXIT_GATE,
    Parser,
    entry_point,
    run_command,
)
from roadmask.system.files import check_writable, write_json
from roadmask.system.ranges import between
from roadmask.testing import SCENES, StreamPlayer

_TIMEOUT_MS = 100
_LIMIT_MS = 20.0
_GIVES = ("ok", "degraded", "restarted")
_TURN_S = 0.02  # of a scene before the player looks for the next

Receive = Callable[[], bool]


def _play(path: str, rate_hz: float, orders: Connection) -> None:
    """The scene that was ordered last, until None."""
    with StreamPlayer(path, rate_hz=rate_hz) as player:
        orders.send("ready")
        scene = orders.recv()
        while scene is not None:
            player.play(scene, _TURN_S)
            if orders.poll():
                scene = orders.recv()


@contextmanager
def _client(path: str, probe: Path | None) -> Iterator[Receive]:
    """One ``receive``: whether it gave a mask."""
    if probe is None:
        with Subscriber(path) as subscriber:
            yield lambda: subscriber.receive(timeout_s=_TIMEOUT_MS / 1e3) is not None
        return
    pipe = subprocess.PIPE
    with subprocess.Popen([probe, path], stdin=pipe, stdout=pipe, text=True, bufsize=1) as running:
        asking, answers = running.stdin, running.stdout
        assert asking is not None and answers is not None

        def ask() -> bool:
            asking.write(f"receive {_TIMEOUT_MS}\n")
            return answers.readline().startswith("mask")

        yield ask


def _late_ms(receive: Receive, calls: int) -> list[float]:
    """Of the calls that gave no mask, the time beyond the time-out; the first is not counted."""
    late = []
    for number in range(calls + 1):
        began = time.perf_counter_ns()
        found = receive()
        if number and not found:
            late.append((time.perf_counter_ns() - began) * 1e-6 - _TIMEOUT_MS)
    return late


def measure(rounds: int, calls: int, rate_hz: float, probe: Path | None) -> dict[str, Any]:
    """Every scene in turns with silence; ms beyond the time-out."""
    late: dict[str, list[float]] = {scene: [] for scene in SCENES if scene not in _GIVES}
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "masks.sock")
        player = multiprocessing.Process(target=_play, args=(path, rate_hz, theirs))
        player.start()
        ours.recv()
        with _client(path, probe) as receive:
            for _ in range(rounds):
                for scene, times in late.items():
                    for turn in ("silent", scene):
                        ours.send(turn)
                        (times if turn == scene else late["silent"]).extend(
                            _late_ms(receive, calls)
                        )
        ours.send(None)
        player.join()
    percentiles = {
        scene: {f"p{q}": round(float(np.percentile(times, q)), 2) for q in (50, 99)}
        for scene, times in late.items()
        if times
    }
    worst = max(found["p99"] for found in percentiles.values())
    return {
        "client": "python" if probe is None else "cpp",
        "calls": {scene: len(times) for scene, times in late.items()},
        "late_ms": percentiles,
        "p99_beyond_silent_ms": round(worst - percentiles["silent"]["p99"], 2),
        "limit_ms": _LIMIT_MS,
    }


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 1 if a scene's p99 is over 20 ms beyond silence's."""
    parser = Parser(prog="python -m benchmarks.stream.bounds", description=__doc__)
    parser.add_argument("--rounds", type=between(1, 10_000), default=4)
    parser.add_argument("--calls", type=between(1, 10_000), default=5, help="a scene and round")
    parser.add_argument(
        "--rate", type=between(1.0, 100_000.0), default=2000.0, help="records a second"
    )
    parser.add_argument("--probe", type=Path, help="the C++ client: tests/cpp's `probe`, built")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    options = parser.parse_args(arguments)

    def body() -> int:
        check_writable(options.json)
        result = measure(options.rounds, options.calls, options.rate, options.probe)
        if options.json:
            write_json(options.json, result)
        print(result)
        return EXIT_GATE if result["p99_beyond_silent_ms"] > _LIMIT_MS else EXIT_DONE

    return run_command(body, verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
