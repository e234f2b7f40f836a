"""Start the real daemon as a child process, watch it as a subscriber, collect its stage times."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

_FIRST_MASK_S = 600.0  # a large model on a small, busy board, with its source to render
_NEXT_MASK_S = 60.0
_END_S = 120.0
_MAX_AGE_MS = 60_000  # by default a mask that took 250 ms is STALE: no subscriber would get it


@dataclass(frozen=True)
class Outside:
    """What a subscriber in another process saw, ns: a row a mask.

    Attributes:
        received_ns: the mask was copied and checked.
        capture_ns, publish_ns: the header's times.
        infer_ns: the header's invoke time.
    """

    received_ns: npt.NDArray[np.int64]
    capture_ns: npt.NDArray[np.int64]
    publish_ns: npt.NDArray[np.int64]
    infer_ns: npt.NDArray[np.int64]


@dataclass(frozen=True)
class DaemonRun:
    """One run of ``roadmask run``.

    Attributes:
        started_ns: just before the process was started.
        rows: ``(frames, stamps) int64``, see ``roadmask.daemon.stage_times.COLUMNS``.
        outside: the subscriber's view.
        rss_mib: memory of the daemon and its processes near its end, shared pages once (PSS).
    """

    started_ns: int
    rows: npt.NDArray[np.int64]
    outside: Outside
    rss_mib: float | None


def run_daemon(
    arguments: Sequence[str], frames: int, on_frame: Callable[[], object] = lambda: None
) -> DaemonRun:
    """Run ``roadmask run`` with these arguments for ``frames`` masks.

    Raises:
        ConfigError: the daemon refused; the message is its own.
    """
    with tempfile.TemporaryDirectory(prefix="roadmask-") as folder:
        socket, times = Path(folder) / "masks.sock", Path(folder) / "times.npy"
        command = roadmask_run(arguments, socket)
        command += ["--frames", str(frames), "--times", str(times)]
        started_ns = now_ns()
        with start(command) as process:
            try:
                outside, rss_mib = _watch(socket, frames, process, on_frame)
                finish(process)
            finally:
                process.kill()
        return DaemonRun(started_ns, np.load(times), outside, rss_mib)


def roadmask_run(arguments: Sequence[str], socket: Path) -> list[str]:
    """The command of a daemon that publishes at ``socket``, and what a slow network gives too."""
    command = [sys.executable, "-m", "roadmask", "run", *arguments, "--socket", str(socket)]
    command += ["--log-level", "warning"]
    return [*command, "--max-age-ms", str(_MAX_AGE_MS)]


def wait_for_first_mask(
    socket: Path, process: subprocess.Popen[str], limit_s: float = _FIRST_MASK_S
) -> None:
    """Return when the daemon has published.

    Raises:
        ConfigError: it ended, or never did.
    """
    deadline_ns = now_ns() + int(limit_s * 1e9)
    with Subscriber(socket, max_age_ms=_MAX_AGE_MS, **TAKE_EVERYTHING) as subscriber:
        while subscriber.receive(timeout_s=0.1) is None:
            if process.poll() is not None:
                finish(process)
                raise ConfigError("the daemon ended before its first mask")
            if now_ns() > deadline_ns:
                raise ConfigError(f"the daemon gave no mask in {limit_s:g} s")


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a child that can import this repository's packages."""
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(p for p in places if p),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for the child's end and pass its complaint on.

    Raises:
        ConfigError: it ended with an error, or not at all.
    """
    try:
        _, errors = process.communicate(timeout=_END_S)
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"the daemon did not end within {_END_S:.0f} s") from error
    if process.returncode:
        lines = [line for line in errors.splitlines() if line.startswith("roadmask: ")]
        reason = lines[-1].removeprefix("roadmask: ") if lines else errors.strip()[-300:]
        raise ConfigError(reason or f"the daemon ended with exit code {process.returncode}")


def _watch(
    socket: Path, frames: int, process: subprocess.Popen[str], on_frame: Callable[[], object]
) -> tuple[Outside, float | None]:
    rows: list[tuple[int, int, int, int]] = []
    rss_mib = None
    limit_s, heard_ns = _FIRST_MASK_S, now_ns()
    with Subscriber(socket, max_age_ms=_MAX_AGE_MS, **TAKE_EVERYTHING) as subscriber:
        while process.poll() is None:
            mask = subscriber.receive(timeout_s=0.1)
            received_ns = now_ns()
            if mask is None:
                if received_ns - heard_ns > limit_s * 1e9:
                    why = subscriber.reason_text
                    raise ConfigError(f"the daemon gave no mask for {limit_s:.0f} s: {why}")
                continue
            limit_s, heard_ns = _NEXT_MASK_S, received_ns
            rows.append(
                (
                    received_ns,
                    mask.capture_timestamp_ns,
                    mask.publish_timestamp_ns,
                    mask.infer_us * 1000,
                )
            )
            if mask.sequence >= frames - 3 and rss_mib is None:
                rss_mib = _memory_mib(process.pid)
            on_frame()
            if mask.sequence >= frames:
                break
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Outside(*table.T), rss_mib


def _memory_mib(pid: int) -> float | None:
    """Of the daemon and the processes that it started, pages that they share counted once."""
    total_kib = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for number in (str(pid), *children):
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            total_kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except OSError:
        return None
    return round(total_kib / 1024, 1)
