"""How fast a model is on this machine: the daemon's stages, operators, threads, energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.compare import compare_latency
from benchmarks.daemon.latency import LatencyPlan, measure_latency
from benchmarks.model.operators import by_type, measure_operators
from benchmarks.model.threads import measure_threads
from convert.judge.history import last_latency
from convert.judge.trial import Bench
from convert.plan import ConversionPlan
from roadmask.system.terminal import quiet


def measure(path: Path, plan: ConversionPlan, title: str, bench: Bench) -> dict[str, Any]:
    """The latency result of a model file, with operators and numbers of threads."""
    timed = LatencyPlan(
        str(path), plan.latency_source, plan.threads, plan.labels, plan.latency_frames
    )
    result = measure_latency(timed, title=f"latency {title}")
    with quiet(not plan.verbose):
        operators = measure_operators(path)
        result["by_threads"] = measure_threads(
            str(path), bench.reference.labels, max(20, plan.latency_frames // 2)
        )
    result["by_operator"] = operators
    result["by_operator_type"] = None if operators is None else by_type(operators)
    return result


def latency_change(history: list[dict[str, Any]], result: dict[str, Any]) -> dict[str, Any] | None:
    """Verdict against the last accepted conversion on this device, None where there is none."""
    before = last_latency(history, result["device"], result["threads"], result["source"])
    return None if before is None else compare_latency(before, result).to_json()
