"""``python -m benchmarks.daemon.losses``: a network that is killed or hangs, told and replaced.

From the signal, in ms: until S4 is told FAULT, INFERENCE_FAILED, and until a good mask of the same
stream. ``over`` is what telling a hang took above a frame's period and the deadline, which is four
times the 99th percentile of the network's own times, 40 ms at least: 50 are allowed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from roadmask.errors import CaptureError
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.command_line import EXIT_DONE, Parser, entry_point, run_command
from roadmask.system.files import check_writable, write_json
from roadmask.system.hardware import read_device
from roadmask.system.percentiles import percentiles
from roadmask.system.ranges import COUNT
from roadmask.tools.faults.processes import engines

_FPS = 30
_SOURCE = f"synthetic:town?seed=1&width=640&height=360&prerender=16&fps={_FPS}"
_USUAL = 330  # masks before each loss, 11 s: later than a crash loop, whose pauses grow
_SPIN = "while True: pass"
_LOST = {"killed": signal.SIGKILL, "hangs": signal.SIGSTOP}


class _Stream:
    """A daemon's stream, with how long the network took lately."""

    def __init__(self, stream: Subscriber, daemon: subprocess.Popen[bytes]) -> None:
        self._stream, self._daemon = stream, daemon
        self.infer_ms: deque[float] = deque(maxlen=100)
        self._restarts = 0  # of engines, before the next loss

    def masks(self, count: int) -> None:
        """Wait until so many good ones have come."""
        for _ in range(count):
            self.until("a mask", self._good)

    def until(self, what: str, holds: Callable[[], bool]) -> float:
        """Seconds until it held."""
        begin_s = time.monotonic()
        while not holds():
            if time.monotonic() - begin_s > 60 or self._daemon.poll() is not None:
                raise CaptureError(f"{what} did not come: {self._stream.reason_text}")
        return time.monotonic() - begin_s

    def _good(self) -> bool:
        mask = self._stream.receive(timeout_s=0.02, copy=False)
        if mask is None or mask.mode > Mode.DEGRADED:
            return False
        self.infer_ms.append(mask.infer_us / 1000)
        return True

    def failed(self) -> bool:
        """The stream says that the network failed."""
        self._stream.receive(timeout_s=0.002, copy=False)
        status = self._stream.status
        if status is None:
            return False
        # A standby may take over before this process gets a core: then it was told before now.
        again = status.engine_restarts > self._restarts
        return again or Reason.INFERENCE_FAILED in status.reasons

    def lose(self, number: int) -> dict[str, float]:
        """Send its network a signal, and see what comes of it; ms."""
        self.masks(_USUAL)
        status = self._stream.status
        self._restarts = status.engine_restarts if status else 0
        deadline_ms = max(40.0, 4 * sorted(self.infer_ms)[-2])
        os.kill(engines(self._daemon.pid)[0], number)  # a standby is younger
        named_ms = 1000 * self.until("INFERENCE_FAILED", self.failed)
        again_ms = named_ms + 1000 * self.until("a good mask", self._good)
        told = {"named": named_ms, "again": again_ms}
        if number != signal.SIGSTOP:
            return told
        over_ms = named_ms - 1000 / _FPS - deadline_ms
        return {**told, "deadline": deadline_ms, "over": over_ms}


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """One daemon, each kind of loss so many times in turn."""
    parser = Parser(prog="python -m benchmarks.daemon.losses", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--rounds", type=COUNT, default=5)
    parser.add_argument("--standby", action="store_true")
    parser.add_argument("--busy", type=COUNT, default=0, help="loops that take the cores meanwhile")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    return run_command(lambda: _run(options), verbose=False)


def _run(options: argparse.Namespace) -> int:
    check_writable(options.json)
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in _LOST}
    with tempfile.TemporaryDirectory(prefix="roadmask-losses-") as folder, ExitStack() as stack:
        path = f"{folder}/masks.sock"
        command = [sys.executable, "-m", "roadmask", "run", "--source", _SOURCE, "--socket", path]
        command += ["--model", options.model, "--log-level", "error"]
        command += ["--standby"] if options.standby else []
        for loop in [command, *[[sys.executable, "-c", _SPIN]] * options.busy]:
            process = stack.enter_context(subprocess.Popen(loop, stderr=subprocess.DEVNULL))
            stack.callback(process.terminate)
            if loop is command:
                daemon = process
        reader = stack.enter_context(Subscriber(path, **TAKE_EVERYTHING))
        stream = _Stream(reader, daemon)
        for _ in range(options.rounds):
            for name, number in _LOST.items():
                seen[name].append(stream.lose(number))
    report: dict[str, Any] = {
        "kind": "losses",
        "device": read_device().to_json(),
        "model": options.model,
        "standby": options.standby,
        "busy": options.busy,
    }
    for name, rounds in seen.items():
        report[name] = {}
        for key in rounds[0] if rounds else ():
            values = [each[key] for each in rounds]
            report[name][key] = {**percentiles(values), "max": max(values)}
            print(f"{name:7}{key:9} ms: p50 {report[name][key]['p50']:.1f}, max {max(values):.1f}")
    if options.json:
        write_json(options.json, report)
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
