"""Scores by road, with intervals, and at the edges."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.model.by_road import ByRoad, group_of, groups_table
from roadmask.errors import ConfigError


def sample(frame_id: str, mask: np.ndarray[Any, Any]) -> Any:
    return SimpleNamespace(frame_id=frame_id, mask=mask.astype(np.uint8))


def halves(split: int) -> np.ndarray[Any, Any]:
    """Road from column ``split`` on, else sky."""
    mask = np.full((40, 60), 5, np.uint8)
    mask[:, split:] = 1
    return mask


@pytest.mark.parametrize(
    ("by", "group"),
    [
        ("drive", "aachen"),
        ("city", "aachen"),
        (r"^\w{3}", "aac"),
        (r"_(\d+)_", "000001"),
        ("none", ""),
    ],
)
def test_a_frame_s_group(by: str, group: str) -> None:
    assert group_of(by)("aachen_000001_000019") == group


def test_an_expression_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--by '\(': expected drive, city"):
        group_of("(")


def test_groups_intervals_and_edges() -> None:
    roads = ByRoad(group_of("drive"))
    for index in range(4):
        roads.observe(cast(Any, sample(f"good_{index}", halves(30))), halves(30))
        roads.observe(cast(Any, sample(f"poor_{index}", halves(30))), halves(36))
    result = roads.report()
    # Road: 30 columns of truth, 24 right: 0.8; sky: 30 of 36 said: 0.8333.
    assert result["by_group"]["poor"]["iou"]["flat"] == pytest.approx(0.8)
    assert result["by_group"]["poor"]["miou"] == pytest.approx((24 / 30 + 30 / 36) / 2)
    assert result["by_group"]["good"]["miou"] == 1 and result["by_group"]["good"]["images"] == 4
    low, high = result["interval"]["miou"]
    assert low < result["by_group"]["good"]["miou"] and high > result["by_group"]["poor"]["miou"]
    assert result["miou_interval"] == [low, high]
    assert result["interval"]["human"] == [None, None]
    # A band of 1 px at the one edge of each half: the same in the good ones, apart in the poor.
    assert result["boundary"]["flat"] == pytest.approx(1 / 3)
    assert result["boundary_iou"] == pytest.approx(1 / 3)
    assert "poor" in groups_table(result)


def test_void_truth_has_no_edge() -> None:
    truth = halves(30)
    truth[:, 20:40] = 0
    roads = ByRoad(group_of("drive"))
    roads.observe(cast(Any, sample("a_1", truth)), halves(30))
    assert roads.report()["boundary_iou"] == 1.0
    assert roads.report()["miou_interval"] is None  # one frame tells nothing about others
