"""Compare two results of the same kind, with a verdict that knows the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paired import paired_interval
from benchmarks.results import number, points, read_result, table
from roadmask.errors import DataError
from roadmask.system.percentiles import interval_95

_POINT = 0.01
# Differences below are no difference, whatever the spread says.
_SAME_POINTS = 0.05
_SAME_SHARE = 0.02
_REPLICATES = 2000


@dataclass(frozen=True)
class Comparison:
    """What came out.

    Attributes:
        verdict: ``better``, ``worse`` or ``same``, of the second result.
        reason: one sentence.
        text: the table.
    """

    verdict: str
    reason: str
    text: str

    def to_json(self) -> dict[str, str]:
        """Verdict and reason."""
        return {"kind": "compare", "verdict": self.verdict, "reason": self.reason}


def compare_files(first: Path, second: Path) -> Comparison:
    """Compare two files that ``--json`` wrote.

    Raises:
        DataError: unreadable, or of different kinds or data.
    """
    a, b = read_result(first), read_result(second)
    kinds = {
        "accuracy": compare_accuracy,
        "latency": compare_latency,
        "conversion": compare_conversions,
    }
    if a.get("kind") != b.get("kind") or a.get("kind") not in kinds:
        raise DataError(
            f"{first} holds {a.get('kind')!r} and {second} {b.get('kind')!r}: give two results of "
            f"one kind ({', '.join(kinds)})"
        )
    try:
        return kinds[a["kind"]](a, b)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{first} or {second} lacks the key {error}: write both with this version"
        ) from error


def comparison_page(first: Path, second: Path, comparison: Comparison) -> str:
    """Where two accuracies differ, as HTML.

    Raises:
        DataError: of another kind, or written by a version that kept no frames.
    """
    from benchmarks.report.page import difference_page

    a, b = read_result(first), read_result(second)
    if not (a.get("frames") and b.get("frames")):
        raise DataError(
            f"--html: {first} or {second} holds no frames, expected two that this version's "
            "`python -m benchmarks accuracy` wrote"
        )
    return difference_page(a, b, comparison.verdict, comparison.reason)


def compare_accuracy(a: dict[str, Any], b: dict[str, Any]) -> Comparison:
    """Points of IoU; the spread is the bootstrap interval where both results have one."""
    if (a["dataset"], a["split"], a["images"]) != (b["dataset"], b["split"], b["images"]):
        raise DataError(
            f"the results are of different frames: {a['images']} of {a['dataset']}/{a['split']} "
            f"and {b['images']} of {b['dataset']}/{b['split']}"
        )
    names = [*a["iou"], "mean IoU", "mean Dice", "pixel accuracy"]
    pairs = [(a["iou"][n], b["iou"][n]) for n in a["iou"]]
    pairs += [(a[key], b[key]) for key in ("miou", "dice", "pixel_accuracy")]
    rows = [
        (name, points(x), points(y), _signed(x, y, 100))
        for name, (x, y) in zip(names, pairs, strict=True)
    ]
    verdict, reason = _accuracy_verdict(a, b)
    return Comparison(verdict, reason, table(rows, ("points", "A", "B", "B - A")))


def _accuracy_verdict(a: dict[str, Any], b: dict[str, Any]) -> tuple[str, str]:
    difference = (b["miou"] - a["miou"]) / _POINT
    said = f"mean IoU {difference:+.2f} points"
    if interval := paired_interval(a, b):
        low, high = (end / _POINT for end in interval)
        verdict = "same" if low <= 0 <= high else _verdict(difference, _SAME_POINTS)
        return verdict, f"{said}, 95 % {low:+.2f} to {high:+.2f} over the same {a['images']} frames"
    noise = max(_SAME_POINTS, _half_width(a), _half_width(b))
    verdict = _verdict(difference, noise)
    if noise == _SAME_POINTS and not (a.get("miou_interval") or b.get("miou_interval")):
        # Without an interval nothing says how much of it is chance.
        return verdict, f"{said}; chance unknown: neither result has an interval"
    return verdict, f"{said}, noise {noise:.2f}"


def compare_latency(a: dict[str, Any], b: dict[str, Any]) -> Comparison:
    """Milliseconds; the noise is a 95 % bootstrap interval over the runs' blocks.

    A run's blocks see what disturbs it while it lasts, not what differs between two days: only
    results of one machine, one after the other, are worth a verdict.
    """
    keys = {
        "invoke": ("invoke_ms",),
        **{f"  {s}": ("stages_ms", s) for s in a["stages_ms"]},
        "frame to mask": ("frame_to_mask_ms",),
        "overhead": ("overhead_ms",),
    }
    rows = []
    for name, path in keys.items():
        x, y = _at(a, path)["p50"], _at(b, path)["p50"]
        rows.append((name, number(x, 3), number(y, 3), _signed(x, y, 1, 3)))
    rows += [
        (name, number(a[key], 1), number(b[key], 1), _signed(a[key], b[key], 1, 1))
        for name, key in (("fps", "fps"), ("memory, MiB", "rss_mib"), ("start-up", "startup_ms"))
    ]
    x, y = a["invoke_ms"]["p50"], b["invoke_ms"]["p50"]
    share = (y - x) / x
    low, high = _block_interval(a["invoke_blocks_ms"], b["invoke_blocks_ms"])
    verdict = "same" if low <= 0 <= high else _verdict(-share, _SAME_SHARE)
    reason = f"invoke {100 * share:+.1f} %, noise {100 * low:+.1f} to {100 * high:+.1f} %"
    if a["device"] != b["device"] or a["threads"] != b["threads"]:
        reason += f"; on {a['device']} x{a['threads']} and {b['device']} x{b['threads']}"
    return Comparison(verdict, reason, table(rows, ("p50, ms", "A", "B", "B - A")))


def compare_conversions(a: dict[str, Any], b: dict[str, Any]) -> Comparison:
    """The converted models of two reports: accuracy and latency; the worse verdict holds."""
    parts = []
    for key, compare in (("accuracy", compare_accuracy), ("latency", compare_latency)):
        if a[key] is None or b[key] is None:  # not timed: --no-latency, or rejected before
            continue
        parts.append(compare(_converted(a, key), _converted(b, key)))
    verdicts = {part.verdict for part in parts}
    verdict = next((v for v in ("worse", "better") if v in verdicts), "same")
    return Comparison(
        verdict, "; ".join(p.reason for p in parts), "\n\n".join(p.text for p in parts)
    )


def _converted(report: dict[str, Any], key: str) -> dict[str, Any]:
    interval = report["certificate"]["intervals"]["int8_miou"]
    return {**report[key][report["mode"]], "miou_interval": interval}


def _block_interval(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Where the relative change of the median block lies, were the runs repeated as they were."""
    rng = np.random.default_rng(0)
    medians = []
    for blocks in (first, second):
        values = np.asarray(blocks, np.float64)
        medians.append(np.median(rng.choice(values, (_REPLICATES, values.size)), axis=1))
    change = (medians[1] - medians[0]) / medians[0]
    return interval_95(change)


def _verdict(difference: float, noise: float) -> str:
    if abs(difference) <= noise:
        return "same"
    return "better" if difference > 0 else "worse"


def _half_width(result: dict[str, Any]) -> float:
    """Half of the 95 % interval of the mean IoU, points; 0 where it was not computed."""
    interval = result.get("miou_interval")
    return 0.0 if not interval else (interval[1] - interval[0]) / 2 / _POINT


def _at(result: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    value: Any = result
    for key in path:
        value = value[key]
    return dict(value)


def _signed(x: float | None, y: float | None, scale: float, digits: int = 2) -> str:
    return "-" if x is None or y is None else f"{scale * (y - x):+.{digits}f}"
