"""Time of every operator that the engine runs, XNNPACK's included, by LiteRT's own profiler.

LiteRT's Python classes do not reach the profiler, its C interface does. That interface may change
from release to release, so a process of its own calls it: where it has changed the answer is that
there is no profile, and never a crash of the measurement.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from roadmask import _native
from roadmask.inference.accelerator import InterpreterRunner
from roadmask.inference.int8_input import int8_input
from roadmask.inference.model_file import read_model

CAST = "uint8 to int8 (roadmask)"  # of the engine, see roadmask.inference.int8_input
_TIMEOUT_S = 120
_Handle = ctypes.c_void_p
_CPU = 1  # kLiteRtHwAcceleratorCpu
_TYPE_BYTES = 1024  # LiteRtRankedTensorType takes about 80
# "  Delegate/Add (ND)   0.000  0.038  0.037  0.7%  29.7%  0.000  20  [Delegate]:3"
_LINE = re.compile(r"^\s*(\S.*?)\s+[\d.]+\s+[\d.]+\s+([\d.]+)\s+([\d.]+)%.*\[(\w+)\]:(\d+)\s*$")


def measure_operators(model: Path, frames: int = 50) -> list[dict[str, Any]] | None:
    """``[{"operator": …, "delegate": …, "ms": …, "share": …}]`` in order of execution.

    XNNPACK fuses and splits operators, so the rows are its own, not the file's. Where the engine
    takes the conversion of a uint8 input out of the network, its own kernel is the first row.

    Returns:
        None where this LiteRT has no profiler that can be reached.
    """
    command = [sys.executable, "-m", "benchmarks.model.operators", str(model), str(frames)]
    root = Path(__file__).parents[2]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, cwd=root, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if run.returncode:
        return None
    try:
        rows: list[dict[str, Any]] = json.loads(run.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return None
    return rows or None


def by_type(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums over the operators of one type, the costliest first."""
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        total = sums.setdefault(row["operator"], {"count": 0, "ms": 0.0, "share": 0.0})
        total["count"] += 1
        total["ms"] += row["ms"]
        total["share"] += row["share"]
    ordered = sorted(sums.items(), key=lambda item: -item[1]["ms"])
    return [
        {"operator": name, **{k: round(v, 4) for k, v in total.items()}} for name, total in ordered
    ]


def parse_summary(text: str) -> list[dict[str, Any]]:
    """The rows of the profiler's table in run order."""
    section = text.split("Top by Computation Time")[0]
    rows = []
    for line in section.splitlines():
        if match := _LINE.match(line):
            name, ms, percent, kind, _ = match.groups()
            rows.append(
                {
                    "operator": name.removeprefix("Delegate/"),
                    "delegate": kind == "Delegate",
                    "ms": float(ms),
                    "share": round(float(percent) / 100, 5),
                }
            )
    return rows


class _Litert:
    """The few functions of LiteRT's C interface that a profiled run takes."""

    def __init__(self) -> None:
        spec = find_spec("ai_edge_litert")
        if spec is None or spec.origin is None:
            raise OSError("ai_edge_litert is not installed")
        self._library = ctypes.CDLL(str(Path(spec.origin).parent / "libLiteRt.so"))
        self._libc = ctypes.CDLL(None)
        self._libc.strdup.restype = ctypes.c_void_p

    def call(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, name)
        function.restype = ctypes.c_int
        if status := function(*arguments):
            raise OSError(f"{name} gave status {status}")

    def make(self, name: str, *arguments: Any) -> _Handle:
        """Call a function whose last parameter receives a handle."""
        handle = _Handle()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle

    def options(self) -> _Handle:
        """CPU, with profiling switched on."""
        options = self.make("LiteRtCreateOptions")
        self.call("LiteRtSetOptionsHardwareAccelerators", options, ctypes.c_int(_CPU))
        payload = _Handle(self._libc.strdup(b"enable_profiling = true\n"))
        free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(("free", self._libc))
        runtime = self.make(
            "LiteRtCreateOpaqueOptions", ctypes.c_char_p(b"runtime_options_string"), payload, free
        )
        self.call("LiteRtAddOpaqueOptions", options, runtime)
        return options

    def profile(self, model: str, frames: int) -> str:
        """The profiler's report over ``frames`` runs."""
        environment = self.make("LiteRtCreateEnvironment", ctypes.c_int(0), None)
        loaded = self.make(
            "LiteRtCreateModelFromFile", environment, ctypes.c_char_p(os.fsencode(model))
        )
        compiled = self.make("LiteRtCreateCompiledModel", environment, loaded, self.options())
        graph = self.make("LiteRtGetModelSubgraph", loaded, ctypes.c_size_t(0))
        one, first = ctypes.c_size_t(1), ctypes.c_size_t(0)
        buffers = []
        for kind in ("Input", "Output"):
            needs = self.make(
                f"LiteRtGetCompiledModel{kind}BufferRequirements", compiled, first, first
            )
            tensor = self.make(f"LiteRtGetSubgraph{kind}", graph, first)
            form = (ctypes.c_uint8 * _TYPE_BYTES)()
            self.call("LiteRtGetRankedTensorType", tensor, form)
            made = self.make(
                "LiteRtCreateManagedTensorBufferFromRequirements", environment, form, needs
            )
            buffers.append((_Handle * 1)(made))
        run = ("LiteRtRunCompiledModel", compiled, first, one, buffers[0], one, buffers[1])
        for _ in range(5):
            self.call(*run)
        profiler = self.make("LiteRtCompiledModelGetProfiler", compiled)
        self.call("LiteRtStartProfiler", profiler)
        for _ in range(frames):
            self.call(*run)
        self.call("LiteRtStopProfiler", profiler)
        text = ctypes.c_char_p()
        self.call("LiteRtGetProfileSummary", profiler, compiled, ctypes.byref(text))
        return (text.value or b"").decode(errors="replace")


def _profile(model: Path, frames: int) -> list[dict[str, Any]]:
    """The rows of the network as the engine loads it, ahead of them what the engine does itself."""
    litert, cast = _Litert(), int8_input(read_model(model))
    if cast is None:
        return parse_summary(litert.profile(str(model), frames))
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(cast)
        file.flush()
        rows = parse_summary(litert.profile(file.name, frames))
    if rows:
        own = {"operator": CAST, "delegate": False, "ms": _cast_ms(cast, frames), "share": 0.0}
        rows.insert(0, own)
        whole = sum(row["ms"] for row in rows)
        rows = [{**row, "share": round(row["ms"] / whole, 5)} for row in rows]
    return rows


def _cast_ms(model: bytes, frames: int) -> float:
    """Mean time of the kernel that fills the int8 input of this network from uint8 pixels."""
    given = InterpreterRunner(Path("model"), model, 1).input
    pixels = np.full(given.shape, 1, np.uint8)
    begin_s = time.perf_counter()
    for _ in range(frames):
        _native.flip_top_bits(pixels, given)
    return round(1e3 * (time.perf_counter() - begin_s) / frames, 4)


if __name__ == "__main__":
    print(json.dumps(_profile(Path(sys.argv[1]), int(sys.argv[2]))))
