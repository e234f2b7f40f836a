from __future__ import annotations

from typing import Any

import pytest

from convert.judge.gates import Gates, missed_accuracy, missed_latency

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
    sentences = missed_accuracy(Gates(), _BEFORE, after, 0.995)
    assert len(sentences) == len(missed)
    assert all(s.startswith(m) for s, m in zip(sentences, missed, strict=True))


@pytest.mark.parametrize(
    ("agreement", "passes"), [(0.99, True), (0.9899, False), (float("nan"), False)]
)
def test_agreement_has_a_gate(agreement: float, passes: bool) -> None:
    assert (missed_accuracy(Gates(), _BEFORE, _after(), agreement) == []) is passes


def test_the_last_accepted_conversion_is_a_gate_too() -> None:
    # As good as its own float model, and worse than what is in use.
    sentences = missed_accuracy(Gates(), _BEFORE, _after(), 1.0, _after(0.81, sky=0.72))
    assert sentences == [
        "mean IoU fell by 1.00 points against the last accepted conversion, the gate is 0.2",
        "sky fell by 2.00 points against the last accepted conversion, the gate is 0.5",
    ]


def test_latency_is_judged_only_when_asked() -> None:
    assert not missed_latency(Gates(), _LATENCY)
    assert not missed_latency(Gates(max_latency_ms=10.0), _LATENCY)
    (sentence,) = missed_latency(Gates(max_latency_ms=9.0), _LATENCY)
    assert sentence == "invoke takes 10.00 ms, the gate is 9 ms"
