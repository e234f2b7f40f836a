from __future__ import annotations

from typing import Any

import pytest

from convert.judge.gates import (
    Gates,
    accuracy_misses,
    missed_latency,
    misses_least,
)

_BEFORE: dict[str, Any] = {"miou": 0.8, "iou": {"flat": 0.9, "sky": 0.7, "human": None}}
_LATENCY = {"invoke_ms": {"p50": 10.0}}


def _after(miou: float | None = 0.8, **iou: float | None) -> dict[str, Any]:
    return {"miou": miou, "iou": _BEFORE["iou"] | iou}


@pytest.mark.parametrize(
    ("after", "missed"),
    [
        (_after(), []),
        (_after(0.9, flat=1.0), []),  # better is no miss
        (_after(0.7985), []),  # 0.15 points, the gate is 0.2
        (_after(0.797), ["mean IoU fell by 0.30"]),
        (_after(sky=0.694), ["sky fell by 0.60"]),
        (_after(0.7, flat=0.8, sky=0.6), ["mean IoU", "flat fell by 10.00", "sky fell by 10.00"]),
        (_after(sky=None), ["sky fell by nan"]),  # a category that is gone is no pass
        (_after(None), ["mean IoU fell by nan"]),
        (_after(human=0.0), []),  # the float model does not know it either
    ],
)
def test_drops_are_judged_in_points(after: dict[str, Any], missed: list[str]) -> None:
    sentences = [miss.sentence for miss in accuracy_misses(Gates(), _BEFORE, after, 0.995)]
    assert len(sentences) == len(missed)
    assert all(s.startswith(m) for s, m in zip(sentences, missed, strict=True))


@pytest.mark.parametrize(
    ("agreement", "passes"), [(0.99, True), (0.9899, False), (float("nan"), False)]
)
def test_agreement_has_a_gate(agreement: float, passes: bool) -> None:
    assert (accuracy_misses(Gates(), _BEFORE, _after(), agreement) == []) is passes


def test_the_last_accepted_conversion_is_a_gate_too() -> None:
    # As good as its own float model, and worse than what is in use.
    missed = accuracy_misses(Gates(), _BEFORE, _after(), 1.0, _after(0.81, sky=0.72))
    sentences = [miss.sentence for miss in missed]
    assert sentences == [
        "mean IoU fell by 1.00 points against the last accepted conversion, the gate is 0.2",
        "sky fell by 2.00 points against the last accepted conversion, the gate is 0.5",
    ]


def test_latency_is_judged_only_when_asked() -> None:
    assert not missed_latency(Gates(), _LATENCY)
    assert not missed_latency(Gates(max_latency_ms=10.0), _LATENCY)
    (sentence,) = missed_latency(Gates(max_latency_ms=9.0), _LATENCY)
    assert sentence == "invoke takes 10.00 ms, the gate is 9 ms"


# What INT8 was before the weights were recovered, what it was after, and whether that is kept.
@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ((_after(), 0.979), (_after(), 0.985), True),  # still missed, by less
        ((_after(), 0.979), (_after(), 0.995), True),
        ((_after(), 0.979), (_after(0.7985), 0.995), True),  # lost within its gate
        ((_after(), 0.979), (_after(), 0.979), False),
        ((_after(), 0.979), (_after(0.9), 0.315), False),
        # Both scores are better, and a category is lost for it.
        ((_after(0.79), 0.979), (_after(0.81, flat=0.5), 0.989), False),
        ((_after(0.79, flat=0.5), 0.979), (_after(0.79, flat=0.6), 0.979), True),
        ((_after(0.79, flat=0.5), 0.979), (_after(0.79, sky=0.5), 0.999), False),
        ((_after(), 0.979), (_after(None), 0.989), False),
        ((_after(None), 0.979), (_after(None), 0.989), True),
        ((_after(), 0.979), (_after(), float("nan")), False),
        ((_after(), float("nan")), (_after(), 0.5), True),
    ],
)
def test_what_is_better_is_better_by_the_gates_own_figures(
    before: tuple[dict[str, Any], float], after: tuple[dict[str, Any], float], kept: bool
) -> None:
    was, now = (accuracy_misses(Gates(), _BEFORE, *each) for each in (before, after))
    assert misses_least(was, now) is kept
    assert not (kept and misses_least(now, was))
