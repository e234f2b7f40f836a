"""The daemon flat out and the bare network, turn by turn, on the same clock, heat and neighbours.

The daemon runs on a source without pace until it is stopped (SIGSTOP); while it stands still, this
process invokes an interpreter of its own; then the daemon goes on (SIGCONT).
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.daemon.process import finish, roadmask_run, start, wait_for_first_mask
from roadmask.daemon.stage_times import COLUMNS
from roadmask.errors import ConfigError
from roadmask.inference.engine import Engine
from roadmask.system.clock import now_ns
from roadmask.system.percentiles import percentiles
from roadmask.system.scheduling import pinned

_MIN_ROUNDS = 3
_MIN_S = 4.0  # of daemon in all: many short rounds, since a machine's pace drifts
_WINDOW_S = 0.3  # and 40 invokes at least
_SETTLE = 2  # frames after each start that were under way when the daemon was stopped


@dataclass(frozen=True)
class Rates:
    """Frames per second, a value a round.

    Attributes:
        daemon: masks published, the daemon flat out.
        bare: invokes of the interpreter alone, in the round's second half.
        bare_ms: their durations, of all rounds.
    """

    daemon: list[float]
    bare: list[float]
    bare_ms: list[float]

    def to_json(self) -> dict[str, Any]:
        """Medians over the rounds, so that one disturbed round does not count; and the rounds."""
        # A machine so busy that a round saw no two masks leaves a NaN.
        seen = [(a, b) for a, b in zip(self.daemon, self.bare, strict=True) if not np.isnan(a)]
        return {
            "fps": round(float(np.median([a for a, _ in seen])), 3) if seen else None,
            "bare_invoke_fps": round(float(np.median(self.bare)), 3),
            "bare_invoke_ms": percentiles(self.bare_ms),
            "fps_ratio": round(float(np.median([a / b for a, b in seen])), 4) if seen else None,
            "fps_rounds": [round(v, 2) for v in self.daemon],
            "bare_invoke_fps_rounds": [round(v, 2) for v in self.bare],
        }


def bare_invoke_ns(engine: Engine, count: int = 20) -> int:
    """Median duration of an invoke, after a warm-up."""
    for _ in range(3):
        engine.invoke()
    return round(1e6 * float(np.median([_invoke_ms(engine) for _ in range(count)])))


def bare_invokes_ms(
    engine: Engine, count: int, fps: float, on_invoke: Callable[[], object] = lambda: None
) -> list[float]:
    """Durations of bare invokes that begin at this rate, as the daemon's do when it is paced."""
    durations = []
    due = time.perf_counter()
    for _ in range(count):
        due = max(due + 1 / fps, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
        durations.append(_invoke_ms(engine))
        on_invoke()
    return durations


def measure_rates(
    engine: Engine, arguments: Sequence[str], frames: int, cores: frozenset[int] = frozenset()
) -> Rates:
    """Alternate the daemon and bare invokes until about ``frames`` of each were seen.

    Args:
        engine: the same network in this process.
        arguments: of ``roadmask run``: model, threads and a source without pace.
        frames: how many to measure.
        cores: for the bare invokes; none for all.

    Raises:
        ConfigError: the daemon refused, or the source ended.
    """
    invoke_s = bare_invoke_ns(engine) * 1e-9
    window_s = max(_WINDOW_S, 40 * invoke_s)
    rounds = max(_MIN_ROUNDS, round(max(_MIN_S, frames * invoke_s) / window_s))
    windows: list[tuple[int, int]] = []
    bare: list[float] = []
    bare_ms: list[float] = []
    with tempfile.TemporaryDirectory(prefix="roadmask-") as folder:
        socket, times = Path(folder) / "masks.sock", Path(folder) / "times.npy"
        with start([*roadmask_run(arguments, socket), "--times", str(times)]) as process:
            try:
                wait_for_first_mask(socket, process)
                for _ in range(rounds):
                    process.send_signal(signal.SIGCONT)
                    begin_ns = now_ns()
                    _run_for(process, window_s)
                    process.send_signal(signal.SIGSTOP)
                    windows.append((begin_ns, now_ns()))
                    with pinned(cores):
                        bare.append(_bare_rate(engine, window_s / 2, bare_ms))
                process.send_signal(signal.SIGCONT)
                process.terminate()
                finish(process)
            finally:
                process.kill()
        published = np.load(times)[:, COLUMNS.index("published_ns")]
    return Rates([_rate(published, *window) for window in windows], bare, bare_ms)


def _run_for(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return
    finish(process)
    raise ConfigError("the source ended while the daemon was timed: give a longer one")


def _bare_rate(engine: Engine, seconds: float, durations_ms: list[float]) -> float:
    count, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds or count < 5:
        durations_ms.append(_invoke_ms(engine))
        count += 1
    return count / elapsed


def _invoke_ms(engine: Engine) -> float:
    begin_ns = now_ns()
    engine.invoke()
    return (now_ns() - begin_ns) / 1e6


def _rate(published: npt.NDArray[np.int64], begin_ns: int, end_ns: int) -> float:
    """Masks per second from the first settled mask of the window to its last."""
    inside = published[(published >= begin_ns) & (published <= end_ns)][_SETTLE:]
    if inside.size < 2:
        return float("nan")
    return float((inside.size - 1) / ((inside[-1] - inside[0]) * 1e-9))
