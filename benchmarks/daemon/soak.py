"""``python -m benchmarks.daemon.soak --hours N``: the daemon at full speed under random faults.

What must not grow is sampled: resident memory of each process, descriptors, threads; and how old
masks are. The slope of the daemon's resident memory is the verdict: at most 1 MiB in 100,000
frames, by least squares over all samples but those of the first two minutes, in which pools and the
flight recorder fill. The network's process is another after each fault that ends it: its slope is
that within their lives, 15 s after each one was first seen.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from roadmask.errors import CaptureError
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.command_line import (
    EXIT_DONE,
    EXIT_GATE,
    Parser,
    entry_point,
    run_command,
    stop_on_signal,
)
from roadmask.system.files import atomic_path, check_writable, write_json
from roadmask.system.hardware import read_device
from roadmask.system.percentiles import percentiles
from roadmask.system.ranges import COUNT, at_least
from roadmask.tools.faults.processes import engines

MOST_MIB = 1.0  # in 100,000 frames
_SOURCE = "synthetic:town?seed=1&width=640&height=360&prerender=64&realtime=0"
_SAMPLE_S, _FAULT_S = 2.0, 15.0
_STUCK_S = 60.0
_SETTLED_S = 120.0  # the flight recorder's minute, and another
_LOADED_S = 15.0  # of a process of the network, on a busy machine


class Sample(NamedTuple):
    """What one look gives; of the daemon, unless another is named."""

    seconds: float
    frames: int
    rss_mib: float
    shared_mib: float
    descriptors: int
    threads: int
    p50_ms: float | None
    p99_ms: float | None
    network: int  # its process; 0 while there is none
    network_mib: float
    reader_mib: float


def soak(
    model: str,
    source: str,
    seconds: float,
    frames: int,
    seed: int,
    say: Callable[[str], object],
    stop: threading.Event,
) -> tuple[list[Sample], dict[str, int]]:
    """Run the daemon so long, for so many frames, or until ``stop``; what was seen, and the faults.

    Raises:
        CaptureError: it ended, or no mask came for a minute.
    """
    draw = random.Random(seed)
    faults: dict[str, int] = {}
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="roadmask-soak-") as folder:
        path = f"{folder}/masks.sock"
        command = [sys.executable, "-m", "roadmask", "run", "--source", source, "--socket", path]
        command += ["--model", model, "--log-level", "error", "--flight", f"{folder}/flight"]
        with subprocess.Popen(command) as process, Subscriber(path, **TAKE_EVERYTHING) as stream:
            begin_s = heard_s = time.monotonic()
            next_sample = next_fault = 0.0
            ages_ms: list[float] = []
            count = 0
            try:
                while (now_s := time.monotonic() - begin_s) < seconds and count < frames:
                    if stop.is_set():
                        break
                    mask = stream.receive(timeout_s=0.1, copy=False)
                    if mask is not None:
                        heard_s, count = time.monotonic(), mask.sequence
                        ages_ms.append(mask.age_ms)
                        next_sample = next_sample or now_s
                        next_fault = next_fault or now_s + _FAULT_S
                    elif process.poll() is not None or time.monotonic() - heard_s > _STUCK_S:
                        raise CaptureError(f"no mask after {count} frames: {stream.reason_text}")
                    if next_sample and now_s >= next_sample:
                        samples.append(_look(process.pid, now_s, count, ages_ms))
                        ages_ms = []
                        next_sample = now_s + _SAMPLE_S
                    if next_fault and now_s >= next_fault:
                        name = draw.choice(sorted(_FAULTS))
                        say(f"{now_s:8.0f} s, frame {count}: {name}")
                        _FAULTS[name](process.pid, path)
                        faults[name] = faults.get(name, 0) + 1
                        next_fault = now_s + draw.uniform(0.5, 1.5) * _FAULT_S
            finally:
                process.terminate()
    return samples, faults


def _look(pid: int, seconds: float, frames: int, ages_ms: list[float]) -> Sample:
    status, ages = _status(pid), percentiles(ages_ms)
    network = [0, *engines(pid)][-1]  # the newest
    return Sample(
        round(seconds, 1),
        frames,
        _mib(status, "VmRSS"),
        _mib(status, "RssShmem"),
        len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208 (a process that may be another's)
        int(status["Threads"]),
        ages["p50"],
        ages["p99"],
        network,
        _mib(_status(network), "VmRSS"),
        _mib(_status(os.getpid()), "VmRSS"),
    )


def _status(pid: int) -> dict[str, str]:
    """Of a process; empty where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.partition(":") for line in lines)
    return {key: value.split()[0] for key, _, value in fields if value.strip()}


def _mib(status: dict[str, str], key: str) -> float:
    return int(status.get(key, 0)) / 1024


def _to_engine(number: int) -> Callable[[int, str], None]:
    def send(pid: int, path: str) -> None:
        for engine in engines(pid):
            os.kill(engine, number)

    return send


def _flood(pid: int, path: str) -> None:
    for _ in range(100):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.setblocking(False)
            peer.connect_ex(path)


def _remove_socket(pid: int, path: str) -> None:
    Path(path).unlink(missing_ok=True)


_FAULTS: dict[str, Callable[[int, str], None]] = {
    "engine killed": _to_engine(signal.SIGKILL),
    "engine hangs": _to_engine(signal.SIGSTOP),
    "flood of readers": _flood,
    "reload": lambda pid, path: os.kill(pid, signal.SIGHUP),
    "socket removed": _remove_socket,
}


def slopes_mib(samples: list[Sample]) -> dict[str, float]:
    """Growth of resident memory in 100,000 frames by process, once pools are full.

    NaN where too little was seen.
    """
    settled = [sample for sample in samples if sample.seconds >= _SETTLED_S]
    first: dict[int, float] = {}
    for sample in samples:
        first.setdefault(sample.network, sample.seconds)
    loaded = [
        sample
        for sample in settled
        if sample.network and sample.seconds >= first[sample.network] + _LOADED_S
    ]
    return {
        "daemon": _slope([(0, sample.frames, sample.rss_mib) for sample in settled]),
        "network": _slope([(s.network, s.frames, s.network_mib) for s in loaded]),
        "reader": _slope([(0, sample.frames, sample.reader_mib) for sample in settled]),
    }


def _slope(points: list[tuple[int, int, float]]) -> float:
    """Least squares of one slope for all lives, each with a level of its own."""
    if len(points) < 3:
        return float("nan")
    lives, frames, mib = (np.array(values, float) for values in zip(*points, strict=True))
    for life in np.unique(lives):
        own = lives == life
        frames[own] -= frames[own].mean()
        mib[own] -= mib[own].mean()
    spread = float(frames @ frames)
    return float(frames @ mib) / spread * 1e5 if spread else float("nan")


def plot(samples: list[Sample], path: Path) -> None:
    """A picture of all that was sampled, over the frames."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = ("rss_mib", "network_mib", "descriptors", "threads", "p50_ms", "p99_ms")
    figure, axes = pyplot.subplots(len(names), sharex=True, figsize=(9, 12))
    for name, part in zip(names, axes, strict=True):
        values = [getattr(sample, name) for sample in samples]
        part.plot([sample.frames for sample in samples], values)
        part.set_ylabel(name)
        part.set_ylim(bottom=0)
    axes[-1].set_xlabel("frames")
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    pyplot.close(figure)


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Exit code 1: the memory grew."""
    parser = Parser(prog="python -m benchmarks.daemon.soak", description=__doc__)
    parser.add_argument("--hours", type=at_least(0.001), default=1.0)
    parser.add_argument("--frames", type=COUNT, default=0, help="stop after so many; 0: hours")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--source", default=_SOURCE)
    parser.add_argument("--seed", type=COUNT, default=1, help="of the faults' order")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="PNG")
    options = parser.parse_args(arguments)
    return run_command(lambda: _run(options), verbose=False)


def _run(options: argparse.Namespace) -> int:
    for path in (options.json, options.plot):
        check_writable(path)
    samples, faults = soak(
        options.model,
        options.source,
        3600 * options.hours,
        options.frames or sys.maxsize,
        options.seed,
        lambda text: print(text, flush=True),
        stop_on_signal(),
    )
    slopes = slopes_mib(samples)
    report: dict[str, Any] = {
        "kind": "soak",
        "device": read_device().to_json(),
        "model": options.model,
        "source": options.source,
        "frames": samples[-1].frames if samples else 0,
        "rss_slope_mib": slopes["daemon"],
        "slopes_mib": slopes,
        "faults": faults,
        "samples": [sample._asdict() for sample in samples],
    }
    if options.json:
        write_json(options.json, report)
    if options.plot and samples:
        plot(samples, options.plot)
    each = ", ".join(f"{name} {slope:+.2f}" for name, slope in slopes.items())
    print(f"{report['frames']} frames, {sum(faults.values())} faults; resident memory in "
          f"100,000 frames, MiB: {each}")  # fmt: skip
    return EXIT_DONE if slopes["daemon"] <= MOST_MIB else EXIT_GATE


if __name__ == "__main__":
    sys.exit(main())
