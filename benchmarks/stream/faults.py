"""How soon readers know: ``python -m benchmarks.stream.faults``, in ms.

The publisher is stopped, and killed; a new one is started. Measured from the signal to the first
``latest`` that gives no mask, and from the new publisher's first publish to the first mask, by a
reader in each language, beside each other.
"""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.results import table
from benchmarks.stream.build import reader_program
from roadmask.errors import DataError
from roadmask.system.clock import now_ns
from roadmask.system.command_line import EXIT_DONE, EXIT_GATE, Parser, entry_point, run_command
from roadmask.system.files import check_writable, write_json
from roadmask.system.hardware import read_device
from roadmask.system.percentiles import percentiles
from roadmask.system.ranges import at_least

LIMITS_MS = {"stopped": 250.0, "killed": 250.0, "recovered": 100.0}
_PATIENCE_NS = 30_000_000_000
_FAULTS = (("killed", signal.SIGKILL), ("stopped", signal.SIGSTOP))
_LANGUAGES = ("python", "cpp")

_PUBLISHER = """
import sys, time
from roadmask.system.clock import now_ns
from roadmask.stream.publish.publisher import FrameInfo, Publisher
with Publisher(sys.argv[1], mask_size=(1024, 512)) as publisher:
    while True:
        publisher.begin().mask[:] = 1
        ready_ns = now_ns()
        publisher.publish(FrameInfo(ready_ns, (1280, 720)))
        if publisher.sequence == 1:
            print(ready_ns, flush=True)
        time.sleep(1 / 30)
"""

# Asks every millisecond, S4's own period would be added; prints each change: "1 NS" or "0 NS".
_WATCHER = """
import sys, time
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
had = False
with Subscriber(sys.argv[1]) as subscriber:
    while True:
        if (has := subscriber.latest() is not None) != had:
            had = has
            print(int(has), now_ns(), flush=True)
        time.sleep(0.001)
"""


def measure_faults(rounds: int, languages: Sequence[str] = _LANGUAGES) -> dict[str, Any]:
    """Times of ``rounds`` of each fault, ms, under ``LANGUAGE_FAULT_ms``.

    Raises:
        ConfigError: the C++ reader cannot be built.
        DataError: a publisher did not start, or a reader never noticed.
    """
    names = [f"{language}_{name}" for name in LIMITS_MS for language in languages]
    found: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "masks.sock"
        watchers = {name: stack.enter_context(_watcher(name, path)) for name in languages}

        def note(what: str, has_mask: bool, since_ns: int) -> None:
            for language, watcher in watchers.items():
                changed_ns = _change(watcher, has_mask, since_ns)
                found[f"{language}_{what}"].append((changed_ns - since_ns) / 1e6)

        for number in range(rounds):
            with _publisher(path) as (running, first_ns):
                note("recovered", True, first_ns)
                # Into the stream, at another moment of the frame period each time.
                time.sleep(0.3 + 0.033 * number / rounds)
                name, fault = _FAULTS[number % 2]
                since_ns = now_ns()
                running.send_signal(fault)
                note(name, False, since_ns)
    return {
        "device": read_device().to_json(),
        "rounds": rounds,
        **{f"{name}_ms": {**percentiles(v), "max": round(max(v), 4)} for name, v in found.items()},
    }


def _change(watcher: subprocess.Popen[bytes], has_mask: bool, since_ns: int) -> int:
    """When the reader first said so, after ``since_ns``."""
    assert watcher.stdout is not None
    deadline = now_ns() + _PATIENCE_NS
    while select.select([watcher.stdout], [], [], max(0, deadline - now_ns()) / 1e9)[0]:
        line = watcher.stdout.readline().split()
        if not line:
            raise DataError("a reader ended")
        if int(line[0]) == has_mask and int(line[1]) >= since_ns:
            return int(line[1])
    raise DataError(f"a reader has seen no change to {'a mask' if has_mask else 'no mask'}")


@contextmanager
def _watcher(language: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _WATCHER]
    if language == "cpp":
        command = [str(reader_program()), "watch"]
    running = subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE, bufsize=0)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


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


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 1 if a median misses its target."""
    parser = Parser(prog="python -m benchmarks.stream.faults", description=__doc__)
    parser.add_argument("--rounds", type=at_least(1), default=20)
    parser.add_argument("--languages", nargs="+", choices=_LANGUAGES, default=_LANGUAGES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    options = parser.parse_args(arguments)

    def body() -> int:
        check_writable(options.json)
        result = measure_faults(max(2, options.rounds), options.languages)
        if options.json:
            write_json(options.json, result)
        limits = {
            f"{language}_{name}_ms": limit
            for name, limit in LIMITS_MS.items()
            for language in options.languages
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
