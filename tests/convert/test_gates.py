from __future__ import annotations

from typing import Any

import pytest

from convert.gates import Gates, missed_gates

_BEFORE: dict[str, Any] = {"miou": 0.8, "iou": {"flat": 0.9, "sky": 0.7, "human": None}}
_LATENCY = {"invoke_ms": {"p50": 10.0}}


def _after(miou: float | None = 0.8, **iou: float | None) -> dict[str, Any]:
    return {"miou": miou, "iou": _BEFORE["iou"] | iou}


@pytest.mark.parametrize(
    ("after", "missed"),
    [
        (_after(), []),
        (_after(0.9, flat=1.0), []),  # better is no miss
        (_after(0.796), []),  # 0.4 points, the gate is 0.5
        (_after(0.794), ["mean IoU fell by 0.60"]),
        (_after(sky=0.689), ["sky fell by 1.10"]),
        (_after(0.7, flat=0.8, sky=0.6), ["mean IoU", "flat fell by 10.00", "sky fell by 10.00"]),
        (_after(sky=None), ["sky fell by nan"]),  # a category that is gone is no pass
        (_after(None), ["mean IoU fell by nan"]),
        (_after(human=0.0), []),  # the float model does not know it either
    ],
)
def test_drops_are_judged_in_points(after: dict[str, Any], missed: list[str]) -> None:
    sentences = missed_gates(Gates(), _BEFORE, after, _LATENCY)
    assert len(sentences) == len(missed)
    assert all(s.startswith(m) for s, m in zip(sentences, missed, strict=True))


def test_latency_is_judged_only_when_asked() -> None:
    assert not missed_gates(Gates(max_latency_ms=10.0), _BEFORE, _after(), _LATENCY)
    (sentence,) = missed_gates(Gates(max_latency_ms=9.0), _BEFORE, _after(), _LATENCY)
    assert sentence == "invoke takes 10.00 ms, the gate is 9 ms"
