"""The bare network on 1 to N threads, in turns, with its energy where there is a meter."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.model.energy import EnergyCounter, find_meter
from roadmask.inference.engine import Engine
from roadmask.labels.label_set import LabelSet
from roadmask.system.percentiles import percentiles, quartile_spread

_ROUNDS = 5


def thread_counts(cpus: int | None = None) -> list[int]:
    """1, 2, 3, 4, then doubling, up to the processors that this process may use."""
    top = cpus or len(os.sched_getaffinity(0))
    return sorted({n for n in (1, 2, 3, 4, 6, 8, 12, 16) if n < top} | {min(top, 16)})


def measure_threads(
    model: str, labels: str | LabelSet | None, frames: int, counts: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """Invoke times for every number of threads; one row each.

    The counts take turns in rounds, so that heat and neighbours hit all alike. Energy is what the
    whole processor or board drew meanwhile, idle included; ``null`` without a readable meter.
    """
    counts = counts or thread_counts()
    engines = {n: Engine(model, n, labels) for n in counts}
    durations: dict[int, list[float]] = {n: [] for n in counts}
    joules: dict[int, list[float]] = {n: [] for n in counts}
    meter = find_meter()
    for engine in engines.values():
        for _ in range(3):
            engine.invoke()
    each = max(4, frames // _ROUNDS)
    for _ in range(_ROUNDS):
        for n, engine in engines.items():
            with EnergyCounter(meter) as counter:
                for _ in range(each):
                    begin_ns = time.perf_counter_ns()
                    engine.invoke()
                    durations[n].append((time.perf_counter_ns() - begin_ns) / 1e6)
            if counter.joules is not None:
                joules[n].append(counter.joules / each)
    return [
        {
            "threads": n,
            "invoke_ms": percentiles(durations[n]),
            "spread_ms": quartile_spread(durations[n]),
            "energy_mj": round(1e3 * float(np.median(joules[n])), 3) if joules[n] else None,
            "meter": meter.name if meter else None,
        }
        for n in counts
    ]
