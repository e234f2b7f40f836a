"""The gates that a conversion passes or is quarantined by."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from roadmask.system.ranges import between
from roadmask.system.settings import check, setting

_POINT = 0.01
_PER_CENT = between(0.0, 100.0)
_RUN_DROP = 2.0  # points: a training run resizes and scores on its own


@dataclass(frozen=True)
class Gates:
    """Limits; None switches one off.

    Attributes:
        max_miou_drop: mean IoU lost, points, against the float model and against the last
            accepted conversion.
        max_category_drop: IoU lost in any one category, points, against both.
        min_agreement: share of pixels on which both models agree, percent.
        min_miou: mean IoU of the float model, points.
        max_latency_ms: p50 of the invoke on this machine.
    """

    max_miou_drop: float = setting(
        0.2, "mean IoU that may be lost", unit="points", within=_PER_CENT, metavar="X"
    )
    max_category_drop: float = setting(
        0.5, "the same in any one category", unit="points", within=_PER_CENT, metavar="X"
    )
    min_agreement: float = setting(
        99.0, "pixels that agree with the float model", unit="%", within=_PER_CENT, metavar="X"
    )
    max_latency_ms: float | None = setting(
        None, "p50 of the invoke here", unit="ms", within=between(0.001, 60_000.0), metavar="X"
    )
    min_miou: float = setting(
        25.0,
        "mean IoU of the float model; no gate on the town",
        unit="points",
        within=_PER_CENT,
        metavar="X",
    )

    def __post_init__(self) -> None:
        check(self)


class Miss(NamedTuple):
    """A gate that is missed.

    Attributes:
        figure: which, the same for every model that is judged.
        over: how far beyond its limit, points; infinity where there is no number.
        sentence: for the report.
    """

    figure: str
    over: float
    sentence: str


def misses_least(before: Collection[Miss], after: Collection[Miss]) -> bool:
    """Whether a model is better than one before by the gates' own figures.

    It misses no gate by more, and one by less.
    """
    was, now = ({miss.figure: miss.over for miss in misses} for misses in (before, after))
    worse = any(over > was.get(figure, 0.0) for figure, over in now.items())
    return not worse and any(now.get(figure, 0.0) < over for figure, over in was.items())


def accuracy_misses(
    gates: Gates,
    reference: dict[str, Any],
    result: dict[str, Any],
    agreement: float,
    accepted: dict[str, Any] | None = None,
    absent: Collection[str] = (),
) -> list[Miss]:
    """Every relative gate missed.

    Args:
        gates: the limits.
        reference: accuracy of the float model, as ``ConfusionMatrix.report`` gives it.
        result: the same of the converted model.
        agreement: share of pixels on which they agree, a fraction.
        accepted: accuracy of the last accepted conversion over the same frames.
        absent: categories of which these frames have no pixel: nothing that a model says of them
            counts, for or against it.
    """
    reference, result = (_without(r, absent) for r in (reference, result))
    missed = _drops(gates, reference, result, "")
    if not 100 * agreement >= gates.min_agreement:
        sentence = (
            f"{100 * agreement:.2f} % of the pixels agree, the gate is {gates.min_agreement:g} %"
        )
        missed.append(_miss("agreement", gates.min_agreement - 100 * agreement, sentence))
    if accepted is not None:
        before = _without(accepted, absent)
        missed += _drops(gates, before, result, " against the last accepted conversion")
    return missed


def missed_floor(gates: Gates, reference: dict[str, Any], trained: float | None) -> list[str]:
    """One sentence for every gate that the float model itself misses.

    Args:
        gates: the limits.
        reference: accuracy of the float model.
        trained: mean IoU that its training run had on these frames, a fraction.
    """
    miou, missed = _value(reference["miou"]) / _POINT, []
    hint = "tell its pixels with --input-range and --channels, or its classes with --labels"
    if not miou >= gates.min_miou:
        missed.append(
            f"the float model has {miou:.1f} points of mean IoU, the gate is {gates.min_miou:g}: "
            f"{hint}"
        )
    if trained is not None and not trained / _POINT - miou <= _RUN_DROP:
        missed.append(
            f"the float model has {miou:.1f} points of mean IoU on frames where its training run "
            f"had {trained / _POINT:.1f}: {hint}"
        )
    return missed


def _without(report: dict[str, Any], absent: Collection[str]) -> dict[str, Any]:
    if not absent:
        return report
    iou = {name: value for name, value in report["iou"].items() if name not in absent}
    known = [value for value in iou.values() if value is not None]
    return report | {"iou": iou, "miou": sum(known) / len(known) if known else None}


def missed_latency(gates: Gates, latency: dict[str, Any]) -> list[str]:
    """The sentence for a missed ``max_latency_ms``, if it is."""
    p50, limit = latency["invoke_ms"]["p50"], gates.max_latency_ms
    if limit is None or p50 <= limit:
        return []
    return [f"invoke takes {p50:.2f} ms, the gate is {limit:g} ms"]


def _drops(
    gates: Gates, reference: dict[str, Any], result: dict[str, Any], against: str
) -> list[Miss]:
    missed = []
    # A mean that does not exist (no frame with truth) must not pass as no drop.
    drop = (_value(reference["miou"]) - _value(result["miou"])) / _POINT
    if not drop <= gates.max_miou_drop:
        sentence = (
            f"mean IoU fell by {drop:.2f} points{against}, the gate is {gates.max_miou_drop:g}"
        )
        missed.append(_miss(f"mean IoU{against}", drop - gates.max_miou_drop, sentence))
    for name, before in reference["iou"].items():
        if before is None:  # in no frame, and the float model never claims it
            continue
        drop = (before - _value(result["iou"].get(name))) / _POINT
        if not drop <= gates.max_category_drop:
            sentence = (
                f"{name} fell by {drop:.2f} points{against}, the gate is "
                f"{gates.max_category_drop:g}"
            )
            missed.append(_miss(f"{name}{against}", drop - gates.max_category_drop, sentence))
    return missed


def _miss(figure: str, over: float, sentence: str) -> Miss:
    return Miss(figure, math.inf if math.isnan(over) else over, sentence)


def _value(iou: float | None) -> float:
    return float("nan") if iou is None else iou
