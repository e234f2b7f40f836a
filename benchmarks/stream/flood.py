"""``python -m benchmarks.stream.flood``: what a flood of connections costs ``publish()``.

Eight processes connect and close in a loop: at the stream's socket, and at another publisher's, in
turns of a second each, so that the processor is as busy in both. One reader follows the stream.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.stream.publish.access import Access
from roadmask.stream.publish.heartbeat import Heart
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
from roadmask.system.command_line import (
    EXIT_DONE,
    EXIT_GATE,
    Parser,
    entry_point,
    run_command,
)
from roadmask.system.files import check_writable, write_json
from roadmask.system.ranges import between
from roadmask.system.scheduling import use_realtime

_LIMIT_MS = 0.5
_SIZE = (1024, 512)


def _connect(path: str, at_it: Event, end: Event) -> None:
    while not end.is_set():
        if not at_it.wait(0.1):
            continue
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.settimeout(0.05)
        with client, suppress(OSError):
            client.connect(path)


def _read(path: str, end: Event) -> None:
    with Subscriber(path) as subscriber:
        while not end.is_set():
            subscriber.receive(timeout_s=0.1)


def _turn_ms(publisher: Publisher, seconds: float, rate_hz: float) -> list[float]:
    """Times of ``publish`` alone."""
    took, clock = [], threading.Event()  # never set: a sleep
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        publisher.begin().mask[:] = 1
        info = FrameInfo(now_ns(), (1280, 720))
        began = time.perf_counter_ns()
        publisher.publish(info)
        took.append((time.perf_counter_ns() - began) * 1e-6)
        clock.wait(1 / rate_hz)
    return took


def measure(connectors: int, rounds: int, rate_hz: float, realtime: int = 0) -> dict[str, Any]:
    """Both floods in turns; ms of ``publish``."""
    took: dict[str, list[float]] = {"at_the_stream": [], "at_another": []}
    end = multiprocessing.Event()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        publishers = {
            name: stack.enter_context(
                Publisher(Path(folder) / name, mask_size=_SIZE, access=Access(per_user=32))
            )
            for name in took
        }
        at_it = {name: multiprocessing.Event() for name in took}
        workers = [
            multiprocessing.Process(
                target=_connect, args=(str(publishers[name].socket_path), at_it[name], end)
            )
            for name in took
            for _ in range(connectors)
        ]
        stream = publishers["at_the_stream"]
        workers.append(multiprocessing.Process(target=_read, args=(str(stream.socket_path), end)))
        for worker in workers:
            worker.start()
        for publisher in publishers.values():  # threads after the processes: these are forked
            stack.enter_context(Heart(publisher))
        if realtime:
            use_realtime(realtime)
        for _ in range(rounds):
            for name, times in took.items():
                at_it[name].set()
                times.extend(_turn_ms(stream, 1.0, rate_hz)[2:])
                at_it[name].clear()
        end.set()
        for worker in workers:
            worker.join()
    percentiles = {
        name: {f"p{q}": round(float(np.percentile(times, q)), 3) for q in (50, 90, 99)}
        for name, times in took.items()
    }
    elsewhere = percentiles["at_another"]["p99"]
    moved = percentiles["at_the_stream"]["p99"] - elsewhere
    return {
        "connectors": connectors,
        "frames": {name: len(times) for name, times in took.items()},
        "publish_ms": percentiles,
        "p99_moved_ms": round(moved, 3),
        "limit_ms": _LIMIT_MS,
        "verdict": _verdict(moved, elsewhere),
    }


def _verdict(moved_ms: float, elsewhere_ms: float) -> str:
    if moved_ms <= _LIMIT_MS:
        return "held"
    # Without any flood at the stream its p99 is over the limit: that is the machine's scheduler.
    return "missed" if elsewhere_ms <= _LIMIT_MS else "machine too busy to tell"


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 1 if the verdict is "missed"."""
    parser = Parser(prog="python -m benchmarks.stream.flood", description=__doc__)
    parser.add_argument("--connectors", type=between(1, 64), default=8)
    parser.add_argument("--rounds", type=between(1, 10_000), default=20, help="of two seconds each")
    parser.add_argument("--rate", type=between(1.0, 1000.0), default=60.0, help="frames a second")
    parser.add_argument(
        "--realtime",
        type=between(1, 99, "off"),
        default=0,
        metavar="PRIORITY",
        help="SCHED_FIFO, as the daemon has it: without, a busy machine's p99 is its scheduler's",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    options = parser.parse_args(arguments)

    def body() -> int:
        check_writable(options.json)
        result = measure(options.connectors, options.rounds, options.rate, options.realtime)
        if options.json:
            write_json(options.json, result)
        print(result)
        return EXIT_GATE if result["verdict"] == "missed" else EXIT_DONE

    return run_command(body, verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
