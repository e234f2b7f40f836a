from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import compare_files
from roadmask.errors import DataError
from roadmask.system.files import write_json

_ACCURACY: dict[str, Any] = {
    "kind": "accuracy", "dataset": "town", "split": "val", "images": 9,
    "iou": {"flat": 0.9, "sky": 0.8}, "miou": 0.85, "dice": 0.9, "pixel_accuracy": 0.95,
}  # fmt: skip
_LATENCY: dict[str, Any] = {
    "kind": "latency", "device": "board", "threads": 1, "fps": 90.0, "rss_mib": 80.0,
    "startup_ms": 400.0, "invoke_ms": {"p50": 10.0}, "invoke_blocks_ms": [9.8, 10.0, 10.3],
    "stages_ms": {"capture": {"p50": 0.1}}, "frame_to_mask_ms": {"p50": 11.0},
    "overhead_ms": {"p50": 1.0},
}  # fmt: skip


def _compare(folder: Path, a: dict[str, Any], b: dict[str, Any]) -> Any:
    for name, result in (("a", a), ("b", b)):
        write_json(folder / f"{name}.json", result)
    return compare_files(folder / "a.json", folder / "b.json")


@pytest.mark.parametrize(("miou", "verdict"), [(0.86, "better"), (0.84, "worse"), (0.8502, "same")])
def test_accuracy_is_judged_in_points(tmp_path: Path, miou: float, verdict: str) -> None:
    comparison = _compare(tmp_path, _ACCURACY, _ACCURACY | {"miou": miou})
    assert comparison.verdict == verdict
    assert "mean IoU" in comparison.text


def test_a_wide_interval_hides_a_small_difference(tmp_path: Path) -> None:
    b = _ACCURACY | {"miou": 0.86, "miou_interval": [0.84, 0.88]}
    assert _compare(tmp_path, _ACCURACY, b).verdict == "same"


@pytest.mark.parametrize(
    ("blocks", "p50", "verdict"),
    [
        ([8.0, 8.1, 8.2], 8.1, "better"),
        ([12.0, 12.1, 12.2], 12.1, "worse"),
        ([8.0, 9.9, 12.0], 9.0, "same"),  # faster by the median, but the blocks overlap
        ([9.7, 9.7, 9.75], 9.9, "same"),  # apart, but by less than 2 %
    ],
)
def test_latency_is_judged_by_its_blocks(
    tmp_path: Path, blocks: list[float], p50: float, verdict: str
) -> None:
    b = deepcopy(_LATENCY) | {"invoke_blocks_ms": blocks, "invoke_ms": {"p50": p50}}
    assert _compare(tmp_path, _LATENCY, b).verdict == verdict


def test_many_blocks_find_what_one_outlier_would_hide(tmp_path: Path) -> None:
    # 10 % slower; one disturbed block of the first run reaches beyond all of the second.
    first = [10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0, 10.1, 30.0]
    a = deepcopy(_LATENCY) | {"invoke_blocks_ms": first}
    b = deepcopy(_LATENCY) | {
        "invoke_blocks_ms": [1.1 * v for v in first[:-1]],
        "invoke_ms": {"p50": 11.0},
    }
    assert _compare(tmp_path, a, b).verdict == "worse"
    assert _compare(tmp_path, b, a).verdict == "better"
    assert _compare(tmp_path, a, a).verdict == "same"


def test_conversions_are_judged_by_accuracy_and_speed(tmp_path: Path) -> None:
    def report(miou: float, ms: float) -> dict[str, Any]:
        latency = _LATENCY | {"invoke_ms": {"p50": ms}, "invoke_blocks_ms": [ms, ms, ms]}
        return {
            "kind": "conversion",
            "mode": "int8",
            "accuracy": {"int8": _ACCURACY | {"miou": miou}},
            "latency": {"int8": latency},
            "certificate": {"intervals": {"int8_miou": [miou - 0.001, miou + 0.001]}},
        }

    first = report(0.8, 10.0)
    for second, verdict in (
        (report(0.8, 10.0), "same"),
        (report(0.81, 10.0), "better"),
        (report(0.8005, 8.0), "better"),
        (report(0.81, 12.0), "worse"),  # faster or better in one is no excuse for the other
        (report(0.79, 8.0), "worse"),
    ):
        comparison = _compare(tmp_path, first, second)
        assert comparison.verdict == verdict
        assert "mean IoU" in comparison.reason and "invoke" in comparison.reason


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one kind"):
        _compare(tmp_path, _ACCURACY, _LATENCY)
    with pytest.raises(DataError, match="different frames"):
        _compare(tmp_path, _ACCURACY, _ACCURACY | {"images": 10})
    with pytest.raises(DataError, match="lacks the key 'miou'"):
        _compare(tmp_path, _ACCURACY, {k: v for k, v in _ACCURACY.items() if k != "miou"})
