"""Latency through the real daemon, in two phases: paced, and saturated beside bare invokes.

Before them the daemon runs alone for its start-up time and memory, on one picture from a file, so
that neither the rendering of the town nor its frames count.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.daemon.process import DaemonRun, run_daemon
from benchmarks.daemon.saturated import bare_invokes_ms, measure_rates
from benchmarks.results import number, table
from roadmask.daemon.stage_times import COLUMNS
from roadmask.errors import ConfigError
from roadmask.imaging.encoding import encode_picture
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.sources.uri import parse_uri
from roadmask.system.hardware import read_device
from roadmask.system.percentiles import percentiles
from roadmask.system.progress import part
from roadmask.system.ranges import at_least
from roadmask.system.scheduling import parse_cores, pinned
from roadmask.system.settings import check, setting

DEFAULT_SOURCE = "synthetic:town?seed=1&prerender=64"
BLOCK = 20  # frames: medians of blocks show the spread
WARM_UP = 10  # frames that are not measured
_STARTUP_FRAMES = 20
_PACEABLE = ("synthetic", "path")  # sources that take fps and realtime
_COLUMN = {name: i for i, name in enumerate(COLUMNS)}
# Stage → its two stamps. Between ready and taken a frame waits for the network.
STAGES = {
    "capture": ("capture_ns", "available_ns"),
    "preprocess": ("available_ns", "ready_ns"),
    "infer": ("taken_ns", "inferred_ns"),
    "postprocess": ("inferred_ns", "postprocessed_ns"),
    "publish": ("postprocessed_ns", "published_ns"),
}


@dataclass(frozen=True)
class LatencyPlan:
    """What to measure.

    Attributes:
        model: path or stem.
        source: URI of the frames.
        threads: of the interpreter.
        labels: label set of a model that names none.
        frames: measured in each phase, warm-up not counted.
        accelerator: where the network runs, in the daemon and bare.
        cores: that the network keeps to, in the daemon and bare, such as 2 or 0,2-3; "" = any.
        read_as: how to read a model that does not say.
    """

    model: str
    source: str = DEFAULT_SOURCE
    threads: int = 1
    labels: str = ""
    frames: int = setting(300, "in each phase", within=at_least(BLOCK))
    accelerator: Accelerator = Accelerator()  # noqa: RUF009 (frozen)
    cores: str = ""
    read_as: ReadAs = AS_IT_SAYS

    def __post_init__(self) -> None:
        check(self)


def measure_latency(
    plan: LatencyPlan, *, title: str = "latency", progress: bool = True
) -> dict[str, Any]:
    """Run all phases and give the JSON object of ``python -m benchmarks latency``.

    Raises:
        RoadmaskError: the model or the source cannot be used.
    """
    # Refuses before anything runs.
    cores = parse_cores(plan.cores)
    with pinned(cores):
        engine = Engine(
            plan.model, plan.threads, plan.labels or None, plan.accelerator, plan.read_as
        )
    before = read_device()
    total = _STARTUP_FRAMES + 2 * (plan.frames + WARM_UP) + plan.frames
    with part(title, total, show=progress) as bar:
        alone = _run_alone(plan, bar.update)
        flat_out = [*_arguments(plan), "--source", _unpaced(plan.source)]
        rates = measure_rates(engine, flat_out, plan.frames, cores)
        bar.update(plan.frames)
        # A frame every two invokes, at the pace at which the machine really invokes now.
        fps = min(1000.0, float(np.median(rates.bare)) / 2)
        paced = run_daemon(
            [*_arguments(plan), "--source", _paced(plan.source, fps)],
            plan.frames + WARM_UP,
            bar.update,
        )
        with pinned(cores):
            bare = bare_invokes_ms(engine, plan.frames + WARM_UP, fps, bar.update)[WARM_UP:]
        bar.update(total - bar.done)
    rows = paced.rows[WARM_UP:]
    if len(rows) < BLOCK:
        raise ConfigError(
            f"source {plan.source} gave {len(paced.rows)} frames: expected {BLOCK + WARM_UP} or "
            "more; give a longer one"
        )
    return {
        "kind": "latency",
        **_paced_result(rows),
        **_outside_result(paced),
        **rates.to_json(),
        "bare_invoke_paced_ms": percentiles(bare),
        "paced_fps": round(fps, 3),
        "frames": len(rows),
        "startup_ms": round(
            (int(alone.rows[0, _COLUMN["published_ns"]]) - alone.started_ns) / 1e6, 1
        ),
        "rss_mib": alone.rss_mib,
        "threads": plan.threads,
        "cores": plan.cores,
        "device": before.name,
        "device_before": before.to_json(),
        "device_after": read_device().to_json(),
        "source": plan.source,
        "model": engine.name,
        "model_digest": engine.digest,
        "model_bytes": engine.path.stat().st_size,
        "input_size": list(engine.input_size),
        "runtime": engine.runtime,
        # Results of another class are of another machine: see docs/daemon.md.
        "latency_class": engine.placement.latency_class,
        "placement": asdict(engine.placement),
    }


def _arguments(plan: LatencyPlan) -> list[str]:
    arguments = ["--model", plan.model, "--threads", str(plan.threads)]
    arguments += ["--labels", plan.labels] if plan.labels else []
    arguments += plan.read_as.arguments
    arguments += ["--cores", plan.cores] if plan.cores else []
    accelerator = plan.accelerator
    arguments += ["--delegate", accelerator.delegate] if accelerator.delegate else []
    for option in accelerator.options:
        arguments += ["--delegate-option", option]
    arguments += ["--gpu"] if accelerator.gpu else []
    return arguments + (["--delegate-required"] if accelerator.required else [])


def _run_alone(plan: LatencyPlan, on_frame: Callable[[], object]) -> DaemonRun:
    with tempfile.TemporaryDirectory(prefix="roadmask-") as folder:
        source = plan.source
        if parse_uri(source).scheme == "synthetic":
            # Neutral grey noise: start-up does not depend on what the picture shows.
            picture = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
            path = Path(folder) / "frame.bmp"
            path.write_bytes(encode_picture(".bmp", picture))
            source = f"{path}?loop=1"
        return run_daemon([*_arguments(plan), "--source", source], _STARTUP_FRAMES, on_frame)


def _with(source: str, **options: str) -> str:
    """The URI with options added, those that it already has kept."""
    parts = parse_uri(source)
    if parts.scheme not in _PACEABLE or parts.target.startswith("/dev/"):
        return source
    if parts.scheme == "synthetic":
        options.pop("loop", None)  # the town has no end
    extra = "&".join(f"{k}={v}" for k, v in options.items() if k not in parts.options.values)
    if not extra:
        return source
    return f"{source}{'&' if parts.options.values else '?'}{extra}"


def _paced(source: str, fps: float) -> str:
    return _with(source, fps=f"{fps:.3f}", loop="1")


def _unpaced(source: str) -> str:
    return _with(source, realtime="0", loop="1")


def _between(rows: npt.NDArray[np.int64], first: str, last: str) -> npt.NDArray[np.float64]:
    return (rows[:, _COLUMN[last]] - rows[:, _COLUMN[first]]) / 1e6


def _paced_result(rows: npt.NDArray[np.int64]) -> dict[str, Any]:
    invoke_ms = _between(rows, *STAGES["infer"])
    frame_to_mask_ms = _between(rows, "available_ns", "published_ns")
    blocks = [float(np.median(b)) for b in np.array_split(invoke_ms, max(1, len(rows) // BLOCK))]
    ratio = float(np.median(frame_to_mask_ms) / np.median(invoke_ms))
    return {
        "invoke_ms": percentiles(invoke_ms),
        "invoke_blocks_ms": [round(b, 4) for b in blocks],
        "stages_ms": {
            name: percentiles(_between(rows, *stamps)) for name, stamps in STAGES.items()
        },
        "handover_ms": percentiles(_between(rows, "ready_ns", "taken_ns")),
        "frame_to_mask_ms": percentiles(frame_to_mask_ms),
        "overhead_ms": percentiles(frame_to_mask_ms - invoke_ms),
        "overhead_ratio": round(ratio, 4),
    }


def _outside_result(run: DaemonRun) -> dict[str, Any]:
    """The same from the stamps of a subscriber in another process: a check, not the measure."""
    seen = run.outside
    age_ms = (seen.received_ns - seen.capture_ns)[WARM_UP:] / 1e6
    wake_ms = (seen.received_ns - seen.publish_ns)[WARM_UP:] / 1e6
    infer_ms = seen.infer_ns[WARM_UP:] / 1e6
    ratio = float(np.median(age_ms) / np.median(infer_ms)) if age_ms.size else None
    return {
        "subscriber_frame_to_mask_ms": percentiles(age_ms),
        "subscriber_wake_ms": percentiles(wake_ms),
        "subscriber_overhead_ms": percentiles(age_ms - infer_ms),
        "subscriber_overhead_ratio": None if ratio is None else round(ratio, 4),
    }


def latency_table(result: dict[str, Any]) -> str:
    """The result for people."""
    rows = [("invoke", *_three(result["invoke_ms"]))]
    rows += [(f"  {name}", *_three(v)) for name, v in result["stages_ms"].items()]
    rows += [
        ("frame to mask", *_three(result["frame_to_mask_ms"])),
        ("overhead", *_three(result["overhead_ms"])),
        ("seen by a subscriber", *_three(result["subscriber_frame_to_mask_ms"])),
        ("  overhead", *_three(result["subscriber_overhead_ms"])),
    ]
    outside = number(result["subscriber_overhead_ratio"], 3)
    lines = [
        table(rows, ("ms", "p50", "p95", "p99")),
        f"bare invoke at the same pace {_beside(result['bare_invoke_paced_ms'])}, "
        f"without {_beside(result['bare_invoke_ms'])}",
        f"{number(result['fps'], 1)} fps, bare invoke {result['bare_invoke_fps']:.1f} fps; "
        f"overhead ratio {result['overhead_ratio']:.3f} (seen from outside {outside})",
        f"start-up {result['startup_ms']:.0f} ms, memory {number(result['rss_mib'], 0)} MiB, "
        f"{result['threads']} thread(s), cores {result['cores'] or 'any'}, {result['device']}, "
        f"{result['latency_class']}",
    ]
    return "\n".join(lines)


def _beside(values: dict[str, float | None]) -> str:
    return f"{number(values['p50'], 3)} ms (p99 {number(values['p99'], 3)})"


def _three(values: dict[str, float | None]) -> tuple[str, ...]:
    return tuple(number(v, 3) for v in values.values())
