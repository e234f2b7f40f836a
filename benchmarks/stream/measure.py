"""Run publisher and readers of each transport in turn, and compare them case by case."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import table
from benchmarks.stream.build import reader_program, zeromq_library
from benchmarks.stream.transports import TRANSPORTS
from roadmask.errors import DataError
from roadmask.system.hardware import read_device
from roadmask.system.percentiles import percentiles

# Width and height of masks by their size.
_SIZES = {512: (1024, 512), 128: (512, 256)}
_WAIT_S = 60.0


@dataclass(frozen=True)
class StreamPlan:
    """What to measure.

    Attributes:
        subscribers, rates_hz, sizes_kib, languages: every combination is a case.
        seconds: measured per case and round.
        rounds: of every case, the transports in turn; medians are reported.
    """

    subscribers: tuple[int, ...] = (1, 4, 16)
    rates_hz: tuple[int, ...] = (30, 60)
    sizes_kib: tuple[int, ...] = (512, 128)
    languages: tuple[str, ...] = ("python", "cpp")
    seconds: float = 4.0
    rounds: int = 3

    def cases(self) -> Iterator[Case]:
        """Every combination."""
        for size_kib in self.sizes_kib:
            for rate_hz in self.rates_hz:
                for language in self.languages:
                    for subscribers in self.subscribers:
                        frames = max(1, round(self.seconds * rate_hz))
                        yield Case(size_kib, rate_hz, language, subscribers, frames)


@dataclass(frozen=True)
class Case:
    """One combination."""

    size_kib: int
    rate_hz: int
    language: str
    subscribers: int
    frames: int


def measure_stream(plan: StreamPlan) -> dict[str, Any]:
    """Every case of the plan; times in µs, CPU net of a publisher that sends nothing.

    Raises:
        ConfigError: ZeroMQ, or the compiler for the C++ reader, is missing.
        DataError: a process of the measurement died.
    """
    cases = []
    for case in plan.cases():
        null = Case(case.size_kib, case.rate_hz, "python", 0, case.frames)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in TRANSPORTS}
        for _ in range(plan.rounds):
            null_us = _run(null, "null")["publisher_cpu_us"]
            for name in TRANSPORTS:
                run = _run(case, name)
                run["publisher_cpu_us"] -= null_us
                runs[name].append(run)
        result = {name: _summary(found) for name, found in runs.items()}
        cases.append({**vars(case), **result, "ratio": _ratios(result)})
    return {"device": read_device().to_json(), "cases": cases}


def stream_table(result: dict[str, Any]) -> str:
    """One row per case and transport; latency and CPU ratios are roadmask / ZeroMQ."""
    rows = []
    for case in result["cases"]:
        name = "{size_kib} KiB {rate_hz} Hz {language} x{subscribers}".format(**case)
        for transport in TRANSPORTS:
            found = case[transport]
            values = [
                found["publish_us"]["p50"],
                found["latency_us"]["p50"],
                found["latency_us"]["p99"],
                found["publisher_cpu_us"],
                found["reader_cpu_us"],
            ]
            cells = ["-" if value is None else f"{value:.0f}" for value in values]
            rows.append([f"{name} {transport}", *cells, f"{found['received']:.3f}"])
        ratios = [case["ratio"][key] for key in ("latency_p50", "publisher_cpu")]
        rows[-2] += ["-" if value is None else f"{value:.2f}" for value in ratios]
        rows[-1] += ["", ""]
    header = ["case", "publish p50", "latency p50", "p99", "CPU", "reader CPU", "received"]
    return table(rows, [*header, "latency ratio", "CPU ratio"])


def _summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds."""
    middle: dict[str, Any] = {}
    for key in ("publish_us", "latency_us"):
        each = [percentiles(run[key]) for run in runs]
        middle[key] = {p: _median([found[p] for found in each]) for p in each[0]}
    return {
        **middle,
        "publisher_cpu_us": _median([run["publisher_cpu_us"] for run in runs]),
        "reader_cpu_us": _median([run["reader_cpu_us"] for run in runs]),
        "received": _median([run["received"] for run in runs]),
    }


def _ratios(result: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """roadmask's value by ZeroMQ's; None where one of them measured nothing."""
    ours, theirs = (result[name] for name in TRANSPORTS)

    def ratio(mine: float | None, other: float | None) -> float | None:
        return None if mine is None or not other else round(mine / other, 4)

    return {
        "latency_p50": ratio(ours["latency_us"]["p50"], theirs["latency_us"]["p50"]),
        "publisher_cpu": ratio(ours["publisher_cpu_us"], theirs["publisher_cpu_us"]),
        "publish_p50": ratio(ours["publish_us"]["p50"], theirs["publish_us"]["p50"]),
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 3) if known else None


def _run(case: Case, transport: str) -> dict[str, Any]:
    """One round of one case."""
    width, height = _SIZES[case.size_kib]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = str(Path(folder) / "s")
        numbers = map(str, (width, height, case.rate_hz, case.frames))
        publisher = stack.enter_context(_process(_ends("publish", transport, path, *numbers)))
        _line(publisher)
        command = _reader(case.language, transport, path)
        readers = [stack.enter_context(_process(command)) for _ in range(case.subscribers)]
        for reader in readers:
            _line(reader)
        assert publisher.stdin is not None
        publisher.stdin.write("go\n")
        publisher.stdin.flush()
        sent = json.loads(_line(publisher))
        read = [json.loads(_line(reader)) for reader in readers]
    latencies = [value for found in read for value in found["latency_us"]]
    return {
        "publish_us": sent["publish_us"],
        "publisher_cpu_us": sent["cpu_us"],
        "latency_us": latencies,
        "reader_cpu_us": statistics.mean(found["cpu_us"] for found in read) if read else None,
        "received": len(latencies) / (case.frames * max(case.subscribers, 1)),
    }


def _ends(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.stream.ends", *arguments]


def _reader(language: str, transport: str, path: str) -> list[str]:
    if language == "python":
        return _ends("read", transport, path)
    return [str(reader_program()), transport, path, str(zeromq_library())]


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        for pipe in (running.stdin, running.stdout):
            if pipe is not None:
                pipe.close()


def _line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    line = running.stdout.readline()
    if not line:
        raise DataError(f"a process of the measurement ended: {running.args!r}")
    return line
