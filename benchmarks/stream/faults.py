"""How soon a reader knows: ``python -m benchmarks.stream.faults``, in ms.

The publisher is stopped, and killed; a new one is started. Measured from the signal to the first
``latest`` that gives no mask, and from the new publisher's first publish to the first mask.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.results import check_writable, percentiles, table, write_result
from roadmask.client import Mask, Subscriber
from roadmask.clock import now_ns
from roadmask.command import EXIT_DONE, EXIT_GATE, run_command
from roadmask.device import read_device
from roadmask.errors import DataError

INVALID_LIMIT_MS, RECOVERY_LIMIT_MS = 250.0, 100.0
_PATIENCE_NS = 30_000_000_000
_POLL_S = 0.001  # how often the reader asks; S4's own period would be added
_FAULTS = (("stopped", signal.SIGSTOP), ("killed", signal.SIGKILL))

_PUBLISHER = """
import sys, time
from roadmask.clock import now_ns
from roadmask.publisher import FrameInfo, Publisher
with Publisher(sys.argv[1], mask_size=(1024, 512)) as publisher:
    while True:
        publisher.begin().mask[:] = 1
        ready_ns = now_ns()
        publisher.publish(FrameInfo(ready_ns, (1280, 720)))
        if publisher.sequence == 1:
            print(ready_ns, flush=True)
        time.sleep(1 / 30)
"""


def measure_faults(rounds: int) -> dict[str, Any]:
    """Times of ``rounds`` of each fault, ms.

    Raises:
        DataError: a publisher did not start, or the reader never noticed.
    """
    found: dict[str, list[float]] = {"stopped": [], "killed": [], "recovered": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.sock"
        with Subscriber(path) as subscriber:
            for number in range(rounds):
                with _publisher(path) as (running, first_ns):
                    valid_ns = _wait(subscriber, lambda mask: mask is not None)
                    found["recovered"].append((valid_ns - first_ns) / 1e6)
                    # Into the stream, at another moment of the frame period each time.
                    time.sleep(0.3 + 0.033 * number / rounds)
                    fault = (
                        ("stopped", signal.SIGSTOP) if number % 2 else ("killed", signal.SIGKILL)
                    )
                    since_ns = now_ns()
                    running.send_signal(fault[1])
                    noticed = _wait(subscriber, lambda mask: mask is None)
                    found[fault[0]].append((noticed - since_ns) / 1e6)
    return {
        "device": read_device().to_json(),
        "rounds": rounds,
        **{f"{name}_ms": {**percentiles(v), "max": round(max(v), 3)} for name, v in found.items()},
    }


def _wait(subscriber: Subscriber, condition: Callable[[Mask | None], bool]) -> int:
    """When ``latest`` first met the condition."""
    deadline = now_ns() + _PATIENCE_NS
    while not condition(subscriber.latest()):
        if now_ns() > deadline:
            raise DataError(f"the reader is stuck: {subscriber.reason_text}")
        time.sleep(_POLL_S)
    return now_ns()


@contextmanager
def _publisher(path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    running = subprocess.Popen(
        [sys.executable, "-c", _PUBLISHER, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        first = running.stdout.readline()
        if not first:
            raise DataError("the publisher did not start")
        yield running, int(first)
    finally:
        running.kill()
        running.communicate()


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 1 if a median misses its target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    options = parser.parse_args(arguments)

    def body() -> int:
        check_writable(options.json)
        result = measure_faults(max(2, options.rounds))
        if options.json:
            write_result(options.json, result)
        limits = {
            "stopped_ms": INVALID_LIMIT_MS,
            "killed_ms": INVALID_LIMIT_MS,
            "recovered_ms": RECOVERY_LIMIT_MS,
        }
        rows = [
            [name, *(f"{result[name][p]:.1f}" for p in ("p50", "p95", "max")), f"{limit:.0f}"]
            for name, limit in limits.items()
        ]
        print(table(rows, ["", "p50", "p95", "max", "limit"]))
        missed = any(result[name]["p50"] > limit for name, limit in limits.items())
        return EXIT_GATE if missed else EXIT_DONE

    return run_command(body, verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
