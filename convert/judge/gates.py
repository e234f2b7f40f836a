"""The gates that a conversion passes or is quarantined by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_POINT = 0.01


@dataclass(frozen=True)
class Gates:
    """Limits; None switches one off.

    Attributes:
        max_miou_drop: mean IoU lost, points, against the float model and against the last
            accepted conversion.
        max_category_drop: IoU lost in any one category, points, against both.
        min_agreement: share of pixels on which both models agree, percent.
        max_latency_ms: p50 of the invoke on this machine.
    """

    max_miou_drop: float = 0.2
    max_category_drop: float = 0.5
    min_agreement: float = 99.0
    max_latency_ms: float | None = None


def missed_accuracy(
    gates: Gates,
    reference: dict[str, Any],
    result: dict[str, Any],
    agreement: float,
    accepted: dict[str, Any] | None = None,
) -> list[str]:
    """One sentence for every gate missed.

    Args:
        gates: the limits.
        reference: accuracy of the float model, as ``ConfusionMatrix.report`` gives it.
        result: the same of the converted model.
        agreement: share of pixels on which they agree, a fraction.
        accepted: accuracy of the last accepted conversion over the same frames.
    """
    missed = _drops(gates, reference, result, "")
    if not 100 * agreement >= gates.min_agreement:
        missed.append(
            f"{100 * agreement:.2f} % of the pixels agree, the gate is {gates.min_agreement:g} %"
        )
    if accepted is not None:
        missed += _drops(gates, accepted, result, " against the last accepted conversion")
    return missed


def missed_latency(gates: Gates, latency: dict[str, Any]) -> list[str]:
    """The sentence for a missed ``max_latency_ms``, if it is."""
    p50, limit = latency["invoke_ms"]["p50"], gates.max_latency_ms
    if limit is None or p50 <= limit:
        return []
    return [f"invoke takes {p50:.2f} ms, the gate is {limit:g} ms"]


def _drops(
    gates: Gates, reference: dict[str, Any], result: dict[str, Any], against: str
) -> list[str]:
    missed = []
    # A mean that does not exist (no frame with truth) must not pass as no drop.
    drop = (_value(reference["miou"]) - _value(result["miou"])) / _POINT
    if not drop <= gates.max_miou_drop:
        missed.append(
            f"mean IoU fell by {drop:.2f} points{against}, the gate is {gates.max_miou_drop:g}"
        )
    for name, before in reference["iou"].items():
        if before is None:  # in no frame, and the float model never claims it
            continue
        drop = (before - _value(result["iou"].get(name))) / _POINT
        if not drop <= gates.max_category_drop:
            missed.append(
                f"{name} fell by {drop:.2f} points{against}, the gate is "
                f"{gates.max_category_drop:g}"
            )
    return missed


def _value(iou: float | None) -> float:
    return float("nan") if iou is None else iou
