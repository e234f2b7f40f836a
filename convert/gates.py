"""The gates that a conversion passes or is quarantined by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_POINT = 0.01


@dataclass(frozen=True)
class Gates:
    """Limits; None switches one off.

    Attributes:
        max_miou_drop: mean IoU lost, points.
        max_category_drop: IoU lost in any one category, points.
        max_latency_ms: p50 of the invoke on this machine.
    """

    max_miou_drop: float = 0.5
    max_category_drop: float = 1.0
    max_latency_ms: float | None = None


def missed_gates(
    gates: Gates, reference: dict[str, Any], result: dict[str, Any], latency: dict[str, Any]
) -> list[str]:
    """One sentence for every gate missed.

    Args:
        gates: the limits.
        reference: accuracy of the float model, as ``ConfusionMatrix.report`` gives it.
        result: the same of the INT8 model.
        latency: the INT8 model's latency result.
    """
    missed = []
    # A mean that does not exist (no frame with truth) must not pass as no drop.
    drop = (_value(reference["miou"]) - _value(result["miou"])) / _POINT
    if not drop <= gates.max_miou_drop:
        missed.append(f"mean IoU fell by {drop:.2f} points, the gate is {gates.max_miou_drop:g}")
    for name, before in reference["iou"].items():
        after = result["iou"][name]
        if before is None:  # in no frame, and the float model never claims it
            continue
        drop = (before - _value(after)) / _POINT
        if not drop <= gates.max_category_drop:
            missed.append(
                f"{name} fell by {drop:.2f} points, the gate is {gates.max_category_drop:g}"
            )
    if gates.max_latency_ms is not None:
        p50 = latency["invoke_ms"]["p50"]
        if not p50 <= gates.max_latency_ms:
            missed.append(f"invoke takes {p50:.2f} ms, the gate is {gates.max_latency_ms:g} ms")
    return missed


def _value(iou: float | None) -> float:
    return float("nan") if iou is None else iou
